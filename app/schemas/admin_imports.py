"""Response schemas of the user import."""

from marshmallow import fields

from app.schemas.responses import Response


class BadCellResponse(Response):
    """A validation error in one row of an import file."""

    row = fields.Integer()
    column = fields.String(metadata={"description": "Empty if the error concerns the whole row"})
    code = fields.String()
    advice = fields.String(metadata={"description": "Chinese or English, by Accept-Language"})


class PreviewRowResponse(Response):
    """A row of an import file with the values that would be stored."""

    row = fields.Integer()
    account = fields.String(allow_none=True)
    phone = fields.String(allow_none=True, metadata={"description": "E.164"})
    nickname = fields.String(allow_none=True)
    password = fields.Function(
        lambda row: "set" if row.has_password else None,
        metadata={"type": "string", "nullable": True, "description": "`set`, or null without one"},
    )


class PreviewResponse(Response):
    """The preview of an import. `import_id` is null if the file cannot be imported."""

    rows = fields.Integer()
    good = fields.Integer()
    bad = fields.List(fields.Nested(BadCellResponse))
    sample = fields.List(
        fields.Nested(PreviewRowResponse),
        metadata={"description": "The first ten valid rows and the last one"},
    )
    ignored_columns = fields.List(
        fields.String(),
        attribute="ignored",
        metadata={"description": "Headers of columns that are not imported"},
    )
    skipped = fields.Integer(
        metadata={"description": "Users of an exported file without account and phone"}
    )
    imported_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "Time of an earlier import of the same file, if its users are gone. "
            "While one exists, the preview fails with 409 `people_file_imported`"
        },
    )
    imported_by = fields.String(
        allow_none=True,
        metadata={"description": "E-mail address of the operator; null if a command imported it"},
    )
    import_id = fields.UUID(allow_none=True)


class ProgressResponse(Response):
    """State and progress of an import, in rows."""

    state = fields.String(metadata={"description": "`previewed`, `running`, `done` or `failed`"})
    rows_done = fields.Integer()
    rows = fields.Integer()
    failure = fields.String(
        allow_none=True, metadata={"description": "Error code if the state is `failed`"}
    )
