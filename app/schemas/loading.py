"""Base class of request schemas, which load into frozen dataclasses."""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from marshmallow import Schema, post_load

T = TypeVar("T")


class Variant(NamedTuple):
    """One way to fill in a request: a summary for OpenAPI, and the names of the fields sent."""

    summary: str
    fields: tuple[str, ...]


class RequestSchema(Schema, Generic[T]):
    """A schema that loads into the frozen dataclass `record`.

    The dataclass has one field per schema field. Optional schema fields have a default in the
    dataclass. `variants` are the examples of a schema whose fields exclude each other.
    `example_fields` are the only fields of the example. A schema of a change names one, because the
    API explorer sends the example of a body and would overwrite every setting.
    """

    variants: ClassVar[Mapping[str, Variant]] = {}
    example_fields: ClassVar[tuple[str, ...] | None] = None
    record: type[T]

    @post_load
    def make_record(self, data: dict[str, Any], **_: Any) -> T:
        """Return the dataclass instance with the loaded fields."""
        return self.record(**data)
