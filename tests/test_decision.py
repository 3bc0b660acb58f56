"""The whole table of who becomes whom."""

from functools import partial
from uuid import UUID

import pytest

from app.errors import (
    PhoneOwnerHasIdentity,
    PhoneTaken,
    RegistrationClosed,
    SocialAccountTaken,
    UserDisabled,
)
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


BARE, REAL, BOUND = KnownUser(U, bare=True), KnownUser(U), KnownUser(V, has_identity=True)


@pytest.mark.parametrize("policy", EVERY)
@pytest.mark.parametrize(
    ("its_user", "owner", "when_bound", "when_refused"),
    [
        (None, BOUND, Decision(Act.BIND, V), PhoneOwnerHasIdentity),
        (BARE, BOUND, Decision(Act.MERGE, V), PhoneOwnerHasIdentity),
        (REAL, BOUND, PhoneTaken, PhoneTaken),
        (BOUND, BOUND, Decision(Act.KEEP, V), Decision(Act.KEEP, V)),
        (None, KnownUser(V), Decision(Act.BIND, V), Decision(Act.BIND, V)),
        (BARE, KnownUser(V), Decision(Act.MERGE, V), Decision(Act.MERGE, V)),
        (None, KnownUser(V, active=False, has_identity=True), UserDisabled, UserDisabled),
    ],
)
def test_a_number_given_out_again_is_refused_where_the_tenant_says_so(
    policy: str,
    its_user: KnownUser | None,
    owner: KnownUser,
    when_bound: Decision | type[Exception],
    when_refused: Decision | type[Exception],
) -> None:
    """Otherwise the next owner of a number becomes the last one; or nobody gets a new WeChat."""
    for phone_owner_policy, expected in (("bind", when_bound), ("refuse", when_refused)):
        decide = partial(
            decide_binding, policy, its_user, owner, phone_owner_policy=phone_owner_policy
        )
        if isinstance(expected, Decision):
            assert decide() == expected
            continue
        with pytest.raises(expected):
            decide()
