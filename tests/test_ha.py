"""The measurements and the clean-up of `make test-ha`, and the files in deploy/ha."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.connections.deadlines import WAIT_SECONDS
from config.development.children import RunFailed
from tests.fixtures.waiting import until
from tests.ha import database, programs
from tests.ha.faults import RECONNECT, TTL, Step
from tests.ha.load import Answer, Load, Sample
from tests.ha.results import Result
from tests.ha.services import APP
from tests.ha.site import DEPLOY, MEMBERS, Ports, Site

DIRECT, POOLED = "127.0.0.1:1", "127.0.0.1:2"
# Starts a process in the folder of a cluster, as PostgreSQL is started by Patroni.
SCRIPT = """
import subprocess, time
from tests.ha.processes import temporary_folder
with temporary_folder() as folder:
    child = subprocess.Popen(["sleep", "600"], cwd=folder, start_new_session=True)
    (folder / "part.log").write_text("its log")
    print(child.pid, folder, flush=True)
    time.sleep(600)
"""


def sample(
    started: float, status: int | None = 204, service: str = DIRECT, wrong: str | None = None
) -> Sample:
    return Sample("check", started, 0.1, status, "", service, wrong)


def result(*samples: Sample) -> Result:
    """Return the result of a step that began at 100 and may take 5 seconds."""
    return Result(Step("restart", RECONNECT), 100.0, (DIRECT, POOLED), 120.0, samples)


def test_recovery_is_the_time_of_the_first_success_after_the_last_error() -> None:
    measured = result(sample(101), sample(102, 503), sample(103), sample(104, 502), sample(104.5))
    assert measured.recovery(DIRECT) == 4.5


def test_a_request_without_a_response_counts_as_an_error_of_both_services() -> None:
    measured = result(sample(101, None, service=""), sample(102), sample(103, service=POOLED))
    assert (measured.recovery(DIRECT), measured.recovery(POOLED)) == (2.0, 3.0)
    assert measured.errors(DIRECT) == measured.errors(POOLED) == {"no response": 1}


def test_an_error_of_a_request_that_was_in_flight_when_the_step_began_counts() -> None:
    in_flight = sample(99.95, 503)
    measured = result(in_flight, sample(99.99), sample(100.5))
    assert measured.was_disturbing(in_flight)
    assert not measured.was_disturbing(sample(99.8, 503))
    assert measured.recovery(DIRECT) == 0.5


def test_a_step_without_errors_has_no_recovery_time_and_no_failure() -> None:
    measured = result(sample(101), sample(101, service=POOLED))
    assert (measured.recovery(DIRECT), list(measured.failures())) == (0.0, [])


@pytest.mark.parametrize(
    "samples",
    [
        (sample(104, 502), sample(105.5)),
        (sample(104, 503),),
        (sample(104, 401, wrong="a valid token was refused"), sample(104.5)),
    ],
    ids=["too late", "never", "wrong response"],
)
def test_a_late_recovery_and_a_wrong_response_are_failures(samples: tuple[Sample, ...]) -> None:
    assert len(list(result(*samples).failures())) == 1


def test_a_lost_login_is_a_failure() -> None:
    measured = result(sample(101))
    measured.lost.append("an acknowledged login is not in the database")
    assert list(measured.failures()) == measured.lost


@pytest.mark.parametrize(
    ("kind", "status", "is_wrong"),
    [
        ("check", 204, False),
        ("check", 503, False),
        ("check", None, False),
        ("check", 401, True),
        ("check", 404, True),
        ("check", 500, True),
        ("check of an ended session", 401, False),
        ("check of an ended session", 204, True),
        ("check of an ended session", 404, True),
        ("logout", 204, False),
        ("logout", 401, True),
    ],
)
def test_the_load_recognises_wrong_responses(
    monkeypatch: pytest.MonkeyPatch, kind: str, status: int | None, is_wrong: bool
) -> None:
    load = Load("http://127.0.0.1:9", "http://127.0.0.1:9", APP)
    load.sessions.add("a token")
    if kind == "check of an ended session":
        session = load.sessions.take_to_end()
        assert session is not None
        load.sessions.note_ended(session)
        assert load.sessions.any_ended() is None, "caches may still have it"
        session.ended_at = 0.0
    monkeypatch.setattr(load, "ask", lambda *_, **__: Answer(status, b"", DIRECT))

    load._send(kind)

    [recorded] = load.samples
    assert (recorded.wrong is not None) == is_wrong
    assert recorded.succeeded == (not is_wrong and status in (204, 401))


def test_a_refused_login_is_a_wrong_response(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load("http://127.0.0.1:9", "http://127.0.0.1:9", APP)
    monkeypatch.setattr(load, "control", lambda *_, **__: {"code": "a code"})
    monkeypatch.setattr(load, "ask", lambda *_, **__: Answer(409, b"{}", DIRECT))

    load._send("known login")

    assert [one.wrong for one in load.samples] == ["a login was refused"]
    assert load.sessions.acknowledged() == []


def test_every_address_in_the_reference_configuration_is_replaced(tmp_path: Path) -> None:
    """Otherwise a part of the cluster would not use the file that operators copy."""
    site = Site(tmp_path, Ports(), None)
    for member in MEMBERS:
        database.etcd(site, member)
        database.patroni(site, member)
    for part in (database.haproxy, database.pgbouncer, database.nginx):
        part(site)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {path.name for path in DEPLOY.glob("*.[yci]*")}
    for path in written:
        settings = [line for line in path.read_text().splitlines() if line[:1] not in "#;"]
        assert "10.0.0." not in "\n".join(settings), path
        assert "CHANGE_ME" not in "\n".join(settings), path


def test_the_times_of_patroni_follow_its_rules() -> None:
    dcs = yaml.safe_load((DEPLOY / "patroni.yml").read_text())["bootstrap"]["dcs"]
    assert dcs["ttl"] == TTL >= 20
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]
    assert dcs["synchronous_mode"] is True


@pytest.mark.parametrize(
    "path",
    [DEPLOY / "pgbouncer.ini", *sorted((DEPLOY.parents[1] / "docs").glob("operations*.md"))],
    ids=lambda path: path.name,
)
def test_pgbouncer_refuses_a_queued_query_before_the_worker_gives_up(path: Path) -> None:
    """After a wait that timed out, a worker shortens all its waits for some seconds."""
    [seconds] = re.findall(r"^ *query_wait_timeout = (\d+)$", path.read_text(), re.MULTILINE)
    assert 0 < int(seconds) < WAIT_SECONDS


def test_a_missing_program_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "PACKAGES", {"no-such-etcd": ("/no-such-etcd", "etcd-server")})
    with pytest.raises(RunFailed, match="apt-get install --no-install-recommends etcd-server"):
        programs.require_programs()


def test_the_processes_of_a_killed_test_are_ended_and_its_logs_kept(tmp_path: Path) -> None:
    environ = dict(os.environ) | {"WXPASS_VAR": str(tmp_path)}
    root = Path(__file__).parents[1]
    killed = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=root, env=environ, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    pid, folder = killed.stdout.readline().split()
    assert Path(f"/proc/{pid}/cwd").readlink() == Path(folder)
    killed.kill()
    killed.communicate()

    until(lambda: not Path(folder).exists())

    assert not Path(f"/proc/{pid}/cwd").exists()
    assert (tmp_path / "ha" / "log" / "part.log").read_text() == "its log"
