"""Response schemas of failing apps."""

from marshmallow import fields

from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class FailingAppResponse(Response):
    """A mini-program that fails for one cause."""

    tenant = fields.String(
        attribute="tenant_slug", metadata=about("Slug of the tenant.", examples.SLUG)
    )
    appid = fields.String(metadata=shown.APPID)
    app_name = fields.String(metadata=shown.APP_NAME)
    code = fields.String(
        metadata=about("Error code of the failed requests.", "wechat_app_misconfigured")
    )
    errcode = fields.Integer(
        allow_none=True,
        metadata=about("WeChat's errcode. Null if WeChat did not report the failure.", 40164),
    )
    kind = fields.String(
        metadata=about(
            "What fails: `app` (WeChat rejects the mini-program), `service`, `wechat` (WeChat does"
            " not answer or limits calls), `settings` (a setting here refuses the logins) or"
            " `client` (mistakes of users or of the mini-program).",
            "app",
        )
    )
    failures = fields.Integer(
        metadata=about("Failed requests of the present run of failures, in the period.", 12)
    )
    logins = fields.Integer(metadata=about("Successful logins since the run began.", 4))
    share = fields.Float(metadata=about("`failures` as a share of both, from 0 to 1.", 0.75))
    first_at = fields.AwareDateTime(
        metadata=about(
            "Minute in which the run of failures began, up to a day ago.", examples.EARLIER
        )
    )
    last_at = fields.AwareDateTime(
        metadata=about("Minute of the last failure.", examples.NOW),
    )
    why = fields.String(
        metadata=about(
            "The cause, in the language of `Accept-Language`.",
            "This server's IP address is not whitelisted.",
        )
    )
    remedy = fields.String(
        attribute="remedy.text",
        metadata=about(
            "What to do, in the language of `Accept-Language`.",
            "Add 203.0.113.7 to the IP whitelist in WeChat's console, under Development settings."
            " Logins and phone numbers work again within minutes.",
        ),
    )


class FailuresResponse(Response):
    """The failing mini-programs of a period, the most serious causes first."""

    since = fields.AwareDateTime(
        metadata=about("Beginning of the period, a full minute.", examples.EARLIER)
    )
    until = fields.AwareDateTime(metadata=about("End of the period.", examples.NOW))
    logins = fields.Integer(metadata=about("All successful logins of the period.", 118))
    failures = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata=about(
            "All failed logins of the period by error code, including the usual mistakes of users.",
            {"wechat_app_misconfigured": 12, "credentials_wrong": 2},
        ),
    )
    failing = fields.List(
        fields.Nested(FailingAppResponse),
        metadata=about("Mini-programs that fail now, one entry per cause."),
    )
    recovered = fields.List(
        fields.Nested(FailingAppResponse),
        metadata=about(
            "Mini-programs that failed in the period and work again: for five minutes, users log in"
            " and the cause did not occur."
        ),
    )
    left_out = fields.Integer(
        metadata=about("Causes that were not examined, because more than 200 occurred.", 0)
    )
