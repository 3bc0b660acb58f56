"""The requests on the pages, sent to a running service by a shell."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from config.development import ROOT
from config.development.demo import OPERATOR
from tests.docs.back_ends import GO_ENVIRON
from tests.docs.site import Site
from tests.fixtures.documented_commands import (
    BACK_ENDS,
    CALLS,
    SHELL,
    Block,
    blocks_run_by,
    is_not_run,
    shell_blocks,
)
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

SERVICE, SIMULATOR, BACK_END = (f"http://127.0.0.1:{port}" for port in (8000, 8001, 9000))
SECRET = "5e" * 16
# What a reader replaces in a request.
REPLACED = {
    '"secret":"..."': f'"secret":"{SECRET}"',
    '"email":"...","password":"..."': json.dumps(
        {"email": OPERATOR.email, "password": OPERATOR.password}
    ).strip("{}"),
    "tenants/initech/": "tenants/acme/",
}
STARTS = [block for block in blocks_run_by(BACK_ENDS) if block.code.startswith("cd ")]


def run(code: str, site: Site, **variables: str) -> str:
    """Run commands in the checkout, and return what they print. Fail if one fails.

    No answer may be a problem document.
    """
    for placeholder, value in {
        **REPLACED,
        SERVICE: site.service,
        SIMULATOR: site.simulator,
    }.items():
        code = code.replace(placeholder, value)
    done = subprocess.run(
        ["sh", "-eu"],
        cwd=ROOT,
        env=site.environ() | variables,
        input=code,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "application/problem+json" not in done.stdout
    assert not re.search(r'"status": ?[45]', done.stdout), done.stdout
    return done.stdout


def operator_jwt(site: Site) -> str:
    """Return the access token of the operator of `make run`."""
    body = {"email": OPERATOR.email, "password": OPERATOR.password}
    answer = requests.post(f"{site.service}/v1/admin/sign-in", json=body, timeout=20)
    return str(answer.json()["access_token"])


@pytest.fixture
def no_faults(site: Site) -> Iterator[None]:
    """Deactivate the faults of the simulator that a request has activated."""
    yield
    requests.delete(f"{site.simulator}/_simulator/faults", timeout=10)


@pytest.mark.usefixtures("no_faults")
@pytest.mark.parametrize("block", blocks_run_by(CALLS), ids=str)
def test_documented_requests_succeed(block: Block, site: Site) -> None:
    """A command of `flask` in the same block reads the secret that a person would type."""
    flask, typed = r"^(\.venv/bin/flask .*)$", rf"echo {SECRET} | \1 --secret-stdin"
    code = re.sub(flask, typed, block.code, flags=re.MULTILINE)
    assert run(code, site, TOKEN=site.log_in("alice"), JWT=operator_jwt(site))


def test_the_shell_function_runs_a_flask_command(site: Site) -> None:
    (block,) = blocks_run_by(SHELL)
    assert "tenants" in run(block.code, site)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the examples beside a virtual environment, so that `npm ci` disturbs no test."""
    installed = shutil.ignore_patterns("node_modules", "__pycache__")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=installed)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@contextmanager
def started(block: Block, site: Site, checkout: Path) -> Iterator[str]:
    """Run the commands that start a back end, with another port. Yield its URL."""
    port = str(free_port())
    assert block.code.count("9000") == 1
    code = block.code.replace("9000", port)
    environ = GO_ENVIRON | {"WXPASS_URL": site.service, "npm_config_offline": "true"}
    # The server gets a process group of its own, because npm and `go run` start another process.
    process = subprocess.Popen(
        ["sh", "-euc", code], cwd=checkout, env=environ, start_new_session=True
    )
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/orders"), seconds=90)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def answers(url: str) -> bool:
    """Return whether a back end answers."""
    try:
        return requests.get(url, timeout=5).status_code == 401
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("block", STARTS, ids=str)
def test_the_page_of_an_example_runs_it(block: Block, site: Site, checkout: Path) -> None:
    """The page starts the back end, and sends a login token and a JWT of Alice to it."""
    token = site.log_in("alice")
    (calls,) = (one for one in blocks_run_by(BACK_ENDS) if one.page == block.page and one != block)
    with started(block, site, checkout) as url:
        printed = run(calls.code.replace(BACK_END, url), site, TOKEN=token)
    users = re.findall(r'"user": ?"([^"]+)"', printed)
    assert users == [site.user_of(token)] * 2


def test_the_page_of_every_example_is_run_or_says_why_not() -> None:
    """Only Spring Boot is not run."""
    pages = {path.name for path in (ROOT / "docs").glob("protect-*.md")}
    pages -= {name for name in pages if "zh-CN" in name} | {"protect-your-api.md"}
    not_run = {Path(block.page).name for block in shell_blocks() if is_not_run(block)} & pages
    assert {Path(block.page).name for block in STARTS} == pages - not_run
    assert not_run == {"protect-spring-boot.md"}
