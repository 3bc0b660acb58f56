"""Response schemas of a tenant's mini-programs."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import CallLimit, SessionLimit
from app.schemas.responses import Response


class SecretMarkResponse(Response):
    """Fingerprint of a stored secret. The fingerprint changes with the secret."""

    fingerprint = fields.String(
        metadata=about(
            "Fingerprint of the secret. It changes with the secret.", examples.FINGERPRINT
        )
    )
    set_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about("Time at which the secret was set. Null if unknown.", examples.EARLIER),
    )


class VerdictResponse(Response):
    """Result of verifying one AppSecret with WeChat."""

    which = fields.String(
        metadata=about("The AppSecret that was verified: `current` or `next`.", "current")
    )
    outcome = fields.String(
        metadata=about(
            "`right`, `wrong` or `unknown`; `held_elsewhere` if the AppSecret is right and"
            " another tenant of this service uses the mini-program.",
            "wrong",
        )
    )
    errcode = fields.Integer(
        allow_none=True, metadata=about("`errcode` of WeChat. Null if WeChat sent none.", 40125)
    )
    advice = fields.String(metadata=shown.ADVICE)


class TenantAppResponse(Response):
    """A mini-program with its settings. A secret that is not set is null."""

    appid = fields.String(metadata=shown.APPID)
    state = fields.String(
        metadata=about(
            "`active`; `pending` or `closed` until WeChat has accepted the AppSecret;"
            " `released` after the appid was released. Only an active mini-program serves"
            " requests.",
            "active",
        )
    )
    name = fields.String(metadata=shown.APP_NAME)
    registration = fields.String(metadata=shown.REGISTRATION)
    data_format = fields.String(metadata=shown.DATA_FORMAT)
    session_limit = SessionLimit()
    wechat_call_limit = CallLimit()
    enabled = fields.Boolean(metadata=shown.APP_ENABLED)
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)
    secret = fields.Nested(
        SecretMarkResponse,
        allow_none=True,
        metadata=about("The AppSecret in use. No response contains the secret itself."),
    )
    next_secret = fields.Nested(
        SecretMarkResponse,
        allow_none=True,
        metadata=about("The AppSecret that will replace the one in use. Null if it is not set."),
    )
    push_token = fields.Nested(
        SecretMarkResponse,
        allow_none=True,
        metadata=about("The Token of the message push. Null if it is not set."),
    )
    encoding_aes_key = fields.Nested(
        SecretMarkResponse,
        allow_none=True,
        metadata=about("The EncodingAESKey of the message push. Null if it is not set."),
    )
    verdict = fields.Nested(
        VerdictResponse,
        allow_none=True,
        metadata=about(
            "Last result of verifying an AppSecret that WeChat has not accepted. Null once"
            " it is accepted, except in the response that adds the mini-program.",
            None,
        ),
    )
    checked_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about("Time of the last verification. Null if there was none.", examples.EARLIER),
    )


class AppUsageResponse(Response):
    """Numbers of records of a mini-program. They keep it from being removed. After a release or a
    move, they stay with the tenant.
    """

    identities = fields.Integer(metadata=about("Number of WeChat identities.", 120))
    sessions = fields.Integer(metadata=about("Number of login sessions.", 340))
    pushes = fields.Integer(metadata=about("Number of pushed messages.", 2))


class AppListResponse(PageResponse):
    """A page of mini-programs, sorted by appid."""

    items = fields.List(
        fields.Nested(TenantAppResponse), metadata=about("The mini-programs of this page.")
    )


class VerificationResponse(Response):
    """Verification result of each AppSecret, and the resulting state of the mini-program."""

    state = fields.String(
        metadata=about(
            "State of the mini-program after the verification: `active` or `pending`.", "pending"
        )
    )
    verdicts = fields.List(
        fields.Nested(VerdictResponse), metadata=about("The result for each AppSecret.")
    )
