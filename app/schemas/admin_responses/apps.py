"""Response schemas of a tenant's mini-programs."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.fields import CallLimit, SessionLimit
from app.schemas.responses import Response


class SecretMarkResponse(Response):
    """Fingerprint of a stored secret. The fingerprint changes with the secret."""

    fingerprint = fields.String()
    set_at = fields.AwareDateTime(allow_none=True)


class VerdictResponse(Response):
    """Result of verifying one AppSecret with WeChat."""

    which = fields.String(metadata={"description": "`current` or `next`"})
    outcome = fields.String(
        metadata={
            "description": "`right`, `wrong` or `unknown`; `held_elsewhere` if the AppSecret is "
            "right and another tenant of this service uses the mini-program"
        }
    )
    errcode = fields.Integer(allow_none=True)
    advice = fields.String(metadata={"description": "Chinese or English, by Accept-Language"})


class TenantAppResponse(Response):
    """A mini-program with its settings. A secret that is not set is null."""

    appid = fields.String()
    state = fields.String(
        metadata={
            "description": "`active`; `pending` or `closed` until WeChat has accepted the "
            "AppSecret; `released` after the appid was released. Only an active mini-program "
            "serves requests"
        }
    )
    name = fields.String()
    registration = fields.String()
    data_format = fields.String()
    session_limit = SessionLimit()
    wechat_call_limit = CallLimit()
    enabled = fields.Boolean()
    created_at = fields.AwareDateTime()
    secret = fields.Nested(SecretMarkResponse, allow_none=True)
    next_secret = fields.Nested(SecretMarkResponse, allow_none=True)
    push_token = fields.Nested(SecretMarkResponse, allow_none=True)
    encoding_aes_key = fields.Nested(SecretMarkResponse, allow_none=True)
    verdict = fields.Nested(
        VerdictResponse,
        allow_none=True,
        metadata={
            "description": "Last result of verifying an AppSecret that WeChat has not accepted"
        },
    )
    checked_at = fields.AwareDateTime(allow_none=True)


class AppUsageResponse(Response):
    """Numbers of records, each up to 100,000. An app without records can be deleted."""

    identities = fields.Integer()
    sessions = fields.Integer()
    pushes = fields.Integer()


class AppListResponse(PageResponse):
    """A page of mini-programs, sorted by appid."""

    items = fields.List(fields.Nested(TenantAppResponse))


class VerificationResponse(Response):
    """Verification result of each AppSecret, and the resulting state of the mini-program."""

    state = fields.String(metadata={"description": "`active` or `pending`"})
    verdicts = fields.List(fields.Nested(VerdictResponse))
