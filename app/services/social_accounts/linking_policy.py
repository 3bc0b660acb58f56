"""Linking policy: which user a social account belongs to. Pure functions, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from app.errors import (
    PhoneOwnerHasIdentity,
    PhoneTaken,
    RegistrationClosed,
    SocialAccountTaken,
    UserDisabled,
)


class Evidence(Enum):
    """The evidence that a social account belongs to a user.

    LOGIN: WeChat's response to a login, with the unionid if there is one. PHONE: a verified phone
    number. PASSWORD: a checked password. It belongs to an existing user, so PASSWORD never
    registers one.
    """

    LOGIN = "login"
    PHONE = "phone"
    PASSWORD = "password"  # noqa: S105 - the kind of evidence


class Action(Enum):
    """What to do with a social account."""

    WAIT = "stay unlinked until a phone number or a password identifies the user"
    REGISTER = "register a user and bind to it"
    BIND = "bind to the owner"
    ADD = "add the phone number to the linked user"
    KEEP = "keep the linked user"
    MERGE = "close a bare user and move its identities to the other user"


# For each registration policy of an app: the evidence that registers a user for a new person.
REGISTERING_EVIDENCE = {
    "on_login": {Evidence.LOGIN, Evidence.PHONE},
    "on_phone": {Evidence.PHONE},
    "closed": set[Evidence](),
}


@dataclass(frozen=True, slots=True)
class KnownUser:
    """The facts about a user that a linking decision depends on.

    `bare`: created at a login, with no phone, no account, and identities of one person only.
    `has_identity`: already has a WeChat identity in conflict with the account to be linked.
    """

    id: UUID
    active: bool = True
    bare: bool = False
    has_identity: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, the user that the social account then belongs to, and the user that is merged.

    `user_id` is None if a user is registered or the account stays unlinked.
    """

    action: Action
    user_id: UUID | None = None
    merged_id: UUID | None = None


def depends_on_unionid_users(its_user_id: UUID | None, *, unionid_is_new: bool) -> bool:
    """Return whether a login depends on other users with the identity's unionid.

    A linked account keeps its user unless its unionid is new.
    """
    return its_user_id is None or unionid_is_new


def decide_linking(
    policy: str,
    its_user: KnownUser | None,
    evidence: Evidence,
    owners: Sequence[KnownUser] = (),
    *,
    phone_owner_policy: str = "bind",
    joins_by_unionid: bool = True,
) -> Decision:
    """Decide which user a social account belongs to.

    Args:
        policy: The app's registration policy, a key of `REGISTERING_EVIDENCE`.
        its_user: The user that the account is linked to, if any.
        evidence: The evidence that the account belongs to one of `owners`.
        owners: The user with the phone or the checked password, if any; or all users with
            identities of the same unionid. If there are several such users, none is chosen.
        phone_owner_policy: The tenant's policy. "refuse" protects against reassigned numbers.
        joins_by_unionid: False after the person has unbound the account.

    Raises:
        UserDisabled: One of the users is not active.
        RegistrationClosed: The person has no user and the policy registers none.
        PhoneOwnerHasIdentity: `phone_owner_policy` refuses the owner.
        PhoneTaken, SocialAccountTaken: The account belongs to a user who is not bare, and the
            owner is another user.
    """
    if evidence is Evidence.LOGIN:
        others = [one for one in owners if its_user is None or one.id != its_user.id]
        owner = others[0] if len(others) == 1 and joins_by_unionid else None
        return _decide_at_login(policy, its_user, owner)
    owner = owners[0] if owners else None
    _refuse_inactive(its_user, owner)
    if phone_owner_policy == "refuse" and _joins_another_person(its_user, owner):
        raise PhoneOwnerHasIdentity
    if its_user is None:
        return _decide_for_unlinked(policy, owner, evidence)
    return _decide_for_linked(its_user, owner, evidence)


def _decide_at_login(policy: str, its_user: KnownUser | None, owner: KnownUser | None) -> Decision:
    """Decide by unionid. Merge the account's user and the owner if either of them is bare.

    They are different users if the unionid became known after the first login.
    """
    if its_user and (owner is None or not (its_user.bare or owner.bare)):
        _refuse_inactive(its_user)
        return Decision(Action.KEEP, its_user.id)
    _refuse_inactive(its_user, owner)
    if its_user and owner:
        stays, goes = (owner, its_user) if its_user.bare else (its_user, owner)
        return Decision(Action.MERGE, stays.id, goes.id)
    if owner:
        return Decision(Action.BIND, owner.id)
    return Decision(Action.REGISTER if _registers(policy, Evidence.LOGIN) else Action.WAIT)


def _registers(policy: str, evidence: Evidence) -> bool:
    return evidence in REGISTERING_EVIDENCE[policy]


def _decide_for_unlinked(policy: str, owner: KnownUser | None, evidence: Evidence) -> Decision:
    if owner is not None:
        return Decision(Action.BIND, owner.id)
    if not _registers(policy, evidence):
        raise RegistrationClosed
    return Decision(Action.REGISTER)


def _decide_for_linked(
    its_user: KnownUser, owner: KnownUser | None, evidence: Evidence
) -> Decision:
    if owner is None:
        return Decision(Action.ADD, its_user.id)
    if owner.id == its_user.id:
        return Decision(Action.KEEP, owner.id)
    if its_user.bare:
        return Decision(Action.MERGE, owner.id, its_user.id)
    raise PhoneTaken if evidence is Evidence.PHONE else SocialAccountTaken


def _refuse_inactive(*people: KnownUser | None) -> None:
    if not all(person.active for person in people if person):
        raise UserDisabled


def _joins_another_person(its_user: KnownUser | None, owner: KnownUser | None) -> bool:
    """Return whether the account would be linked to an owner with a conflicting WeChat identity."""
    if owner is None or not owner.has_identity:
        return False
    return its_user is None or (its_user.bare and its_user.id != owner.id)
