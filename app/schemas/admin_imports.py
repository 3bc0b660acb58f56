"""Responses about imports of users."""

from marshmallow import fields

from app.schemas.responses import Response


class BadCellResponse(Response):
    """Why a row of a file cannot be imported."""

    row = fields.Integer()
    column = fields.String(metadata={"description": "Empty: it is about the whole row"})
    code = fields.String()
    advice = fields.String(metadata={"description": "Chinese or English, by Accept-Language"})


class PreviewRowResponse(Response):
    """A row as it would be stored."""

    row = fields.Integer()
    account = fields.String(allow_none=True)
    phone = fields.String(allow_none=True, metadata={"description": "E.164"})
    nickname = fields.String(allow_none=True)
    password = fields.Function(
        lambda row: "set" if row.has_password else None,
        metadata={"type": "string", "nullable": True, "description": "`set`, or null without one"},
    )


class PreviewResponse(Response):
    """The result of a preview. Without an `import_id` there is nothing to confirm."""

    rows = fields.Integer()
    good = fields.Integer()
    bad = fields.List(fields.Nested(BadCellResponse))
    sample = fields.List(
        fields.Nested(PreviewRowResponse),
        metadata={"description": "The first ten and the last of the good rows"},
    )
    ignored_columns = fields.List(
        fields.String(),
        attribute="ignored",
        metadata={"description": "Headers of columns that an import does not read"},
    )
    skipped = fields.Integer(
        metadata={"description": "Users of an export who have neither account nor phone"}
    )
    imported_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When this very file was imported before. Its users are gone; while "
            "there are any, the answer is 409 `people_file_imported`"
        },
    )
    imported_by = fields.String(
        allow_none=True,
        metadata={"description": "The operator's e-mail address; null for a command"},
    )
    import_id = fields.UUID(allow_none=True)


class ProgressResponse(Response):
    """The progress of an import."""

    state = fields.String(metadata={"description": "`previewed`, `running`, `done` or `failed`"})
    rows_done = fields.Integer()
    rows = fields.Integer()
    failure = fields.String(allow_none=True, metadata={"description": "The code of why"})
