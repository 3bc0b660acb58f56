"""The linking policy as a table of all cases."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from app.admin.console.labels import REGISTRATION
from app.errors import (
    PhoneOwnerHasIdentity,
    PhoneTaken,
    RegistrationClosed,
    SocialAccountTaken,
    UserDisabled,
)
from app.models.registration import REGISTRATION_POLICIES
from app.services.social_accounts.linking_policy import (
    REGISTERING_EVIDENCE,
    Action,
    Decision,
    Evidence,
    KnownUser,
    decide_linking,
)
from tests.fixtures.personas import Reader

U, V = UUID(int=1), UUID(int=2)
OPEN = ["on_login", "on_phone"]
EVERY = list(REGISTRATION_POLICIES)
BY_LOGIN, LATER = ["on_login"], ["on_phone", "closed"]
PHONE, PASSWORD, UNIONID = [Evidence.PHONE], [Evidence.PASSWORD], [Evidence.LOGIN]
SHOWN = [Evidence.PHONE, Evidence.PASSWORD]

REAL_U, BARE_U, DISABLED_U = KnownUser(U), KnownUser(U, bare=True), KnownUser(U, active=False)
REAL_V, BARE_V, DISABLED_V = KnownUser(V), KnownUser(V, bare=True), KnownUser(V, active=False)

BIND_V, KEEP_U = Decision(Action.BIND, V), Decision(Action.KEEP, U)
U_INTO_V, V_INTO_U = Decision(Action.MERGE, V, U), Decision(Action.MERGE, U, V)

TABLE = [
    # Registration policies, the user of the social account, evidence, owners, decision.
    (OPEN, None, PHONE, [], Decision(Action.REGISTER)),
    (["closed"], None, PHONE, [], RegistrationClosed),
    (EVERY, None, SHOWN, [REAL_V], BIND_V),
    (EVERY, None, SHOWN, [BARE_V], BIND_V),
    (EVERY, None, SHOWN, [DISABLED_V], UserDisabled),
    (EVERY, REAL_U, PHONE, [], Decision(Action.ADD, U)),
    (EVERY, BARE_U, PHONE, [], Decision(Action.ADD, U)),
    (EVERY, DISABLED_U, PHONE, [], UserDisabled),
    (EVERY, REAL_U, SHOWN, [REAL_U], KEEP_U),
    (EVERY, DISABLED_U, SHOWN, [DISABLED_U], UserDisabled),
    (EVERY, BARE_U, SHOWN, [REAL_V], U_INTO_V),
    (EVERY, BARE_U, SHOWN, [BARE_V], U_INTO_V),
    (EVERY, BARE_U, SHOWN, [DISABLED_V], UserDisabled),
    (EVERY, KnownUser(U, active=False, bare=True), SHOWN, [REAL_V], UserDisabled),
    (EVERY, REAL_U, PHONE, [REAL_V], PhoneTaken),
    (EVERY, REAL_U, PHONE, [BARE_V], PhoneTaken),
    (EVERY, REAL_U, PASSWORD, [REAL_V], SocialAccountTaken),
    (EVERY, REAL_U, SHOWN, [DISABLED_V], UserDisabled),
    # At a login the only evidence is the unionid.
    (BY_LOGIN, None, UNIONID, [], Decision(Action.REGISTER)),
    (LATER, None, UNIONID, [], Decision(Action.WAIT)),
    (EVERY, None, UNIONID, [REAL_V], BIND_V),
    (EVERY, None, UNIONID, [BARE_V], BIND_V),
    (EVERY, None, UNIONID, [DISABLED_V], UserDisabled),
    # Several owners are treated like none.
    (BY_LOGIN, None, UNIONID, [REAL_U, REAL_V], Decision(Action.REGISTER)),
    (LATER, None, UNIONID, [REAL_U, REAL_V], Decision(Action.WAIT)),
    # The unionid became known later: a user with phone or account stays, a bare one is merged.
    (EVERY, REAL_U, UNIONID, [], KEEP_U),
    (EVERY, DISABLED_U, UNIONID, [], UserDisabled),
    (EVERY, REAL_U, UNIONID, [REAL_U], KEEP_U),
    (EVERY, REAL_U, UNIONID, [REAL_V], KEEP_U),
    (EVERY, REAL_U, UNIONID, [DISABLED_V], KEEP_U),
    (EVERY, DISABLED_U, UNIONID, [REAL_V], UserDisabled),
    (EVERY, BARE_U, UNIONID, [REAL_V], U_INTO_V),
    (EVERY, BARE_U, UNIONID, [BARE_V], U_INTO_V),
    (EVERY, BARE_U, UNIONID, [DISABLED_V], UserDisabled),
    (EVERY, REAL_U, UNIONID, [BARE_V], V_INTO_U),
    (EVERY, BARE_U, UNIONID, [REAL_V, KnownUser(UUID(int=3))], KEEP_U),
]


def expect(decide: Callable[[], Decision], expected: Decision | type[Exception]) -> None:
    """Assert that a call returns the expected decision or raises the expected exception."""
    if isinstance(expected, Decision):
        assert decide() == expected
        return
    with pytest.raises(expected):
        decide()


@pytest.mark.parametrize(
    ("policy", "its_user", "proof", "owners", "expected"),
    [
        (policy, its_user, proof, owners, expected)
        for policies, its_user, proofs, owners, expected in TABLE
        for policy in policies
        for proof in proofs
    ],
)
def test_linking_policy_decides_each_case_of_the_table(
    policy: str,
    its_user: KnownUser | None,
    proof: Evidence,
    owners: list[KnownUser],
    expected: Decision | type[Exception],
) -> None:
    expect(partial(decide_linking, policy, its_user, proof, owners), expected)


@pytest.mark.parametrize(
    ("policy", "its_user", "expected"),
    [
        ("on_login", None, Decision(Action.REGISTER)),
        ("on_phone", None, Decision(Action.WAIT)),
        ("closed", None, Decision(Action.WAIT)),
        ("on_login", BARE_U, KEEP_U),
    ],
)
def test_identity_that_was_unbound_is_not_linked_again_by_unionid(
    policy: str, its_user: KnownUser | None, expected: Decision
) -> None:
    decided = decide_linking(policy, its_user, Evidence.LOGIN, [REAL_V], joins_by_unionid=False)
    assert decided == expected


BOUND = KnownUser(V, has_identity=True)


@pytest.mark.parametrize("policy", EVERY)
@pytest.mark.parametrize(
    ("its_user", "owner", "when_bound", "when_refused"),
    [
        (None, BOUND, BIND_V, PhoneOwnerHasIdentity),
        (BARE_U, BOUND, U_INTO_V, PhoneOwnerHasIdentity),
        (REAL_U, BOUND, PhoneTaken, PhoneTaken),
        (BOUND, BOUND, Decision(Action.KEEP, V), Decision(Action.KEEP, V)),
        (None, REAL_V, BIND_V, BIND_V),
        (BARE_U, REAL_V, U_INTO_V, U_INTO_V),
        (None, KnownUser(V, active=False, has_identity=True), UserDisabled, UserDisabled),
    ],
)
def test_phone_owner_policy_refuse_prevents_linking_a_second_identity_to_the_owner(
    policy: str,
    its_user: KnownUser | None,
    owner: KnownUser,
    when_bound: Decision | type[Exception],
    when_refused: Decision | type[Exception],
) -> None:
    """A carrier may have reassigned the phone number to another person."""
    decide = partial(decide_linking, policy, its_user, Evidence.PHONE, [owner])
    expect(partial(decide, phone_owner_policy="bind"), when_bound)
    expect(partial(decide, phone_owner_policy="refuse"), when_refused)


def test_every_registration_policy_has_registering_evidence_and_a_console_label() -> None:
    assert set(REGISTERING_EVIDENCE) == set(REGISTRATION) == set(REGISTRATION_POLICIES)


@pytest.mark.parametrize("policy", REGISTRATION_POLICIES)
def test_the_database_accepts_every_registration_policy(policy: str, rows: Reader) -> None:
    rows("UPDATE wechat_apps SET registration = :policy", policy=policy)
    rows("UPDATE app_claims SET registration = :policy", policy=policy)
    constraints = rows(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname LIKE '%registration'"
    )
    assert len(constraints) == 2
    assert all(f"'{policy}'" in definition for (definition,) in constraints)
