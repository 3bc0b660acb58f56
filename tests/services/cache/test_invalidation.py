"""What a process remembers is believed only while it would have heard of a change."""

import time
from uuid import uuid4

import pytest

from app.services.cache import invalidation as caching
from app.services.cache import session_cache
from app.services.cache.invalidation import EVERYTHING, Cache, InvalidationLog
from app.services.cache.invalidation_listener import subject_of
from app.services.cache.registry import Caches
from app.services.cache.session_cache import Life, SessionCache, app_subject
from app.services.principals import Principal


class Clock:
    """This process's own clock, set by the test."""

    def __init__(self) -> None:
        self.moment = 1000.0

    def monotonic(self) -> float:
        # No two readings are the same, as no two are between which anything happened.
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
    """Changes that are heard."""
    changes = InvalidationLog()
    changes.begin()
    changes.mark_fresh(clock.monotonic())
    return changes


@pytest.fixture
def cache(changes: InvalidationLog) -> Cache[str, int]:
    return Cache(changes, most=3)


def principal(**facts: object) -> Principal:
    """Make somebody who is bound."""
    told = {"session_id": uuid4(), "tenant_id": uuid4(), "tenant_slug": "acme", "appid": "wx1"}
    told |= {"social_account_id": uuid4(), "user_id": uuid4(), "token_hash": uuid4().bytes * 2}
    return Principal(**(told | facts))


def test_nothing_is_remembered_where_nobody_listens(clock: Clock) -> None:
    """Otherwise a command, or a worker that never heard anything, believes what is old."""
    cache: Cache[str, int] = Cache(InvalidationLog(), most=3)
    cache.keep("a", 1, clock.monotonic())
    assert cache.find("a") is None
    assert not cache._kept


