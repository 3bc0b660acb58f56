"""Caches of a process: freshness, invalidation and bounds."""

import time
from uuid import uuid4

import pytest

from app.services.cache import invalidation as caching
from app.services.cache import session_cache
from app.services.cache.invalidation import EVERYTHING, FIRST_NODE, Cache, InvalidationLog
from app.services.cache.invalidation_listener import subject_of
from app.services.cache.registry import Caches
from app.services.cache.session_cache import Life, SessionCache, app_subject
from app.services.principals import Principal


class Clock:
    """A monotonic clock that the test advances."""

    def __init__(self) -> None:
        self.moment = 1000.0

    def monotonic(self) -> float:
        # Advance on each reading, so that no two readings are equal.
        self.moment += 1e-6
        return self.moment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(caching, "time", clock)
    monkeypatch.setattr(session_cache, "time", clock)
    return clock


@pytest.fixture
def changes(clock: Clock) -> InvalidationLog:
    """Return an invalidation log that is listening and fresh."""
    changes = InvalidationLog()
    changes.begin()
    changes.mark_fresh(clock.monotonic())
    return changes


@pytest.fixture
def cache(changes: InvalidationLog) -> Cache[str, int]:
    return Cache(changes, most=3)


def principal(**facts: object) -> Principal:
    """Return the principal of a bound session."""
    defaults = {"session_id": uuid4(), "tenant_id": uuid4(), "tenant_slug": "acme", "appid": "wx1"}
    defaults |= {"social_account_id": uuid4(), "user_id": uuid4(), "token_hash": uuid4().bytes * 2}
    return Principal(**(defaults | facts))


def test_cache_is_empty_while_no_listener_runs(clock: Clock) -> None:
    """CLI commands run no listener and must not cache values."""
    cache: Cache[str, int] = Cache(InvalidationLog(), most=3)
    cache.keep("a", 1, clock.monotonic())
    assert cache.find("a") is None
    assert not cache._kept


