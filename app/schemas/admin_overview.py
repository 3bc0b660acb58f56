"""Response schemas of a tenant's statistics."""

from marshmallow import fields

from app.schemas.responses import Response


class NumbersResponse(Response):
    """Event counts, and the login funnel: `became_users` of `newcomers` became users."""

    opened = fields.Integer()
    logged_in = fields.Integer()
    known = fields.Integer(
        metadata={"description": "Logins with a code by WeChat identities that already had a user"}
    )
    logged_in_by_password = fields.Integer()
    registered = fields.Integer()
    phone_verified = fields.Integer()
    bound_by_phone = fields.Integer()
    bound_by_password = fields.Integer()
    failed = fields.Integer()
    newcomers = fields.Integer(
        metadata={"description": "WeChat identities that opened a mini-program for the first time"}
    )
    became_users = fields.Integer(
        attribute="funnel.became_users",
        metadata={
            "description": "Newcomers of the same day that were linked to a user, on any day."
            " The count of a past day can still grow"
        },
    )
    logins = fields.Integer()
    known_logins = fields.Integer(
        metadata={"description": "Logins of existing users, with a code or a password"}
    )


class AnswerTimesResponse(Response):
    """Response times of one kind of WeChat call, in milliseconds."""

    call = fields.String(metadata={"description": "`login`, `phone` or `token`"})
    answers = fields.Integer()
    unanswered = fields.Integer()
    p50_ms = fields.Integer(allow_none=True)
    p95_ms = fields.Integer(allow_none=True)


class SpanResponse(Response):
    """Statistics of one day, or the sum over several days."""

    numbers = fields.Nested(NumbersResponse)
    failures = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Number of failures by error code"},
    )
    answer_times = fields.List(fields.Nested(AnswerTimesResponse))


class WeChatCallsResponse(Response):
    """Calls to WeChat in the process that responds. Each process counts its own calls."""

    in_flight = fields.Integer()
    limit = fields.Integer()
    is_circuit_open = fields.Boolean(
        metadata={
            "description": "Whether most calls are refused locally because WeChat does not respond"
        }
    )


class AppNumbersResponse(Response):
    """Statistics of one mini-program."""

    appid = fields.String()
    name = fields.String()
    today = fields.Nested(NumbersResponse)
    whole = fields.Nested(NumbersResponse)
    wechat_calls = fields.Nested(WeChatCallsResponse)


class OverviewResponse(Response):
    """Statistics of today, the whole period, each day and each app. Days are in Asia/Shanghai."""

    today = fields.Nested(SpanResponse)
    whole = fields.Nested(SpanResponse)
    days = fields.Dict(keys=fields.Date(), values=fields.Nested(NumbersResponse))
    apps = fields.List(fields.Nested(AppNumbersResponse))
