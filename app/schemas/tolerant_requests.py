"""Request schemas shared by several dialects. Unknown fields are ignored."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, missing, pre_load

from app.schemas.fields import Name, Text
from app.schemas.loading import RequestSchema, T
from app.schemas.requests import PhoneBody, PhoneRequest
from app.text_cleaning import clean_name


class TolerantRequest(RequestSchema[T]):
    """A request schema that ignores unknown fields and treats empty fields as not sent."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def drop_empty(self, data: Any, **_: Any) -> Any:
        """Remove fields with null or an empty string, which dialect clients send for no value."""
        if not isinstance(data, dict):
            return data  # The schema rejects a body that is no object.
        return {name: value for name, value in data.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class CodeBody:
    """A `wx.login` code."""

    code: str = field(repr=False)


class CodeRequest(TolerantRequest[CodeBody]):
    """A required `wx.login` code."""

    record = CodeBody

    code = Text(128, required=True)


@dataclass(frozen=True, slots=True)
class EncryptedBody:
    """Encrypted open data and its initialisation vector."""

    encrypted_data: str = field(repr=False)
    iv: str = field(repr=False)


class EncryptedFields(TolerantRequest[T]):
    """Fields shared by all requests with encrypted open data."""

    encrypted_data = Text(8192, required=True, data_key="encryptedData")
    iv = Text(64, required=True)


class OpenDataRequest(EncryptedFields[EncryptedBody]):
    """Encrypted data of the getPhoneNumber button."""

    record = EncryptedBody


class EitherPhoneRequest(TolerantRequest[PhoneBody], PhoneRequest):
    """Data of the getPhoneNumber button: a code, or encrypted data from old clients."""

    record = PhoneBody


class VisibleName(Name):
    """A nickname. A nickname without a visible character counts as not sent."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the cleaned nickname, or `missing` if it has no visible character."""
        if isinstance(value, str) and not clean_name(value):
            return missing
        return super().deserialize(value, *args, **kwargs)


class IfUsable(fields.Field[Any]):
    """Wrapper of a field. Invalid values count as not sent."""

    def __init__(self, inner: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.usable = inner

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        try:
            return self.usable.deserialize(value)
        except ValidationError:
            return missing
