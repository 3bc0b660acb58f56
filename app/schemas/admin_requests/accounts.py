"""Request schemas of an operator's own account: sign-in, step-up, password, one-time codes."""

from dataclasses import dataclass, field

from app.schemas.admin_requests.fields import Code
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import EmailAddress, Text
from app.schemas.loading import RequestSchema
from app.schemas.shapes import SHORTEST_OPERATOR_PASSWORD


@dataclass(frozen=True, slots=True)
class SignInBody:
    """An operator's sign-in credentials. `code` is None if no one-time code was sent."""

    email: str
    password: str = field(repr=False)
    code: str | None = field(repr=False)


class SignInRequest(RequestSchema[SignInBody]):
    """An operator's sign-in credentials. `code` is required if one-time codes are enabled."""

    record = SignInBody

    email = EmailAddress(required=True, metadata=shown.EMAIL)
    password = Text(
        128,
        required=True,
        load_only=True,
        metadata=shown.OPERATOR_PASSWORD,
    )
    code = Code(
        load_default=None,
        metadata=shown.OPERATOR_CODE,
    )


@dataclass(frozen=True, slots=True)
class StepUpBody:
    """The operator's credentials for step-up. `code` is None if no one-time code was sent."""

    password: str = field(repr=False)
    code: str | None = field(repr=False)


class StepUpRequest(RequestSchema[StepUpBody]):
    """The operator's credentials for step-up. `code` is required if one-time codes are enabled."""

    record = StepUpBody

    password = Text(
        128,
        required=True,
        load_only=True,
        metadata=shown.OPERATOR_PASSWORD,
    )
    code = Code(
        load_default=None,
        metadata=shown.OPERATOR_CODE,
    )


@dataclass(frozen=True, slots=True)
class OwnPasswordBody:
    """The operator's new password."""

    new_password: str = field(repr=False)


class OwnPasswordRequest(RequestSchema[OwnPasswordBody]):
    """A change of the operator's own password."""

    record = OwnPasswordBody

    new_password = Text(
        128,
        shortest=SHORTEST_OPERATOR_PASSWORD,
        required=True,
        load_only=True,
        metadata=shown.NEW_OPERATOR_PASSWORD,
    )


@dataclass(frozen=True, slots=True)
class CodeBody:
    """A one-time code of the operator's authenticator app."""

    code: str = field(repr=False)


class CodeRequest(RequestSchema[CodeBody]):
    """The one-time code that confirms the enrolment of an authenticator app."""

    record = CodeBody

    code = Code(
        required=True,
        metadata=about(
            "Code that the authenticator app shows after you added the secret.",
            examples.ONE_TIME_CODE,
        ),
    )


@dataclass(frozen=True, slots=True)
class CodeRemovalBody:
    """A one-time code or recovery code, or None if no code was sent."""

    code: str | None = field(repr=False)


class CodeRemovalRequest(RequestSchema[CodeRemovalBody]):
    """Removal of one-time codes. `code` is required if one-time codes are enabled."""

    record = CodeRemovalBody

    code = Code(
        load_default=None,
        metadata=shown.OPERATOR_CODE,
    )


@dataclass(frozen=True, slots=True)
class InvitationBody:
    """The invitation secret and the password chosen by the invited operator."""

    invitation: str = field(repr=False)
    password: str = field(repr=False)


class InvitationRequest(RequestSchema[InvitationBody]):
    """The secret from an invitation link and the new operator password."""

    record = InvitationBody

    invitation = Text(
        128, required=True, metadata=about("Secret of the invitation link.", examples.INVITATION)
    )
    password = Text(
        128,
        shortest=SHORTEST_OPERATOR_PASSWORD,
        required=True,
        load_only=True,
        metadata=shown.NEW_OPERATOR_PASSWORD,
    )
