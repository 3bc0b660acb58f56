"""Request schemas of a tenant's users."""

from dataclasses import dataclass, field
from uuid import UUID

from marshmallow import fields

from app.schemas.admin_requests.fields import STATUS, USER_STATUS
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import Name, NewAccount, Text
from app.schemas.loading import RequestSchema
from app.schemas.requests import SHORTEST_PASSWORD


@dataclass(frozen=True, slots=True)
class NewUserBody:
    """A user to add. A field that was not sent is None."""

    account: str | None = None
    password: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    nickname: str | None = None


class NewUserRequest(RequestSchema[NewUserBody]):
    """A user to add, with an account, a phone number, or both."""

    record = NewUserBody

    account = NewAccount(metadata=about("Login name, unique in the tenant.", examples.ACCOUNT))
    password = Text(
        128,
        shortest=SHORTEST_PASSWORD,
        load_only=True,
        metadata=about(
            "Password of the user, at least 8 characters. Needs an account.", examples.PASSWORD
        ),
    )
    phone = Text(
        32,
        metadata=about(
            "Phone number. Outside mainland China, it starts with + and the country code.",
            examples.PHONE,
        ),
    )
    nickname = Name(metadata=about("Nickname, up to 64 characters.", examples.NICKNAME))


@dataclass(frozen=True, slots=True)
class UserChangeBody:
    """The new status of a user."""

    status: str


class UserChangeRequest(RequestSchema[UserChangeBody]):
    """The new status of a user, active or disabled."""

    record = UserChangeBody

    status = fields.String(
        required=True,
        validate=STATUS,
        metadata=about("`disabled` ends all sessions of the user and rejects logins.", "disabled"),
    )


@dataclass(frozen=True, slots=True)
class UserPasswordBody:
    """The new password of a user."""

    password: str = field(repr=False)


class UserPasswordRequest(RequestSchema[UserPasswordBody]):
    """The new password of a user, set by an admin."""

    record = UserPasswordBody

    password = Text(
        128,
        shortest=SHORTEST_PASSWORD,
        required=True,
        load_only=True,
        metadata=shown.NEW_PASSWORD,
    )


@dataclass(frozen=True, slots=True)
class MergeBody:
    """The id of the user who remains after a merge."""

    into_id: UUID


class MergeRequest(RequestSchema[MergeBody]):
    """The user who remains after a merge and receives the other user's identities."""

    record = MergeBody

    into_id = fields.UUID(
        required=True, metadata=about("Id of the user that remains.", examples.OTHER_USER_ID)
    )


@dataclass(frozen=True, slots=True)
class ExportBody:
    """Filters of a user export. An empty `query` or a `status` of None matches every user."""

    query: str = ""
    status: str | None = None
    full_phones: bool = False


class ExportRequest(RequestSchema[ExportBody]):
    """Filters of a user export: prefix of account or nickname, and status."""

    record = ExportBody

    query = Name(
        metadata=about(
            "Beginning of the account or nickname. Without it, every user is exported.", "wang"
        )
    )
    status = fields.String(validate=USER_STATUS, metadata=shown.USER_STATUS)
    full_phones = fields.Boolean(
        truthy={True},
        falsy={False},
        metadata=about("True exports complete phone numbers instead of masked ones.", False),
    )
