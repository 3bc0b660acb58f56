"""Who becomes whom: one pure decision, before anything is written."""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from app.errors import (
    Failure,
    PhoneOwnerHasIdentity,
    PhoneTaken,
    RegistrationClosed,
    UserDisabled,
)


class Act(Enum):
    """What to do with a social account."""

    REGISTER = "register a user and bind to it"
    BIND = "bind to the owner"
    ADD = "give the phone to the user it is bound to"
    KEEP = "nothing; it is as it should be"
    MERGE = "move to the owner and close the bare user as merged into the owner"


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user as the decision sees one.

    `bare`: made by login alone, with no phone, no account, and no other person's identity.
    `has_identity`: has another WeChat identity already in an app that is being decided about, or
    one that is known to be another person's in any app.
    """

    id: UUID
    active: bool = True
    bare: bool = False
    has_identity: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """An act, and the user whom the social account belongs to afterwards (None: a new one)."""

    act: Act
    user_id: UUID | None


def decide_binding(
    policy: str,
    its_user: KnownUser | None,
    owner: KnownUser | None,
    taken: type[Failure] = PhoneTaken,
    phone_owner_policy: str = "bind",
) -> Decision:
    """Decide for a social account of `its_user` that has proven to be `owner`.

    The proof is a verified phone (then `owner` is the phone's, if it has one) or a password
    (then `owner` is the account's). `policy` is the app's registration policy, and
    `phone_owner_policy` the tenant's, "refuse" against numbers that were given out again. Raises
    UserDisabled, RegistrationClosed, PhoneOwnerHasIdentity, or `taken` when two real users stand
    against each other.
    """
    if not all(person.active for person in (its_user, owner) if person):
        raise UserDisabled
    if phone_owner_policy == "refuse" and _joins_somebody_else(its_user, owner):
        raise PhoneOwnerHasIdentity
    if its_user is None:
        return _decide_for_nobody(policy, owner)
    if owner is None:
        return Decision(Act.ADD, its_user.id)
    if owner.id == its_user.id:
        return Decision(Act.KEEP, owner.id)
    if its_user.bare:
        return Decision(Act.MERGE, owner.id)
    raise taken


def _decide_for_nobody(policy: str, owner: KnownUser | None) -> Decision:
    if owner is not None:
        return Decision(Act.BIND, owner.id)
    if policy == "closed":
        raise RegistrationClosed
    return Decision(Act.REGISTER, None)


def _joins_somebody_else(its_user: KnownUser | None, owner: KnownUser | None) -> bool:
    """Tell whether the social account would come to an owner beside another person's."""
    if owner is None or not owner.has_identity:
        return False
    return its_user is None or (its_user.bare and its_user.id != owner.id)
