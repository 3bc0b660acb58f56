"""The process of `make run` that starts and supervises the other processes."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config import ConfigError
from config.development.addresses import check_free, service_address
from config.development.children import RunFailed, launch
from config.development.demo import PEOPLE, TENANTS
from config.development.walkthrough import login_commands
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

ROOT = Path(__file__).resolve().parents[2]
IGNORES_SIGTERM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(worker.pid, flush=True)
time.sleep(60)
"""


def run_supervisor(tmp_path: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the supervisor with an environment until it exits."""
    return subprocess.run(
        [sys.executable, "-m", "config.development.run"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "WXPASS_VAR": str(tmp_path / "var")} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("variable", ["PORT", "SIMULATOR_PORT"])
def test_make_run_reports_a_port_in_use_before_it_creates_files(
    tmp_path: Path, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ports = {"PORT": str(free_port()), "SIMULATOR_PORT": str(free_port())}
        ports[variable] = str(port)
        done = run_supervisor(tmp_path, **ports)

    assert done.returncode == 1
    assert f"{variable}: port {port} is taken" in done.stdout
    assert f"{variable}={port + 10} make run" in done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "var").exists()


def test_make_run_is_rejected_in_production(tmp_path: Path) -> None:
    done = run_supervisor(tmp_path, WXPASS_ENV="production")

    assert done.returncode == 1
    assert done.stdout.strip().startswith("WXPASS_ENV:")


def test_check_free_accepts_a_port_with_a_connection_in_time_wait() -> None:
    port = free_port()
    address = ("127.0.0.1", port)
    with socket.create_server(address) as listener, socket.create_connection(address):
        listener.accept()[0].close()

    check_free("PORT", "127.0.0.1", port)


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, ("127.0.0.1", 8000)),
        ({"PORT": "9000"}, ("127.0.0.1", 9000)),
        ({"PORT": "9000", "GUNICORN_BIND": "0.0.0.0:80"}, ("0.0.0.0", 80)),  # noqa: S104
        ({"GUNICORN_BIND": "[::1]:80"}, ("[::1]", 80)),
    ],
)
def test_service_address_is_the_address_that_gunicorn_binds_to(
    environ: dict[str, str], address: tuple[str, int]
) -> None:
    assert service_address(environ) == address


def test_service_address_rejects_a_unix_socket_and_names_gunicorn_bind() -> None:
    with pytest.raises(ConfigError, match="GUNICORN_BIND"):
        service_address({"GUNICORN_BIND": "unix:/tmp/x"})


def test_a_child_process_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(IGNORES_SIGTERM)
    child = launch("stubborn", ["stubborn"], {}, tmp_path, tmp_path / "log" / "stubborn.log")
    until(lambda: child.log.read_text().endswith("\n"))

    child.stop(0.1)

    assert child.has_ended()
    until(lambda: is_gone(int(child.log.read_text())))


def is_gone(pid: int) -> bool:
    """Return whether a process has ended. A zombie counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_child_process_that_ended_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('the reason')")
    child = launch("broken", ["broken"], {}, tmp_path, tmp_path / "broken.log")
    child.process.wait()

    with pytest.raises(RunFailed, match=r"broken ended by itself.*broken\.log.*\n.*the reason"):
        child.check_running()


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_printed_commands_have_valid_shell_syntax(shell: str) -> None:
    commands = login_commands("http://127.0.0.1:8000", "http://127.0.0.1:8001")

    subprocess.run([shell, "-n"], input=commands.encode(), check=True)
    assert "#" not in commands  # an interactive zsh rejects comments
    assert "!" not in commands
    assert "~" not in commands


def test_the_demo_data_has_valid_tenants_appids_and_secrets() -> None:
    apps = [app for tenant in TENANTS for app in tenant.apps]

    assert {tenant.slug for tenant in TENANTS} == {"acme", "globex"}
    for app in apps:
        assert app.appid.startswith("wx")
        assert len(bytes.fromhex(app.appid[2:])) == 8
        assert len(bytes.fromhex(app.secret)) == 16
    assert len({app.appid for app in apps}) == len(apps)
    assert PEOPLE[0].name == "alice"
