"""What operators' scripts get of people together: imports and numbers."""

from marshmallow import fields

from app.schemas.responses import Response


class BadCellResponse(Response):
    """Why a row cannot be imported; `column` is empty where it is about the whole row."""

    row = fields.Integer()
    column = fields.String()
    code = fields.String(metadata={"description": "Stable"})
    detail = fields.String()


class ImportPreviewResponse(Response):
    """What confirming would do; without an `import_id` there is nothing to confirm."""

    import_id = fields.UUID(allow_none=True)
    rows = fields.Integer()
    good = fields.Integer()
    bad = fields.List(fields.Nested(BadCellResponse))
    imported_at = fields.AwareDateTime(allow_none=True)


class ImportResponse(Response):
    """How far an import is; nobody is a user before its state is `done`."""

    state = fields.String(metadata={"description": "previewed, running, done or failed"})
    rows_done = fields.Integer()
    rows = fields.Integer()
    failure = fields.String(allow_none=True, metadata={"description": "The code of a failure"})


class NumbersResponse(Response):
    """How often what happened."""

    opened = fields.Integer()
    logged_in = fields.Integer()
    known = fields.Integer()
    logged_in_by_password = fields.Integer()
    registered = fields.Integer()
    phone_verified = fields.Integer()
    bound_by_phone = fields.Integer()
    bound_by_password = fields.Integer()
    failed = fields.Integer()


class AnswerTimesResponse(Response):
    """How fast WeChat answered one kind of call, in ms."""

    call = fields.String()
    answers = fields.Integer()
    unanswered = fields.Integer()
    p50_ms = fields.Integer(allow_none=True)
    p95_ms = fields.Integer(allow_none=True)


class SpanResponse(Response):
    """Some days together, or one; failures by their stable code."""

    numbers = fields.Nested(NumbersResponse)
    failures = fields.Dict(fields.String(), fields.Integer())
    answer_times = fields.List(fields.Nested(AnswerTimesResponse))


class AppNumbersResponse(Response):
    """One app's share."""

    appid = fields.String()
    name = fields.String()
    today = fields.Nested(NumbersResponse)
    whole = fields.Nested(NumbersResponse)


class OverviewResponse(Response):
    """Today, all the days up to today together, each of them, and each app."""

    today = fields.Nested(SpanResponse)
    whole = fields.Nested(SpanResponse)
    days = fields.Dict(fields.Date(), fields.Nested(NumbersResponse))
    apps = fields.List(fields.Nested(AppNumbersResponse))
