"""Requests about a tenant's users."""

from dataclasses import dataclass, field
from uuid import UUID

from marshmallow import fields

from app.schemas.admin_requests.fields import STATUS, USER_STATUS
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
    """A user to add, by account, by phone, or both."""

    record = NewUserBody

    account = NewAccount()
    password = Text(128, shortest=SHORTEST_PASSWORD, load_only=True)
    phone = Text(32, metadata={"description": "A mobile number; outside China with + and its code"})
    nickname = Name()


@dataclass(frozen=True, slots=True)
class UserChangeBody:
    """The new status of a user."""

    status: str


class UserChangeRequest(RequestSchema[UserChangeBody]):
    """The new status of a user."""

    record = UserChangeBody

    status = fields.String(required=True, validate=STATUS)


@dataclass(frozen=True, slots=True)
class UserPasswordBody:
    """The new password of a user."""

    password: str = field(repr=False)


class UserPasswordRequest(RequestSchema[UserPasswordBody]):
    """The new password of a user."""

    record = UserPasswordBody

    password = Text(128, shortest=SHORTEST_PASSWORD, required=True, load_only=True)


@dataclass(frozen=True, slots=True)
class MergeBody:
    """The id of the user that another is merged into."""

    into_id: UUID


class MergeRequest(RequestSchema[MergeBody]):
    """The user to merge into."""

    record = MergeBody

    into_id = fields.UUID(required=True)


@dataclass(frozen=True, slots=True)
class ExportBody:
    """The users to export. An empty query and a status of None match all."""

    query: str = ""
    status: str | None = None
    full_phones: bool = False


class ExportRequest(RequestSchema[ExportBody]):
    """The users to export: all, or by prefix of account or nickname, or by status."""

    record = ExportBody

    query = Name()
    status = fields.String(validate=USER_STATUS)
    full_phones = fields.Boolean(truthy={True}, falsy={False})
