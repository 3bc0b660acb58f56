"""What scripts are told of how a tenant's mini-programs are doing."""

from marshmallow import fields

from app.schemas.responses import Response


class NumbersResponse(Response):
    """How often what happened. The funnel is opened, logged_in, phone_verified, bound_by_phone."""

    opened = fields.Integer()
    logged_in = fields.Integer()
    known = fields.Integer()
    logged_in_by_password = fields.Integer()
    registered = fields.Integer()
    phone_verified = fields.Integer()
    bound_by_phone = fields.Integer()
    bound_by_password = fields.Integer()
    failed = fields.Integer()
    logins = fields.Integer()


class AnswerTimesResponse(Response):
    """How fast WeChat answered one kind of call, in milliseconds."""

    call = fields.String(metadata={"description": "`login`, `phone` or `token`"})
    answers = fields.Integer()
    unanswered = fields.Integer()
    p50_ms = fields.Integer(allow_none=True)
    p95_ms = fields.Integer(allow_none=True)


class SpanResponse(Response):
    """Some days together, or one."""

    numbers = fields.Nested(NumbersResponse)
    failures = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "By code"}
    )
    answer_times = fields.List(fields.Nested(AnswerTimesResponse))


class AppNumbersResponse(Response):
    """One mini-program's share."""

    appid = fields.String()
    name = fields.String()
    today = fields.Nested(NumbersResponse)
    whole = fields.Nested(NumbersResponse)


class OverviewResponse(Response):
    """Today, all the days together, each of them, and each mini-program; days are Shanghai's."""

    today = fields.Nested(SpanResponse)
    whole = fields.Nested(SpanResponse)
    days = fields.Dict(keys=fields.Date(), values=fields.Nested(NumbersResponse))
    apps = fields.List(fields.Nested(AppNumbersResponse))
