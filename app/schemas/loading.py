"""Request schemas that load into frozen dataclasses."""

from typing import Any, Generic, TypeVar

from marshmallow import Schema, post_load

T = TypeVar("T")


class RequestSchema(Schema, Generic[T]):
    """A schema that loads into the frozen dataclass `record`.

    The dataclass has a field for each field of the schema. A field that a client may leave out has
    a default there.
    """

    record: type[T]

    @post_load
    def make_record(self, data: dict[str, Any], **_: Any) -> T:
        """Return the record of the loaded fields."""
        return self.record(**data)
