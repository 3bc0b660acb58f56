"""Uses of sessions are noted in memory and written in batches, and never do harm."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import psycopg
import pytest
from flask import Flask
from structlog.testing import capture_logs

from app.clock import now
from app.services.cache.registry import Caches
from app.services.runtime.per_process import OncePerProcess
from app.services.sessions import last_seen as using
from app.services.sessions.last_seen import LastSeen
from tests.fixtures.personas import Client, Person, Reader

AN_HOUR_LATER = (
    "UPDATE login_sessions SET seen_at = seen_at - interval '1 hour',"
    " expires_at = expires_at - interval '1 hour'"
)
LATELY = (
    "SELECT seen_at > now() - interval '1 minute', expires_at > now() + interval '119 minutes'"
    " FROM login_sessions"
)


@pytest.fixture
def uses(app: Flask) -> Iterator[LastSeen]:
    """Uses that are written when the test says so."""
    uses = LastSeen()
    uses.begin_writing = lambda: None
    with app.app_context():
        yield uses


def digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def test_a_batch_writes_each_use(
    client: Client, alice: Person, bob: Person, rows: Reader, uses: LastSeen
) -> None:
    """Otherwise people are logged out in the middle of what they do."""
    tokens = [client.bind(person)["token"] for person in (alice, bob)]
    rows(AN_HOUR_LATER)
    for token in tokens:
        uses.note(digest(token))
    assert rows(LATELY) == [(False, False)] * 2
    uses.write()
    assert rows(LATELY) == [(True, True)] * 2
    assert uses._moments == {}


def test_an_unbound_session_is_seen_and_grows_no_older(
    client: Client, alice: Person, rows: Reader, uses: LastSeen
) -> None:
    """Otherwise a bind key lives for ever."""
    token = client.log_in(alice)["token"]
    rows(AN_HOUR_LATER)
    uses.note(digest(token))
    uses.write()
    assert rows(LATELY) == [(True, False)]


def test_a_clock_that_is_behind_takes_nothing_back(
    client: Client, alice: Person, rows: Reader, uses: LastSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a worker whose clock is wrong shortens what another has granted."""
    token = client.bind(alice)["token"]
    before = rows("SELECT seen_at, expires_at FROM login_sessions")
    monkeypatch.setattr(using, "now", lambda: now() - timedelta(hours=1))
    uses.note(digest(token))
    uses.write()
    assert rows("SELECT seen_at, expires_at FROM login_sessions") == before


@pytest.mark.parametrize("end", ["logout", "refresh"])
def test_a_use_that_is_written_late_revives_nothing(
    client: Client, alice: Person, rows: Reader, uses: LastSeen, end: str
) -> None:
    """Otherwise a session that has just ended, or its old token, lives again."""
    login = client.bind(alice)
    uses.note(digest(login["token"]))
    body = {"refresh_token": login["refresh_token"]} if end == "refresh" else {}
    assert client.post(end, login["token"], **body).status_code < 300
    before = rows("SELECT * FROM login_sessions")
    uses.write()
    assert rows("SELECT * FROM login_sessions") == before


@pytest.mark.real_commits
def test_nobody_waits_for_a_session_that_somebody_has_locked(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, uses: LastSeen
) -> None:
    """Otherwise two workers with the same sessions in another order stop each other."""
    tokens = [client.bind(person)["token"] for person in (alice, bob)]
    rows(AN_HOUR_LATER)
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url) as other:
        held = digest(tokens[0])
        other.execute("SELECT FROM login_sessions WHERE token_hash = %s FOR UPDATE", [held])
        for token in tokens:
            uses.note(digest(token))
        uses.write()
    assert sorted(rows(LATELY)) == [(False, False), (True, True)]


def test_what_cannot_be_written_is_kept_for_the_next_time(
    client: Client, alice: Person, rows: Reader, uses: LastSeen
) -> None:
    """Otherwise a restart of Postgres logs people out an hour later."""
    token = client.bind(alice)["token"]
    rows(AN_HOUR_LATER)
    uses.note(digest(token))
    rows("ALTER TABLE login_sessions RENAME COLUMN seen_at TO lost")
    with capture_logs() as logs:
        uses.write()
    assert [(one["event"], one["kept"]) for one in logs] == [("last_seen_not_written", 1)]
    rows("ALTER TABLE login_sessions RENAME COLUMN lost TO seen_at")
    uses.write()
    assert rows(LATELY) == [(True, True)]


def test_a_surprise_loses_no_uses(uses: LastSeen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it ends the thread that writes, and an hour later everybody is logged out."""

    def write(_: object) -> None:
        raise RuntimeError("a surprise")

    monkeypatch.setattr(using, "_write", write)
    uses.note(bytes(32))
    with capture_logs() as logs:
        uses.write()
    assert [(one["event"], one["error"]) for one in logs] == [
        ("last_seen_not_written", "RuntimeError")
    ]
    assert set(uses._moments) == {bytes(32)}


def test_more_than_one_statement_holds_is_written_bit_by_bit(
    client: Client,
    alice: Person,
    rows: Reader,
    uses: LastSeen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise one statement of a busy moment takes so long that it is cut off."""
    monkeypatch.setattr(using, "AT_ONCE", 2)
    token = client.bind(alice)["token"]
    rows(AN_HOUR_LATER)
    for number in range(4):
        uses.note(digest(str(number)))
    uses.note(digest(token))
    uses.write()
    assert rows(LATELY) == [(True, True)]


def test_memory_is_bounded_while_nothing_can_be_written(
    uses: LastSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a worker whose database is away for long is killed."""
    monkeypatch.setattr(using, "MOST_UNWRITTEN", 3)
    numbers = iter(range(30))

    def note(_: object = None) -> None:
        for number in itertools.islice(numbers, 5):
            uses.note(bytes([number]))

    def refuse(_: object) -> None:
        note()
        raise psycopg.OperationalError

    monkeypatch.setattr(using, "_write", refuse)
    note()
    for _ in range(2):
        assert len(uses._moments) == 3
        uses.write()
    assert len(uses._moments) == 3


def test_a_forked_process_begins_anew() -> None:
    """Otherwise it believes its parent's memory, of whose changes nobody tells it."""
    began: list[str] = []
    caches = Caches()
    caches.begin_listening = lambda: began.append("listening")
    parents = caches.of_this_process().changes
    assert caches.of_this_process().changes is parents
    caches._once._process = -1  # as after a fork
    assert caches.of_this_process().changes is not parents
    assert began == ["listening"] * 2


def test_what_cannot_begin_is_tried_again() -> None:
    """Otherwise one bad moment leaves a process without it for ever."""
    tries: list[int] = []

    def begin() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError

    once = OncePerProcess(begin)
    with pytest.raises(RuntimeError):
        once()
    once()
    once()
    assert len(tries) == 2
