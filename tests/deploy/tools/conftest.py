"""Checks of deploy/ with the tools that read its files. They run only with `make test-deploy`."""

import os

# Set by `make test-deploy`. Without it, the tests of this folder are not collected.
collect_ignore_glob = [] if os.environ.get("TEST_DEPLOY") else ["test_*.py"]
