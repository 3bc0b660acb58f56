"""The whole table of who becomes whom."""

from uuid import UUID

import pytest

from app.errors import PhoneTaken, RegistrationClosed, SocialAccountTaken, UserDisabled
from app.services.decision import Act, Decision, KnownUser, decide_binding

U, V = UUID(int=1), UUID(int=2)
OPEN = ["on_login", "on_phone"]
EVERY = [*OPEN, "closed"]

TABLE = [
    # policies, the social account's user, the owner, what happens
    (OPEN, None, None, Decision(Act.REGISTER, None)),
    (["closed"], None, None, RegistrationClosed),
    (EVERY, None, KnownUser(V), Decision(Act.BIND, V)),
    (EVERY, None, KnownUser(V, bare=True), Decision(Act.BIND, V)),
    (EVERY, None, KnownUser(V, active=False), UserDisabled),
    (EVERY, KnownUser(U), None, Decision(Act.ADD, U)),
    (EVERY, KnownUser(U, bare=True), None, Decision(Act.ADD, U)),
    (EVERY, KnownUser(U, active=False), None, UserDisabled),
    (EVERY, KnownUser(U), KnownUser(U), Decision(Act.KEEP, U)),
    (EVERY, KnownUser(U, active=False), KnownUser(U, active=False), UserDisabled),
    (EVERY, KnownUser(U, bare=True), KnownUser(V), Decision(Act.MERGE, V)),
    (EVERY, KnownUser(U, bare=True), KnownUser(V, active=False), UserDisabled),
    (EVERY, KnownUser(U, active=False, bare=True), KnownUser(V), UserDisabled),
    (EVERY, KnownUser(U), KnownUser(V), PhoneTaken),
    (EVERY, KnownUser(U), KnownUser(V, bare=True), PhoneTaken),
    (EVERY, KnownUser(U), KnownUser(V, active=False), UserDisabled),
]


@pytest.mark.parametrize(
    ("policy", "its_user", "owner", "expected"),
    [(policy, *row) for policies, *row in TABLE for policy in policies],
)
def test_the_table(
    policy: str,
    its_user: KnownUser | None,
    owner: KnownUser | None,
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
        decide_binding("on_phone", KnownUser(U), KnownUser(V), SocialAccountTaken)
