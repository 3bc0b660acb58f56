"""Responses with a tenant's figures."""

from marshmallow import fields

from app.schemas.responses import Response


class NumbersResponse(Response):
    """Counts of events, and the login funnel: of `newcomers`, `became_users` became users."""

    opened = fields.Integer()
    logged_in = fields.Integer()
    known = fields.Integer(
        metadata={"description": "Logins by code of WeChat identities that were a user's already"}
    )
    logged_in_by_password = fields.Integer()
    registered = fields.Integer()
    phone_verified = fields.Integer()
    bound_by_phone = fields.Integer()
    bound_by_password = fields.Integer()
    failed = fields.Integer()
    newcomers = fields.Integer(
        metadata={
            "description": "WeChat identities that opened a mini-program for the first time,"
            " and so were unknown"
        }
    )
    became_users = fields.Integer(
        attribute="funnel.became_users",
        metadata={
            "description": "How many of these newcomers belong to a user now or did once,"
            " whichever day that was; it grows for days that have passed"
        },
    )
    logins = fields.Integer()
    known_logins = fields.Integer(
        metadata={"description": "Logins of people who were users already, by code or by password"}
    )


class AnswerTimesResponse(Response):
    """Response times of one kind of WeChat call, in milliseconds."""

    call = fields.String(metadata={"description": "`login`, `phone` or `token`"})
    answers = fields.Integer()
    unanswered = fields.Integer()
    p50_ms = fields.Integer(allow_none=True)
    p95_ms = fields.Integer(allow_none=True)


class SpanResponse(Response):
    """Figures of one day, or of several together."""

    numbers = fields.Nested(NumbersResponse)
    failures = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "By code"}
    )
    answer_times = fields.List(fields.Nested(AnswerTimesResponse))


class WeChatCallsResponse(Response):
    """Calls to WeChat in the process that responds. Other processes have their own."""

    in_flight = fields.Integer()
    limit = fields.Integer()
    is_circuit_open = fields.Boolean(
        metadata={"description": "Whether WeChat leaves calls unanswered, so that most are refused"}
    )


class AppNumbersResponse(Response):
    """Figures of one mini-program."""

    appid = fields.String()
    name = fields.String()
    today = fields.Nested(NumbersResponse)
    whole = fields.Nested(NumbersResponse)
    wechat_calls = fields.Nested(WeChatCallsResponse)


class OverviewResponse(Response):
    """Figures of today, all days, each day and each mini-program. Days are in Asia/Shanghai."""

    today = fields.Nested(SpanResponse)
    whole = fields.Nested(SpanResponse)
    days = fields.Dict(keys=fields.Date(), values=fields.Nested(NumbersResponse))
    apps = fields.List(fields.Nested(AppNumbersResponse))
