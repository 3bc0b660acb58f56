"""Generated requests, only when `make test-openapi` asks for them."""

import os

CASES = int(os.environ.get("OPENAPI_CASES", "0"))
if not CASES:
    collect_ignore_glob = ["test_*.py"]
