"""The users under load, drawn uniformly from all users of a database."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.data.people import Person, sample

WARM, COLD, COLD_RUNS = 5_000, 1_500, 3
ALL = WARM + COLD * COLD_RUNS


@dataclass(frozen=True)
class Groups:
    """Users who send repeated requests, and the users of each run with cold caches."""

    warm: Sequence[Person]
    cold: Sequence[Sequence[Person]]


def all_people(users: int) -> set[int]:
    """Return the numbers of the users who can log in."""
    return {person.number for person in _drawn(users)}


def groups_of(users: int) -> Groups:
    """Return the groups. They have no user in common."""
    people = _drawn(users)
    warm, cold = len(people) * WARM // ALL, len(people) * COLD // ALL
    return Groups(people[:warm], [people[warm + n * cold :][:cold] for n in range(COLD_RUNS)])


def _drawn(users: int) -> Sequence[Person]:
    """Return at most half of the users, so that the shares of the other rows hold."""
    return sample(users, min(ALL, users // 2))
