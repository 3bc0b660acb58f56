"""Response schemas of the user import."""

from marshmallow import fields

from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class BadCellResponse(Response):
    """A validation error in one row of an import file."""

    row = fields.Integer(
        metadata=about("Number of the row in the file. The row of headers is 1.", 3)
    )
    column = fields.String(
        metadata=about("Header of the column. Empty if the error concerns the whole row.", "phone")
    )
    code = fields.String(metadata=about("Error code.", "phone_invalid"))
    advice = fields.String(
        metadata=about(
            "What to correct, in Chinese or English, by `Accept-Language`.",
            "This is not a valid phone number. Check the digits.",
        )
    )


class PreviewRowResponse(Response):
    """A row of an import file with the values that would be stored."""

    row = fields.Integer(metadata=about("Number of the row in the file.", 2))
    account = fields.String(allow_none=True, metadata=shown.ACCOUNT)
    phone = fields.String(
        allow_none=True,
        metadata=about("Phone number in E.164 format. Null if the row has none.", examples.PHONE),
    )
    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    password = fields.Function(
        lambda row: "set" if row.has_password else None,
        metadata=about("`set`, or null if the row has no password.", "set")
        | {"type": "string", "nullable": True},
    )


class PreviewResponse(Response):
    """What an import of the file would do. Nothing has been imported yet."""

    rows = fields.Integer(metadata=about("Number of rows below the headers.", 2))
    good = fields.Integer(metadata=about("Number of valid rows.", 2))
    bad = fields.List(
        fields.Nested(BadCellResponse),
        metadata=about("The invalid rows. If there are any, the file cannot be imported."),
    )
    sample = fields.List(
        fields.Nested(PreviewRowResponse),
        metadata=about("The first ten valid rows and the last one."),
    )
    ignored_columns = fields.List(
        fields.String(),
        attribute="ignored",
        metadata=about("Headers of columns that are not imported.", ["department"]),
    )
    skipped = fields.Integer(
        metadata=about("Number of users of an exported file without account and phone.", 0)
    )
    imported_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about(
            "Time of an earlier import of the same file, if its users are gone. While one"
            " exists, the preview fails with 409 `people_file_imported`.",
            None,
        ),
    )
    imported_by = fields.String(
        allow_none=True,
        metadata=about(
            "E-mail address of the operator of the earlier import. Null if a command ran it.", None
        ),
    )
    import_id = fields.UUID(
        allow_none=True,
        metadata=about(
            "Send it to the confirmation within an hour. Null if the file cannot be imported.",
            examples.IMPORT_ID,
        ),
    )


class ProgressResponse(Response):
    """State and progress of an import, in rows."""

    state = fields.String(metadata=about("`previewed`, `running`, `done` or `failed`.", "running"))
    rows_done = fields.Integer(metadata=about("Number of rows that are imported.", 1))
    rows = fields.Integer(metadata=about("Number of rows to import.", 2))
    failure = fields.String(
        allow_none=True,
        metadata=about("Error code if the state is `failed`, otherwise null.", None),
    )
