"""Response schemas of a tenant's statistics."""

from marshmallow import fields

from app.schemas.descriptions import shown
from app.schemas.descriptions.about import about, example_of
from app.schemas.responses import Response


class NumbersResponse(Response):
    """Event counts, and the login funnel: `became_users` of `newcomers` became users."""

    opened = fields.Integer(
        metadata=about("Codes of `wx.login` that were received, valid or not.", 120)
    )
    logged_in = fields.Integer(metadata=about("Logins with a code.", 118))
    known = fields.Integer(
        metadata=about("Logins with a code by WeChat identities that already had a user.", 90)
    )
    logged_in_by_password = fields.Integer(
        metadata=about("Logins with account and password, without a code.", 4)
    )
    registered = fields.Integer(metadata=about("Users that were registered.", 20))
    phone_verified = fields.Integer(metadata=about("Phone numbers that were verified.", 22))
    bound_by_phone = fields.Integer(
        metadata=about("WeChat identities that a phone number bound to a user.", 21)
    )
    bound_by_password = fields.Integer(
        metadata=about("WeChat identities that account and password bound to a user.", 2)
    )
    failed = fields.Integer(metadata=about("Requests that failed.", 3))
    newcomers = fields.Integer(
        metadata=about("WeChat identities that opened a mini-program for the first time.", 28)
    )
    became_users = fields.Integer(
        attribute="funnel.became_users",
        metadata=about(
            "Newcomers of the same day that were linked to a user, on any day. The count of"
            " a past day can still grow.",
            23,
        ),
    )
    logins = fields.Integer(metadata=about("All logins, with a code or a password.", 122))
    known_logins = fields.Integer(
        metadata=about("Logins of existing users, with a code or a password.", 94)
    )


class AnswerTimesResponse(Response):
    """Response times of one kind of WeChat call, in milliseconds."""

    call = fields.String(metadata=about("Kind of the call: `login`, `phone` or `token`.", "login"))
    answers = fields.Integer(metadata=about("Calls that WeChat answered.", 118))
    unanswered = fields.Integer(metadata=about("Calls that WeChat did not answer in time.", 0))
    p50_ms = fields.Integer(
        allow_none=True,
        metadata=about("Median response time in milliseconds. Null without answers.", 150),
    )
    p95_ms = fields.Integer(
        allow_none=True,
        metadata=about(
            "95 of 100 answers took at most this many milliseconds. Null without answers.", 300
        ),
    )


class SpanResponse(Response):
    """Statistics of one day, or the sum over several days."""

    numbers = fields.Nested(NumbersResponse, metadata=about("Event counts of the period."))
    failures = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata=about("Number of failures by error code.", {"code_invalid": 3}),
    )
    answer_times = fields.List(
        fields.Nested(AnswerTimesResponse),
        metadata=about("Response times of WeChat, by kind of call."),
    )


class WeChatCallsResponse(Response):
    """Calls to WeChat in the process that responds. Each process counts its own calls."""

    in_flight = fields.Integer(metadata=about("Calls that wait for WeChat now.", 0))
    limit = fields.Integer(metadata=about("Maximum number of concurrent calls.", 100))
    is_circuit_open = fields.Boolean(
        metadata=about(
            "True while most calls are refused locally because WeChat does not answer.", False
        )
    )


class AppNumbersResponse(Response):
    """Statistics of one mini-program."""

    appid = fields.String(metadata=shown.APPID)
    name = fields.String(metadata=shown.APP_NAME)
    today = fields.Nested(NumbersResponse, metadata=about("Event counts of today."))
    whole = fields.Nested(NumbersResponse, metadata=about("Event counts of the whole period."))
    wechat_calls = fields.Nested(
        WeChatCallsResponse,
        metadata=about("Calls to WeChat in the process that answered this request."),
    )


class OverviewResponse(Response):
    """Statistics of today, the whole period, each day and each app. Days are in Asia/Shanghai."""

    today = fields.Nested(SpanResponse, metadata=about("Statistics of today."))
    whole = fields.Nested(SpanResponse, metadata=about("Statistics of the whole period."))
    days = fields.Dict(
        keys=fields.Date(),
        values=fields.Nested(NumbersResponse),
        metadata=about(
            "Event counts by day, `YYYY-MM-DD` in Asia/Shanghai.",
            {"2026-11-29": example_of(NumbersResponse)},
        ),
    )
    apps = fields.List(
        fields.Nested(AppNumbersResponse), metadata=about("Event counts by mini-program.")
    )
