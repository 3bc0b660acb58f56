"""Last use of sessions: kept in memory and written in batches."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

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

AGE_BY_AN_HOUR = (
    "UPDATE login_sessions SET seen_at = seen_at - interval '1 hour',"
    " expires_at = expires_at - interval '1 hour'"
)
RECENTLY_USED = (
    "SELECT seen_at > now() - interval '1 minute', expires_at > now() + interval '119 minutes'"
    " FROM login_sessions"
)


@pytest.fixture
def uses(app: Flask) -> Iterator[LastSeen]:
    """Return a `LastSeen` that writes only when the test calls `write`."""
    uses = LastSeen()
    uses.begin_writing = lambda: None
    with app.app_context():
        yield uses


def digest_of(token: str) -> bytes:
    return sha256(token.encode()).digest()


@pytest.fixture
def acme(rows: Reader) -> UUID:
    """The id of the tenant."""
    ((tenant_id,),) = rows("SELECT id FROM tenants WHERE slug = 'acme'")
    assert isinstance(tenant_id, UUID)
    return tenant_id


def test_batch_writes_the_last_use_of_every_session(
    client: Client,
    alice: Person,
    bob: Person,
    rows: Reader,
    uses: LastSeen,
    acme: UUID,
) -> None:
    tokens = [client.bind(person)["token"] for person in (alice, bob)]
    rows(AGE_BY_AN_HOUR)
    for token in tokens:
        uses.note(acme, digest_of(token))
    assert rows(RECENTLY_USED) == [(False, False)] * 2
    uses.write()
    assert rows(RECENTLY_USED) == [(True, True)] * 2
    assert uses._moments == {}


def test_use_of_an_unbound_session_does_not_extend_its_lifetime(
    client: Client,
    alice: Person,
    rows: Reader,
    uses: LastSeen,
    acme: UUID,
) -> None:
    token = client.log_in(alice)["token"]
    rows(AGE_BY_AN_HOUR)
    uses.note(acme, digest_of(token))
    uses.write()
    assert rows(RECENTLY_USED) == [(True, False)]


def test_use_recorded_with_a_slow_clock_does_not_shorten_a_session(
    client: Client,
    alice: Person,
    rows: Reader,
    uses: LastSeen,
    monkeypatch: pytest.MonkeyPatch,
    acme: UUID,
) -> None:
    token = client.bind(alice)["token"]
    before = rows("SELECT seen_at, expires_at FROM login_sessions")
    monkeypatch.setattr(using, "now", lambda: now() - timedelta(hours=1))
    uses.note(acme, digest_of(token))
    uses.write()
    assert rows("SELECT seen_at, expires_at FROM login_sessions") == before


@pytest.mark.parametrize("end", ["logout", "refresh"])
def test_late_write_of_a_use_does_not_change_an_ended_or_refreshed_session(
    client: Client,
    alice: Person,
    rows: Reader,
    uses: LastSeen,
    end: str,
    acme: UUID,
) -> None:
    login = client.bind(alice)
    uses.note(acme, digest_of(login["token"]))
    body = {"refresh_token": login["refresh_token"]} if end == "refresh" else {}
    assert client.post(end, login["token"], **body).status_code < 300
    before = rows("SELECT * FROM login_sessions")
    uses.write()
    assert rows("SELECT * FROM login_sessions") == before


@pytest.mark.real_commits
def test_write_of_uses_skips_locked_sessions(
    client: Client,
    alice: Person,
    bob: Person,
    rows: Reader,
    uses: LastSeen,
    acme: UUID,
) -> None:
    """Two workers that write the same sessions in a different order do not block each other."""
    tokens = [client.bind(person)["token"] for person in (alice, bob)]
    rows(AGE_BY_AN_HOUR)
    url = rows.app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url) as other:
        held = digest_of(tokens[0])
        lock = "SELECT FROM login_sessions WHERE tenant_id = %s AND token_hash = %s FOR UPDATE"
        other.execute(lock, [acme, held])
        for token in tokens:
            uses.note(acme, digest_of(token))
        uses.write()
    assert sorted(rows(RECENTLY_USED)) == [(False, False), (True, True)]


def test_recorded_uses_are_kept_until_the_database_can_be_written(
    client: Client,
    alice: Person,
    rows: Reader,
    uses: LastSeen,
    acme: UUID,
) -> None:
    token = client.bind(alice)["token"]
    rows(AGE_BY_AN_HOUR)
    uses.note(acme, digest_of(token))
    rows("ALTER TABLE login_sessions RENAME COLUMN seen_at TO lost")
    with capture_logs() as logs:
        uses.write()
    assert [(one["event"], one["kept"]) for one in logs] == [("last_seen_not_written", 1)]
    rows("ALTER TABLE login_sessions RENAME COLUMN lost TO seen_at")
    uses.write()
    assert rows(RECENTLY_USED) == [(True, True)]


def test_unexpected_error_in_a_write_loses_no_recorded_uses(
    uses: LastSeen,
    monkeypatch: pytest.MonkeyPatch,
    acme: UUID,
) -> None:
    """The writer thread continues after the error."""

    def write(_: object) -> None:
        raise RuntimeError("a surprise")

    monkeypatch.setattr(using, "_write", write)
    uses.note(acme, bytes(32))
    with capture_logs() as logs:
        uses.write()
    assert [(one["event"], one["error"]) for one in logs] == [
        ("last_seen_not_written", "RuntimeError")
    ]
    assert set(uses._moments) == {(acme, bytes(32))}


def test_large_number_of_uses_is_written_in_several_statements(
    client: Client,
    alice: Person,
    rows: Reader,
    uses: LastSeen,
    monkeypatch: pytest.MonkeyPatch,
    acme: UUID,
) -> None:
    monkeypatch.setattr(using, "AT_ONCE", 2)
    token = client.bind(alice)["token"]
    rows(AGE_BY_AN_HOUR)
    for number in range(4):
        uses.note(acme, digest_of(str(number)))
    uses.note(acme, digest_of(token))
    uses.write()
    assert rows(RECENTLY_USED) == [(True, True)]


def test_number_of_unwritten_uses_is_bounded(
    uses: LastSeen,
    monkeypatch: pytest.MonkeyPatch,
    acme: UUID,
) -> None:
    monkeypatch.setattr(using, "MOST_UNWRITTEN", 3)
    numbers = iter(range(30))

    def note(_: object = None) -> None:
        for number in itertools.islice(numbers, 5):
            uses.note(acme, bytes([number]))

    def refuse(_: object) -> None:
        note()
        raise psycopg.OperationalError

    monkeypatch.setattr(using, "_write", refuse)
    note()
    for _ in range(2):
        assert len(uses._moments) == 3
        uses.write()
    assert len(uses._moments) == 3


def test_forked_process_starts_with_empty_caches() -> None:
    """The listener of the parent process does not invalidate caches of the child process."""
    began: list[str] = []
    caches = Caches(100)
    caches.begin_listening = lambda: began.append("listening")
    parents = caches.of_this_process().changes
    assert caches.of_this_process().changes is parents
    caches._once._process = -1  # As after a fork.
    assert caches.of_this_process().changes is not parents
    assert began == ["listening"] * 2


def test_once_per_process_start_is_retried_after_a_failure() -> None:
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
