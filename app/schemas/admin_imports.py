"""What scripts are told of files of people."""

from marshmallow import fields

from app.schemas.responses import Response


class BadCellResponse(Response):
    """Why a row of a file cannot be imported."""

    row = fields.Integer()
    column = fields.String(metadata={"description": "Empty: it is about the whole row"})
    code = fields.String()
    advice = fields.String(metadata={"description": "Chinese or English, by Accept-Language"})


class PreviewResponse(Response):
    """What confirming would do; without an import_id there is nothing to confirm."""

    rows = fields.Integer()
    good = fields.Integer()
    bad = fields.List(fields.Nested(BadCellResponse))
    imported_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When this very file was imported before"}
    )
    import_id = fields.UUID(allow_none=True)


class ProgressResponse(Response):
    """How far an import is."""

    state = fields.String(metadata={"description": "`previewed`, `running`, `done` or `failed`"})
    rows_done = fields.Integer()
    rows = fields.Integer()
    failure = fields.String(allow_none=True, metadata={"description": "The code of why"})
