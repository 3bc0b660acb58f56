"""The verdicts of `make soak`: it must detect a lost login and growing memory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import count, pairwise
from threading import Thread

import pytest

from app.services.sessions.tokens import token_hash
from tests.fixtures.servers.http_servers import QuietServer
from tests.fixtures.waiting import until
from tests.ha.load import Answer, Sample
from tests.ha.verification import find_missing
from tests.soak.faults import PLAN, Fault
from tests.soak.load import SoakLoad
from tests.soak.memory import JUDGED_SECONDS, leaks, longest_generation
from tests.soak.results import (
    Occurrence,
    all_lost,
    fault_table,
    unexpected_replacements,
    wrong_of,
)
from tests.soak.usage import MEGABYTE, ProcessUsage, Usage, usage_of

TOKEN = "a token"
USER = "01a2262d-0000-7000-8000-000000000001"
NOWHERE = "http://127.0.0.1:9"
# A process whose memory grows by 5 MB a step.
LEAKING = """
kept = [b"x" * 100 * 2**20]
for line in __import__("sys").stdin:
    kept.append(b"x" * 5 * 2**20)
    print("grown", flush=True)
"""


class LossyService(BaseHTTPRequestHandler):
    """The service and the simulator, of which the service forgets every fifth login."""

    protocol_version = "HTTP/1.1"
    numbers = count()

    def do_POST(self) -> None:
        """Answer a login, or a request to the control API of the simulator."""
        self.rfile.read(int(self.headers["Content-Length"]))
        token = f"token{next(self.numbers)}"
        login = {"token": token, "refresh_token": None, "user": {"id": f"user of {token}"}}
        self._answer(200, login if self.path.startswith("/v1") else {"code": token})

    def do_GET(self) -> None:
        """Answer the check of a token."""
        token = self.headers["Authorization"].removeprefix("Bearer ")
        is_lost = int(token.removeprefix("token")) % 5 == 0
        self._answer(401 if is_lost else 204, None, user_id=f"user of {token}")

    def _answer(self, status: int, body: object, user_id: str = "") -> None:
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        self.send_header("X-User-Id", user_id)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def lossy_url() -> Iterator[str]:
    """The URL of a running LossyService."""
    with QuietServer(("127.0.0.1", 0), LossyService) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def usage(
    minute: float, megabytes: float = 100, *, generation: int = 1, since: float = 0, files: int = 30
) -> Usage:
    """Return a measurement of one worker. Times are minutes."""
    size = int(megabytes * MEGABYTE)
    worker = ProcessUsage(size, size, files, 5)
    return Usage(minute * 60, generation, since * 60, (worker,), ())


def load_with(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> SoakLoad:
    """Return a load with one session, of which each request gets the answer."""
    load = SoakLoad(NOWHERE, NOWHERE, "")
    load.sessions.add(TOKEN, USER, "a refresh token", "wxaaaa000000000002")
    monkeypatch.setattr(load, "ask", lambda *_, **__: answer)
    monkeypatch.setattr(load, "control", lambda *_, **__: {"code": "a code"})
    return load


def test_memory_that_grows_by_more_than_a_tenth_after_ten_minutes_is_a_leak() -> None:
    leaking = [usage(minute, 100 + minute) for minute in range(31)]
    [leak] = [one for one in leaks(leaking) if one.startswith("own memory")]
    assert "+17." in leak


def test_memory_that_grows_in_the_first_ten_minutes_only_is_no_leak() -> None:
    assert leaks([usage(minute, 100 + 10 * min(minute, 8)) for minute in range(31)]) == []


def test_growth_is_seen_although_workers_are_replaced_before_and_afterwards() -> None:
    """New workers have fresh memory, so only the workers that ran longest are judged."""
    measured = [
        *(usage(minute, generation=1) for minute in range(15)),
        *(usage(minute, 100 + minute, generation=2, since=15) for minute in range(15, 50)),
        *(usage(minute, generation=3, since=50) for minute in range(50, 60)),
    ]
    assert {one.generation for one in longest_generation(measured)} == {2}
    assert leaks(measured)


def test_short_generations_are_not_judged() -> None:
    measured = [usage(minute, 100 + minute) for minute in range(int(JUDGED_SECONDS / 60))]
    assert leaks(measured) == []


def test_file_descriptors_that_grow_are_a_leak_but_a_few_more_are_not() -> None:
    assert leaks([usage(minute, files=30 + minute // 3) for minute in range(31)]) == []
    [leak] = leaks([usage(minute, files=30 + 2 * minute) for minute in range(31)])
    assert leak.startswith("file descriptors")


def test_the_usage_of_this_process_is_measured() -> None:
    measured = usage_of(os.getpid())
    assert measured is not None
    assert measured.resident >= measured.own > 10 * MEGABYTE
    assert measured.threads >= 1
    assert measured.files >= 3
    assert usage_of(2**22 + 1) is None


def test_the_faults_of_an_hour_leave_the_workers_running_for_more_than_twenty_minutes() -> None:
    replacing = [minute for minute, fault in PLAN if fault.replaces]
    gaps = [later - earlier for earlier, later in pairwise(replacing)]
    assert max(gaps) * 60 > JUDGED_SECONDS + 600
    kinds: dict[Fault, int] = {}
    for _, fault in PLAN:
        kinds[fault] = kinds.get(fault, 0) + 1
    assert [fault.name for fault, times in kinds.items() if times == 1] == [
        "upgrade from the previous release"
    ]


def test_workers_that_are_replaced_without_a_fault_are_a_failure() -> None:
    measured = [
        usage(1, generation=1),
        usage(2, generation=2, since=2),
        usage(9, generation=3, since=9),
    ]
    kill = Occurrence("killed", 110.0, 110.0, 115.0, replaces=True)
    restart = Occurrence("restart of PostgreSQL", 535.0, 538.0, 545.0)
    assert list(unexpected_replacements([kill, restart], measured)) == [
        "workers were replaced without a fault: 540 s"
    ]


def test_a_lost_login_is_found_in_the_database() -> None:
    load = SoakLoad(NOWHERE, NOWHERE, "")
    load.sessions.add(TOKEN, USER)
    sessions = load.sessions.acknowledged()

    def lost(*rows: tuple[bytes, bool]) -> list[str]:
        return [text for _, text in find_missing(lambda *_: list(rows), sessions)]

    assert lost((token_hash(TOKEN), False)) == []
    assert lost() == ["an acknowledged login is not in the database"]
    assert lost((token_hash(TOKEN), True)) == [
        "the session of an acknowledged login is ended in the database"
    ]


def test_a_session_whose_refresh_is_under_way_is_not_looked_for() -> None:
    load = SoakLoad(NOWHERE, NOWHERE, "")
    load.sessions.add(TOKEN, USER)
    sessions = load.sessions.acknowledged()
    load.sessions.take_to_refresh()
    assert list(find_missing(lambda *_: [], sessions)) == []


@pytest.mark.parametrize(
    ("kind", "answer", "wrong"),
    [
        ("check", Answer(204, b"", "", USER), None),
        ("check", Answer(503, b"", ""), None),
        ("check", Answer(401, b"", ""), "a valid token was refused"),
        ("check", Answer(204, b"", "", "another"), "a valid token was accepted as that of another"),
        ("who am I", Answer(200, json.dumps({"id": USER}).encode(), ""), None),
        ("who am I", Answer(200, b'{"id": "another"}', ""), "another user was shown"),
        ("who am I", Answer(401, b"", ""), "a valid token was refused"),
        (
            "profile change",
            Answer(200, json.dumps({"id": USER, "nickname": "old"}).encode(), ""),
            "a change was not made",
        ),
        ("refresh", Answer(401, b"", ""), "a refresh was refused"),
        ("push", Answer(200, b"success", ""), None),
        ("push", Answer(403, b"", ""), "a push was refused"),
        ("console page", Answer(500, b"", ""), "internal error"),
        ("password login", Answer(429, b"{}", ""), "a login was refused"),
    ],
)
def test_the_load_recognises_wrong_responses(
    monkeypatch: pytest.MonkeyPatch, kind: str, answer: Answer, wrong: str | None
) -> None:
    load = load_with(answer, monkeypatch)
    load._send(kind)
    [sample] = load.samples
    if wrong is None:
        assert sample.wrong is None
    else:
        assert sample.wrong is not None
        assert sample.wrong.startswith(wrong)


def test_a_known_person_who_becomes_another_user_is_a_wrong_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = ({"token": f"t{n}", "refresh_token": "r", "user": {"id": f"u{n}"}} for n in range(2))
    load = load_with(Answer(503, b"", ""), monkeypatch)
    monkeypatch.setattr(
        load, "ask", lambda *_, **__: Answer(200, json.dumps(next(bodies)).encode(), "")
    )
    monkeypatch.setattr(type(load), "known_people", 1)
    load._send("known login")
    load._send("known login")
    assert [one.wrong for one in load.samples] == [
        None,
        "a person was logged in as another user",
    ]


def test_a_refresh_replaces_the_session_and_the_old_token_must_be_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = {"token": "new", "refresh_token": "next"}
    load = load_with(Answer(200, json.dumps(tokens).encode(), ""), monkeypatch)
    load._send("refresh")
    [session] = load.sessions.acknowledged()
    assert (session.token, session.refresh_token, session.user_id) == ("new", "next", USER)
    assert load.sessions.any_ended() is None, "the grace period is not over"
    later = time.monotonic() + 100
    monkeypatch.setattr(time, "monotonic", lambda: later)
    ended = load.sessions.any_ended()
    assert ended is not None
    assert ended.token == TOKEN


def test_recovery_is_measured_from_the_end_of_the_fault() -> None:
    def sample(started: float, status: int = 204) -> Sample:
        return Sample("check", started, 0.1, status, "", "", None)

    samples = [sample(101, 503), sample(111, 503), sample(112), sample(113)]
    fault = Occurrence("restart", 100.0, 110.0, 120.0, samples)
    assert fault.recovery() == 2.0
    assert Occurrence("restart", 100.0, 111.5, 120.0, samples).recovery() == 0.0
    assert Occurrence("restart", 100.0, 110.0, 120.0, samples[:2]).recovery() is None
    assert "| restart | 1 | 4 | 2 × 503 | 10.0 s | 2.0 s | 0.1 s | 0 |" in fault_table([fault])


def test_wrong_responses_count_as_lost() -> None:
    refused = Sample("check", 101, 0.1, 401, "token_unknown", "", "a valid token was refused")
    fault = Occurrence("restart", 100.0, 110.0, 120.0, [refused], ["a lost login"])
    assert list(all_lost([fault])) == [
        "restart: a lost login",
        "restart: check: a valid token was refused (401 token_unknown)",
    ]
    assert wrong_of([refused]).total() == 1


@pytest.mark.slow
def test_the_load_detects_a_service_that_loses_logins(
    lossy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SoakLoad, "kinds", ["new login", *["check"] * 19])
    monkeypatch.setattr(SoakLoad, "known_people", 1)
    load = SoakLoad(lossy_url, lossy_url, "")
    with load.running():
        until(lambda: wrong_of(list(load.samples)).total() >= 5, 30)
    assert set(wrong_of(load.samples)) == {"check: a valid token was refused (401 )"}


@pytest.mark.slow
def test_the_growth_of_a_real_process_is_a_leak() -> None:
    measured = []
    with subprocess.Popen(
        [sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for minute in range(31):
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            used = usage_of(process.pid)
            assert used is not None
            measured.append(Usage(minute * 60, 1, 0, (used,), ()))
        process.stdin.close()
    assert any(leak.startswith("own memory") for leak in leaks(measured))
