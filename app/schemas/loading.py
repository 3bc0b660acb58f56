"""Base class of request schemas, which load into frozen dataclasses."""

from typing import Any, Generic, TypeVar

from marshmallow import Schema, post_load

T = TypeVar("T")


class RequestSchema(Schema, Generic[T]):
    """A schema that loads into the frozen dataclass `record`.

    The dataclass has one field per schema field. Optional schema fields have a default in the
    dataclass.
    """

    record: type[T]

    @post_load
    def make_record(self, data: dict[str, Any], **_: Any) -> T:
        """Return the dataclass instance with the loaded fields."""
        return self.record(**data)
