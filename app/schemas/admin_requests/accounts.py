"""Requests about an operator's own account: sign-in, proofs, passwords and one-time codes."""

from dataclasses import dataclass, field

from app.schemas.admin_requests.fields import Code
from app.schemas.fields import EmailAddress, Text
from app.schemas.loading import RequestSchema
from app.schemas.shapes import SHORTEST_OPERATOR_PASSWORD


@dataclass(frozen=True, slots=True)
class SignInBody:
    """E-mail address and password. `code` is None if none was sent."""

    email: str
    password: str = field(repr=False)
    code: str | None = field(repr=False)


class SignInRequest(RequestSchema[SignInBody]):
    """An operator's e-mail address and password; a code, where one-time codes are enabled."""

    record = SignInBody

    email = EmailAddress(required=True)
    password = Text(128, required=True, load_only=True)
    code = Code(load_default=None)


@dataclass(frozen=True, slots=True)
class StepUpBody:
    """The operator's password. `code` is None if none was sent."""

    password: str = field(repr=False)
    code: str | None = field(repr=False)


class StepUpRequest(RequestSchema[StepUpBody]):
    """The operator's password; a code, where one-time codes are enabled."""

    record = StepUpBody

    password = Text(128, required=True, load_only=True)
    code = Code(load_default=None)


@dataclass(frozen=True, slots=True)
class OwnPasswordBody:
    """The new password."""

    new_password: str = field(repr=False)


class OwnPasswordRequest(RequestSchema[OwnPasswordBody]):
    """The new password of the operator."""

    record = OwnPasswordBody

    new_password = Text(128, shortest=SHORTEST_OPERATOR_PASSWORD, required=True, load_only=True)


@dataclass(frozen=True, slots=True)
class CodeBody:
    """A one-time code."""

    code: str = field(repr=False)


class CodeRequest(RequestSchema[CodeBody]):
    """The code that the authenticator app shows."""

    record = CodeBody

    code = Code(required=True)


@dataclass(frozen=True, slots=True)
class CodeRemovalBody:
    """A one-time code or a recovery code, or None."""

    code: str | None = field(repr=False)


class CodeRemovalRequest(RequestSchema[CodeRemovalBody]):
    """A one-time code or a recovery code, where one-time codes are enabled."""

    record = CodeRemovalBody

    code = Code(load_default=None)


@dataclass(frozen=True, slots=True)
class InvitationBody:
    """The secret of an invitation, and the password that the operator chooses."""

    invitation: str = field(repr=False)
    password: str = field(repr=False)


class InvitationRequest(RequestSchema[InvitationBody]):
    """The secret in the link of an invitation, and the new password."""

    record = InvitationBody

    invitation = Text(128, required=True)
    password = Text(128, shortest=SHORTEST_OPERATOR_PASSWORD, required=True, load_only=True)