def test_cache_is_not_used_after_a_second_without_a_freshness_check(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Without a connection to the database there are no checks, and no invalidation arrives."""
    cache.keep("a", 1, clock.monotonic())
    assert cache.find("a") == 1
    clock.moment += caching.FRESH_SECONDS
    assert caching.FRESH_SECONDS < 1
    assert cache.find("a") is None
    changes.mark_fresh(clock.monotonic())
    assert cache.find("a") == 1


def test_cache_freshness_is_measured_from_the_start_of_the_check(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """A late response does not prove that no change was made since the check began."""
    asked_at = clock.monotonic()
    clock.moment += caching.FRESH_SECONDS
    changes.mark_fresh(asked_at)
    assert not changes.is_fresh


def test_values_cached_before_the_listener_lost_its_connection_are_invalid(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """An invalidation may have been missed before the listener connected again."""
    cache.keep("a", 1, clock.monotonic())
    changes.lose()
    assert cache.find("a") is None
    changes.begin()
    changes.mark_fresh(clock.monotonic())
    assert cache.find("a") is None


NODES = frozenset({FIRST_NODE, "w1", "w2"})


def mark_all(clock: Clock, changes: InvalidationLog) -> None:
    """Mark all of NODES as fresh."""
    for node in NODES:
        changes.mark_fresh(clock.monotonic(), node)


@pytest.mark.parametrize("silent", sorted(NODES))
def test_values_are_valid_only_while_every_node_answers(
    silent: str, clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    changes.require(NODES)
    changes.lose()
    for node in NODES - {silent}:
        assert not changes.mark_fresh(clock.monotonic(), node)
    assert not changes.is_fresh
    assert changes.mark_fresh(clock.monotonic(), silent)
    cache.keep("a", 1, clock.monotonic())
    assert cache.find("a") == 1
    clock.moment += caching.FRESH_SECONDS / 2
    for node in NODES - {silent}:
        changes.mark_fresh(clock.monotonic(), node)
    assert changes.is_fresh
    clock.moment += caching.FRESH_SECONDS / 2
    assert not changes.is_fresh
    changes.mark_fresh(clock.monotonic(), silent)
    assert cache.find("a") == 1


@pytest.mark.parametrize("lost", sorted(NODES))
def test_loss_of_one_node_invalidates_all_values_until_it_is_listened_to_again(
    lost: str, clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    changes.require(NODES)
    mark_all(clock, changes)
    cache.keep("a", 1, clock.monotonic())
    forgotten: list[object] = []
    changes.forget = forgotten.append
    changes.lose(lost)
    assert forgotten == [EVERYTHING]
    for node in NODES - {lost}:
        changes.mark_fresh(clock.monotonic(), node)
    assert cache.find("a") is None
    changes.begin()
    assert changes.mark_fresh(clock.monotonic(), lost)
    assert changes.is_fresh
    assert cache.find("a") is None


def test_node_that_is_added_invalidates_all_values(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """It may have notified before this process has seen it."""
    changes.mark_fresh(clock.monotonic(), "w1")
    cache.keep("a", 1, clock.monotonic())
    changes.require(frozenset({FIRST_NODE, "w1"}))
    assert not changes.is_fresh
    changes.mark_fresh(clock.monotonic())
    assert changes.is_fresh
    assert cache.find("a") is None


def test_loss_of_a_node_that_cannot_notify_has_no_effect(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    changes.require(NODES)
    mark_all(clock, changes)
    changes.require(NODES - {"w2"})
    cache.keep("a", 1, clock.monotonic())
    changes.lose("w2")
    assert cache.find("a") == 1
    changes.require(NODES)
    for node in NODES - {"w2"}:
        changes.mark_fresh(clock.monotonic(), node)
    assert not changes.is_fresh


def test_value_read_before_the_invalidation_of_its_subject_is_not_cached(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    asked_at = clock.monotonic()
    changes.note("subject")
    cache.keep("a", 1, asked_at, "subject")
    assert cache.find("a") is None
    cache.keep("a", 2, clock.monotonic(), "subject")
    assert cache.find("a") == 2


def test_invalidation_of_a_subject_leaves_the_values_of_other_subjects_valid(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    cache.keep("a", 1, clock.monotonic(), "alice", "acme")
    cache.keep("b", 2, clock.monotonic(), "bob", "acme")
    changes.note("alice")
    assert (cache.find("a"), cache.find("b")) == (None, 2)
    changes.note("acme")
    assert cache.find("b") is None


def test_invalidation_of_everything_or_of_too_many_subjects_invalidates_all_values(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of subjects in the log is limited."""
    cache.keep("a", 1, clock.monotonic(), "alice")
    changes.note(EVERYTHING)
    assert cache.find("a") is None
    cache.keep("a", 1, clock.monotonic(), "alice")
    monkeypatch.setattr(caching, "MOST_CHANGES", 10)
    for one in range(11):
        changes.note(one)
    assert cache.find("a") is None
    assert len(changes._moments) == 0


def test_value_older_than_the_invalidation_log_is_not_used(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """The log keeps changes for a limited time, so older values cannot be checked."""
    cache.keep("a", 1, clock.monotonic(), "alice")
    changes.note("alice")
    clock.moment += caching.REMEMBERED_SECONDS + 1
    changes.mark_fresh(clock.monotonic())
    changes.note("bob")
    assert cache.find("a") is None


def test_subject_stays_invalid_while_a_repeated_invalidation_is_recorded(
    clock: Clock, changes: InvalidationLog
) -> None:
    """A concurrent reader must see the subject as changed at every moment."""
    read_at, answers = clock.monotonic(), []

    class ReadOnHash(str):
        """A subject that reads the log each time it is hashed."""

        def __hash__(self) -> int:
            answers.append(changes.none_since(read_at, "alice"))
            return str.__hash__(self)

    changes.note("alice")
    changes.note(ReadOnHash("alice"))
    assert answers
    assert not any(answers)


def test_full_cache_deletes_its_oldest_value(clock: Clock, cache: Cache[str, int]) -> None:
    for number, key in enumerate("abcd"):
        cache.keep(key, number, clock.monotonic())
    assert [cache.find(key) for key in "abcd"] == [None, 1, 2, 3]


def test_cached_session_is_returned_unchanged(clock: Clock, changes: InvalidationLog) -> None:
    sessions = SessionCache(changes, 100)
    moment = clock.monotonic()
    life = Life(moment, moment + 7200, moment - 5)
    principals = [
        principal(),
        principal(social_account_id=None, appid="wx2"),
        principal(tenant_slug="globex"),
    ]
    for one in principals:
        sessions.keep(one, life)
    assert [sessions.find(one.token_hash) for one in principals] == [
        (one, life) for one in principals
    ]


def test_unbound_session_is_not_cached(clock: Clock, changes: InvalidationLog) -> None:
    """A cached session would still be returned as unbound after it is bound to a user."""
    sessions = SessionCache(changes, 100)
    one = principal(user_id=None)
    moment = clock.monotonic()
    sessions.keep(one, Life(moment, moment + 7200, moment))
    assert sessions.find(one.token_hash) is None


@pytest.mark.parametrize("subject", ["session_id", "user_id", "tenant_id", "appid"])
def test_change_of_session_user_tenant_or_app_invalidates_the_cached_session(
    clock: Clock, changes: InvalidationLog, subject: str
) -> None:
    sessions = SessionCache(changes, 100)
    one = principal()
    moment = clock.monotonic()
    sessions.keep(one, Life(moment, moment + 7200, moment))
    sessions.keep(principal(), Life(moment, moment + 7200, moment))
    changes.note(uuid4().bytes)
    assert sessions.find(one.token_hash)
    subject_text = app_subject(one.appid) if subject == "appid" else str(getattr(one, subject))
    changes.note(subject_of(subject_text))
    assert sessions.find(one.token_hash) is None


def test_session_cache_does_not_return_an_expired_session(
    clock: Clock, changes: InvalidationLog
) -> None:
    sessions = SessionCache(changes, 100)
    one = principal()
    moment = clock.monotonic()
    sessions.keep(one, Life(moment, moment + 0.5, moment))
    assert sessions.find(one.token_hash)
    clock.moment += 0.5
    assert sessions.find(one.token_hash) is None


def test_change_of_an_app_does_not_invalidate_a_session_with_an_equal_id() -> None:
    """A tenant could otherwise choose an appid that invalidates another tenant's session."""
    odd = str(uuid4())
    assert subject_of(app_subject(odd)) == app_subject(odd) != subject_of(odd)
    assert subject_of(EVERYTHING) == EVERYTHING


def test_session_cache_bounds_the_number_of_sessions_and_their_size(
    changes: InvalidationLog,
) -> None:
    sessions = SessionCache(changes, 100)
    moment = time.monotonic()
    for _ in range(300):
        sessions.keep(principal(appid="wx1"), Life(moment, moment + 7200, moment))
    assert len(sessions._packed) == 100
    assert len(session_cache.PACKED.pack(*[bytes(16)] * 3, 0, 0.0, 0.0, 0.0)) == 76


def test_profile_of_an_erased_user_is_deleted_from_memory() -> None:
    """An invalid value must be deleted from memory, although the cache would not return it."""
    caches = Caches(100)
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    for key in (b"alice", b"bob"):
        caches.profiles.keep(key, b"their phone", time.monotonic(), key)
    caches.changes.note(b"alice")
    assert list(caches.profiles._kept) == [b"bob"]
    caches.changes.note(EVERYTHING)
    assert not caches.profiles._kept


def test_profiles_are_deleted_from_memory_when_the_listener_loses_its_connection() -> None:
    """A user may be erased before the listener has connected again."""
    caches = Caches(100)
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    caches.profiles.keep(b"alice", b"their phone", time.monotonic(), b"alice")
    assert caches.profiles._kept
    caches.changes.lose()
    assert not caches.profiles._kept


def test_profile_read_before_its_user_was_erased_is_not_cached() -> None:
    """The invalidation arrived before the profile, so no later invalidation would delete it."""
    caches = Caches(100)
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    asked_at = time.monotonic()
    caches.changes.note(b"alice")
    caches.profiles.keep(b"alice", b"their phone", asked_at, b"alice")
    assert not caches.profiles._kept