def test_silence_is_believed_for_less_than_a_second(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Otherwise a connection that died without a word lets ended sessions in."""
    cache.keep("a", 1, clock.monotonic())
    assert cache.find("a") == 1
    clock.moment += caching.FRESH_SECONDS
    assert caching.FRESH_SECONDS < 1
    assert cache.find("a") is None
    changes.mark_fresh(clock.monotonic())
    assert cache.find("a") == 1


def test_it_counts_when_was_asked_and_not_when_was_answered(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Otherwise an answer that was long under way covers a time of which nothing was heard."""
    asked_at = clock.monotonic()
    clock.moment += caching.FRESH_SECONDS
    changes.mark_fresh(asked_at)
    assert not changes.is_fresh


def test_what_was_read_before_the_listening_is_forgotten(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Otherwise what changed while nobody listened is never heard of."""
    cache.keep("a", 1, clock.monotonic())
    changes.lose()
    assert cache.find("a") is None
    changes.begin()
    changes.mark_fresh(clock.monotonic())
    assert cache.find("a") is None


def test_what_changes_while_it_is_read_is_not_believed(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Otherwise an answer from before the change is kept after it."""
    asked_at = clock.monotonic()
    changes.note("subject")
    cache.keep("a", 1, asked_at, "subject")
    assert cache.find("a") is None
    cache.keep("a", 2, clock.monotonic(), "subject")
    assert cache.find("a") == 2


def test_only_what_is_about_the_change_is_forgotten(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Otherwise one logout empties the memory of everybody."""
    cache.keep("a", 1, clock.monotonic(), "alice", "acme")
    cache.keep("b", 2, clock.monotonic(), "bob", "acme")
    changes.note("alice")
    assert (cache.find("a"), cache.find("b")) == (None, 2)
    changes.note("acme")
    assert cache.find("b") is None


def test_a_change_of_everything_or_of_too_much_is_one_of_everything(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an emptied table leaves its sessions, and a flood of changes takes all memory."""
    cache.keep("a", 1, clock.monotonic(), "alice")
    changes.note(EVERYTHING)
    assert cache.find("a") is None
    cache.keep("a", 1, clock.monotonic(), "alice")
    monkeypatch.setattr(caching, "MOST_CHANGES", 10)
    for one in range(11):
        changes.note(one)
    assert cache.find("a") is None
    assert len(changes._moments) == 0


def test_nothing_outlives_the_news_of_its_change(
    clock: Clock, changes: InvalidationLog, cache: Cache[str, int]
) -> None:
    """Otherwise a value is believed again when the news of its change makes room for others."""
    cache.keep("a", 1, clock.monotonic(), "alice")
    changes.note("alice")
    clock.moment += caching.REMEMBERED_SECONDS + 1
    changes.mark_fresh(clock.monotonic())
    changes.note("bob")
    assert cache.find("a") is None


def test_what_changes_again_is_changed_all_the_while(
    clock: Clock, changes: InvalidationLog
) -> None:
    """Otherwise a thread that asks while another notes believes what had changed before."""
    read_at, answers = clock.monotonic(), []

    class Asking(str):
        """A subject about which is asked whenever it is looked up."""

        def __hash__(self) -> int:
            answers.append(changes.none_since(read_at, "alice"))
            return str.__hash__(self)

    changes.note("alice")
    changes.note(Asking("alice"))
    assert answers
    assert not any(answers)


def test_of_too_many_values_the_oldest_goes(clock: Clock, cache: Cache[str, int]) -> None:
    """Otherwise a worker grows with everybody who ever came."""
    for number, key in enumerate("abcd"):
        cache.keep(key, number, clock.monotonic())
    assert [cache.find(key) for key in "abcd"] == [None, 1, 2, 3]


def test_a_session_comes_back_as_it_was(clock: Clock, changes: InvalidationLog) -> None:
    """Otherwise a caller is somebody else."""
    sessions = SessionCache(changes)
    moment = clock.monotonic()
    life = Life(moment, moment + 7200, moment - 5)
    everybody = [
        principal(),
        principal(social_account_id=None, appid="wx2"),
        principal(tenant_slug="globex"),
    ]
    for one in everybody:
        sessions.keep(one, life)
    assert [sessions.find(one.token_hash) for one in everybody] == [
        (one, life) for one in everybody
    ]


def test_an_unbound_session_is_not_remembered(clock: Clock, changes: InvalidationLog) -> None:
    """Otherwise it is still nobody's for a moment after it was bound."""
    sessions = SessionCache(changes)
    one = principal(user_id=None)
    moment = clock.monotonic()
    sessions.keep(one, Life(moment, moment + 7200, moment))
    assert sessions.find(one.token_hash) is None


@pytest.mark.parametrize("subject", ["session_id", "user_id", "tenant_id", "appid"])
def test_a_session_goes_with_whatever_it_stands_on(
    clock: Clock, changes: InvalidationLog, subject: str
) -> None:
    """Otherwise a disabled user, app or tenant still gets in."""
    sessions = SessionCache(changes)
    one = principal()
    moment = clock.monotonic()
    sessions.keep(one, Life(moment, moment + 7200, moment))
    sessions.keep(principal(), Life(moment, moment + 7200, moment))
    changes.note(uuid4().bytes)
    assert sessions.find(one.token_hash)
    told = app_subject(one.appid) if subject == "appid" else str(getattr(one, subject))
    changes.note(subject_of(told))
    assert sessions.find(one.token_hash) is None


def test_an_expired_session_is_not_remembered(clock: Clock, changes: InvalidationLog) -> None:
    """Otherwise it lives on in memory."""
    sessions = SessionCache(changes)
    one = principal()
    moment = clock.monotonic()
    sessions.keep(one, Life(moment, moment + 0.5, moment))
    assert sessions.find(one.token_hash)
    clock.moment += 0.5
    assert sessions.find(one.token_hash) is None


def test_an_appid_is_no_id() -> None:
    """Otherwise who names an app after a session's id decides when that is forgotten."""
    odd = str(uuid4())
    assert subject_of(app_subject(odd)) == app_subject(odd) != subject_of(odd)
    assert subject_of(EVERYTHING) == EVERYTHING


def test_a_hundred_thousand_sessions_take_a_bounded_memory(
    changes: InvalidationLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a busy worker is killed."""
    monkeypatch.setattr(session_cache, "MOST_SESSIONS", 100)
    sessions = SessionCache(changes)
    moment = time.monotonic()
    for _ in range(300):
        sessions.keep(principal(appid="wx1"), Life(moment, moment + 7200, moment))
    assert len(sessions._packed) == 100
    assert len(session_cache.PACKED.pack(*[bytes(16)] * 3, 0, 0.0, 0.0, 0.0)) == 76


def test_who_was_erased_is_gone_from_memory() -> None:
    """Otherwise a name and a phone stay in every worker, though nobody is shown them."""
    caches = Caches()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    for key in (b"alice", b"bob"):
        caches.profiles.keep(key, b"their phone", time.monotonic(), key)
    caches.changes.note(b"alice")
    assert list(caches.profiles._kept) == [b"bob"]
    caches.changes.note(EVERYTHING)
    assert not caches.profiles._kept


def test_profiles_are_gone_from_memory_when_changes_are_no_longer_heard() -> None:
    """A person may be erased before the listener is connected again."""
    caches = Caches()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    caches.profiles.keep(b"alice", b"their phone", time.monotonic(), b"alice")
    assert caches.profiles._kept
    caches.changes.lose()
    assert not caches.profiles._kept


def test_an_answer_about_a_person_erased_meanwhile_is_not_kept_in_memory() -> None:
    """The news of the erasure came first: no other would remove it."""
    caches = Caches()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    asked_at = time.monotonic()
    caches.changes.note(b"alice")
    caches.profiles.keep(b"alice", b"their phone", asked_at, b"alice")
    assert not caches.profiles._kept
