"""The whole table of who becomes whom."""

from uuid import UUID

import pytest

from app.errors import PhoneTaken, RegistrationClosed, SocialAccountTaken, UserDisabled
from app.services.decision import Act, Decision, Person, decide_binding

U, V = UUID(int=1), UUID(int=2)
OPEN = ["on_login", "on_phone"]
EVERY = [*OPEN, "closed"]

TABLE = [
    # policies, the social account's user, the owner, what happens
    (OPEN, None, None, Decision(Act.REGISTER, None)),
    (["closed"], None, None, RegistrationClosed),
    (EVERY, None, Person(V), Decision(Act.BIND, V)),
    (EVERY, None, Person(V, bare=True), Decision(Act.BIND, V)),
    (EVERY, None, Person(V, active=False), UserDisabled),
    (EVERY, Person(U), None, Decision(Act.ADD, U)),
    (EVERY, Person(U, bare=True), None, Decision(Act.ADD, U)),
    (EVERY, Person(U, active=False), None, UserDisabled),
    (EVERY, Person(U), Person(U), Decision(Act.KEEP, U)),
    (EVERY, Person(U, active=False), Person(U, active=False), UserDisabled),
    (EVERY, Person(U, bare=True), Person(V), Decision(Act.MERGE, V)),
    (EVERY, Person(U, bare=True), Person(V, active=False), UserDisabled),
    (EVERY, Person(U, active=False, bare=True), Person(V), UserDisabled),
    (EVERY, Person(U), Person(V), PhoneTaken),
    (EVERY, Person(U), Person(V, bare=True), PhoneTaken),
    (EVERY, Person(U), Person(V, active=False), UserDisabled),
]


@pytest.mark.parametrize(
    ("policy", "its_user", "owner", "expected"),
    [(policy, *row) for policies, *row in TABLE for policy in policies],
)
def test_the_table(
    policy: str,
    its_user: Person | None,
    owner: Person | None,
    expected: Decision | type[Exception],
) -> None:
    """Otherwise somebody becomes somebody else."""
    if isinstance(expected, Decision):
        assert decide_binding(policy, its_user, owner) == expected
        return
    with pytest.raises(expected):
        decide_binding(policy, its_user, owner)


def test_what_is_taken_is_named_by_the_proof() -> None:
    """Otherwise a password's refusal speaks of a phone."""
    with pytest.raises(SocialAccountTaken):
        decide_binding("on_phone", Person(U), Person(V), SocialAccountTaken)
