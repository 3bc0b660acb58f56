"""Request schemas of a tenant's mini-programs."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from marshmallow import fields, validate

from app.models.registration import DEFAULT_REGISTRATION, REGISTRATION_POLICIES
from app.not_given import NOT_GIVEN, NotGiven
from app.schemas.admin_requests.fields import ChangeRequest, Shaped, Slug
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import CallLimit, Label, SessionLimit, Text
from app.schemas.loading import RequestSchema
from app.schemas.shapes import APP_SECRET, ENCODING_AES_KEY, NEW_APPID, PUSH_TOKEN

REGISTRATION = validate.OneOf(REGISTRATION_POLICIES)
DATA_FORMAT = validate.OneOf(["json", "xml"])


@dataclass(frozen=True, slots=True)
class NewAppBody:
    """A mini-program to add. `push_token` and `encoding_aes_key` are None if not sent."""

    appid: str
    name: str
    registration: str
    data_format: str
    secret: str = field(repr=False)
    push_token: str | None = field(default=None, repr=False)
    encoding_aes_key: str | None = field(default=None, repr=False)


class NewAppRequest(RequestSchema[NewAppBody]):
    """A mini-program to add, with its AppSecret and optional message push secrets."""

    record = NewAppBody

    # The service rejects a malformed appid with the error code `appid_invalid`.
    appid = Text(64, required=True, metadata=shown.APPID | {"pattern": rf"^{NEW_APPID.pattern}$"})
    name = Label(required=True, metadata=shown.DISPLAY_NAME)
    registration = fields.String(
        validate=REGISTRATION,
        load_default=DEFAULT_REGISTRATION,
        metadata=shown.REGISTRATION,
    )
    data_format = fields.String(
        validate=DATA_FORMAT,
        load_default="json",
        metadata=shown.DATA_FORMAT,
    )
    secret = Shaped(
        APP_SECRET,
        required=True,
        load_only=True,
        metadata=about(
            "AppSecret of the mini-program. wxpass verifies it with WeChat.", examples.APP_SECRET
        ),
    )
    push_token = Shaped(
        PUSH_TOKEN,
        load_only=True,
        metadata=about(
            "Token of the message push, 3 to 32 letters or digits.", examples.PUSH_TOKEN
        ),
    )
    encoding_aes_key = Shaped(
        ENCODING_AES_KEY,
        load_only=True,
        metadata=about(
            "EncodingAESKey of the message push, 43 letters or digits.", examples.ENCODING_AES_KEY
        ),
    )


@dataclass(frozen=True, slots=True)
class AppChangeBody:
    """New settings of a mini-program. None leaves a setting unchanged.

    For the two limits, None restores the default and NOT_GIVEN leaves the limit unchanged.
    """

    name: str | None = None
    registration: str | None = None
    data_format: str | None = None
    session_limit: int | Literal["off"] | NotGiven | None = NOT_GIVEN
    wechat_call_limit: int | NotGiven | None = NOT_GIVEN
    enabled: bool | None = None


class AppChangeRequest(ChangeRequest[AppChangeBody]):
    """New settings of a mini-program. Fields that are not sent stay unchanged."""

    record = AppChangeBody
    example_fields: ClassVar = ("name",)

    name = Label(metadata=shown.DISPLAY_NAME)
    registration = fields.String(
        validate=REGISTRATION,
        metadata=shown.REGISTRATION,
    )
    data_format = fields.String(
        validate=DATA_FORMAT,
        metadata=shown.DATA_FORMAT,
    )
    session_limit = SessionLimit()
    wechat_call_limit = CallLimit()
    enabled = fields.Boolean(
        truthy={True},
        falsy={False},
        metadata=shown.APP_ENABLED,
    )


@dataclass(frozen=True, slots=True)
class AppMoveBody:
    """The slug of the tenant that receives a mini-program."""

    to_slug: str


class AppMoveRequest(RequestSchema[AppMoveBody]):
    """The tenant that receives a mini-program."""

    record = AppMoveBody

    to_slug = Slug(
        data_key="tenant",
        required=True,
        metadata=about("Slug of the tenant that receives the appid.", examples.OTHER_SLUG),
    )


@dataclass(frozen=True, slots=True)
class SecretsBody:
    """New secrets of a mini-program. None removes a secret, NOT_GIVEN leaves it unchanged."""

    secret: str | NotGiven = field(default=NOT_GIVEN, repr=False)
    next_secret: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)
    push_token: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)
    encoding_aes_key: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)


class SecretsRequest(ChangeRequest[SecretsBody]):
    """New secrets of a mini-program. null removes a secret. Omitted secrets stay unchanged."""

    record = SecretsBody
    example_fields: ClassVar = ("next_secret",)

    secret = Shaped(
        APP_SECRET,
        load_only=True,
        metadata=about(
            "New AppSecret. It replaces the current one immediately.", examples.APP_SECRET
        ),
    )
    next_secret = Shaped(
        APP_SECRET,
        load_only=True,
        allow_none=True,
        metadata=about(
            "AppSecret that will replace the current one. It is used as soon as WeChat"
            " rejects the current one. Null removes it.",
            "fedcba9876543210fedcba9876543210",
        ),
    )
    push_token = Shaped(
        PUSH_TOKEN,
        load_only=True,
        allow_none=True,
        metadata=about("Token of the message push. Null removes it.", examples.PUSH_TOKEN),
    )
    encoding_aes_key = Shaped(
        ENCODING_AES_KEY,
        load_only=True,
        allow_none=True,
        metadata=about(
            "EncodingAESKey of the message push. Null removes it.", examples.ENCODING_AES_KEY
        ),
    )
