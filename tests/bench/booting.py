"""Startup time of the service, measured in a new process: `python -m tests.bench.booting TOKEN`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from statistics import median

from config import load_config
from config.development import ROOT

REPEATED = 5
# Seconds of the import (`import`), of create_app (`create`), and from the call of create_app to the
# first response (`answer`).
Boot = dict[str, float]


def boot(token: str) -> Boot:
    """Import `app`, create the Flask app, and send a request that reads the database."""
    began = time.perf_counter()
    create_app = import_module("app").create_app
    imported = time.perf_counter()
    app = create_app(load_config(os.environ))
    made = time.perf_counter()
    answer = app.test_client().get("/v1/verify", headers={"Authorization": f"Bearer {token}"})
    answered = time.perf_counter()
    assert answer.status_code == 204, answer.text
    return {"import": imported - began, "create": made - imported, "answer": answered - imported}


def measure_boots(environ: Mapping[str, str], token: str) -> Boot:
    """Start the service five times, each time in a new process. Return the medians."""
    boots = []
    for _ in range(REPEATED):
        command = [sys.executable, "-m", "tests.bench.booting", token]
        done = subprocess.run(command, capture_output=True, cwd=ROOT, env=dict(environ), check=True)
        boots.append(json.loads(done.stdout.splitlines()[-1]))
    return {part: median([boot[part] for boot in boots]) for part in boots[0]}


if __name__ == "__main__":
    print(json.dumps(boot(sys.argv[1])))
