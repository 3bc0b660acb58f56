"""The rule that decides which causes fail, and since when."""

from datetime import UTC, datetime, timedelta

import pytest

from app.services.failures.causes import Kind
from app.services.failures.rule import THRESHOLDS, Minute, find_run

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Minutes before noon, failures, logins.
Told = tuple[int, int, int]


def minutes(*told: Told) -> list[Minute]:
    """Return minutes in their order."""
    return [
        Minute(NOON - timedelta(minutes=ago), failures, logins)
        for ago, failures, logins in sorted(told, reverse=True)
    ]


@pytest.mark.parametrize(
    ("kind", "told", "fails"),
    [
        (Kind.APP, [(1, 1, 99)], True),
        (Kind.WECHAT, [(1, 2, 0)], False),
        (Kind.WECHAT, [(1, 3, 0)], True),
        (Kind.WECHAT, [(1, 3, 57)], True),
        (Kind.WECHAT, [(1, 3, 58)], False),
        (Kind.SERVICE, [(2, 1, 0), (1, 2, 0)], True),
        (Kind.SERVICE, [(1, 10, 1000)], False),
        (Kind.SETTINGS, [(1, 3, 3)], True),
        (Kind.SETTINGS, [(1, 3, 4)], False),
        (Kind.CLIENT, [(1, 9, 0)], False),
        (Kind.CLIENT, [(1, 10, 10)], True),
        (Kind.CLIENT, [(1, 10, 11)], False),
        # Bad minutes with few logins do not outweigh the logins between them.
        (Kind.CLIENT, [(4, 5, 0), (3, 0, 20), (2, 5, 0)], False),
        (Kind.CLIENT, [(4, 5, 0), (3, 0, 5), (2, 5, 0)], True),
    ],
)
def test_cause_fails_if_it_reaches_the_threshold_of_its_kind(
    kind: Kind, told: list[Told], fails: bool
) -> None:
    run = find_run(minutes(*told), kind, NOON - timedelta(minutes=10), NOON)
    assert (run is not None) is fails


@pytest.mark.parametrize(
    ("told", "first_ago", "is_over"),
    [
        # The first failure of the run, also before the period of ten minutes.
        ([(60, 1, 0), (30, 1, 0), (1, 1, 0)], 60, False),
        # Five minutes with logins and without failures end a run, four do not.
        ([(20, 1, 0), (18, 0, 5), (15, 1, 0), (1, 1, 0)], 15, False),
        ([(19, 1, 0), (18, 0, 5), (15, 1, 0), (12, 1, 0), (8, 1, 0)], 19, False),
        # Without logins, nothing shows that the app works again.
        ([(20, 1, 0), (9, 1, 0)], 20, False),
        ([(9, 1, 3)], 9, False),
        # A login after the last failure.
        ([(9, 1, 0), (4, 0, 1)], 9, True),
        ([(5, 1, 0), (4, 0, 1)], 5, True),
        ([(4, 1, 0), (3, 0, 1)], 4, False),
    ],
)
def test_run_begins_after_five_minutes_with_logins_and_without_failures(
    told: list[Told], first_ago: int, is_over: bool
) -> None:
    run = find_run(minutes(*told), Kind.APP, NOON - timedelta(minutes=10), NOON)
    assert run is not None
    assert run.first_at == NOON - timedelta(minutes=first_ago)
    assert run.is_over is is_over


def test_numbers_are_those_of_the_run_in_the_period() -> None:
    told = minutes((12, 7, 7), (9, 2, 1), (3, 4, 5), (1, 0, 6))
    run = find_run(told, Kind.APP, NOON - timedelta(minutes=10), NOON)
    assert run is not None
    assert (run.failures, run.logins, run.share) == (6, 12, 6 / 18)


def test_logins_after_the_end_of_a_run_are_not_counted() -> None:
    told = minutes((9, 4, 1), (8, 0, 100))
    run = find_run(told, Kind.APP, NOON - timedelta(minutes=10), NOON)
    assert run is not None
    assert (run.failures, run.logins, run.is_over) == (4, 1, True)


def test_failures_before_the_period_only_are_not_reported() -> None:
    assert find_run(minutes((11, 5, 0)), Kind.APP, NOON - timedelta(minutes=10), NOON) is None
    assert find_run([], Kind.APP, NOON - timedelta(minutes=10), NOON) is None


def test_usual_mistakes_of_users_do_not_make_a_run_begin_earlier() -> None:
    """A few wrong codes per minute are normal. The run begins when they become the majority."""
    usual = [(ago, 2, 40) for ago in range(6, 60)]
    run = find_run(
        minutes(*usual, *[(ago, 30, 2) for ago in range(1, 6)]),
        Kind.CLIENT,
        NOON - timedelta(minutes=30),
        NOON,
    )
    assert run is not None
    assert run.first_at == NOON - timedelta(minutes=5)
    assert (run.failures, run.logins) == (150, 10)


def test_every_kind_has_a_threshold() -> None:
    assert set(THRESHOLDS) == set(Kind)
