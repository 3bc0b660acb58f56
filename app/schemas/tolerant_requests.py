"""Requests that several dialects share. Unknown fields are ignored."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, missing, pre_load

from app.schemas.fields import Name, Text
from app.schemas.loading import RequestSchema, T
from app.schemas.requests import PhoneBody, PhoneRequest
from app.text_cleaning import clean_name


class TolerantRequest(RequestSchema[T]):
    """A request schema that ignores unknown fields and treats empty ones as not sent."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def drop_empty(self, data: Any, **_: Any) -> Any:
        """Drop the values that such clients send for a missing value."""
        if not isinstance(data, dict):
            return data  # The schema refuses it.
        return {name: value for name, value in data.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class CodeBody:
    """The code of `wx.login`."""

    code: str = field(repr=False)


class CodeRequest(TolerantRequest[CodeBody]):
    """The code of `wx.login`."""

    record = CodeBody

    code = Text(128, required=True)


@dataclass(frozen=True, slots=True)
class EncryptedBody:
    """Encrypted data and its iv."""

    encrypted_data: str = field(repr=False)
    iv: str = field(repr=False)


class EncryptedFields(TolerantRequest[T]):
    """The fields that every request with encrypted data has."""

    encrypted_data = Text(8192, required=True, data_key="encryptedData")
    iv = Text(64, required=True)


class OpenDataRequest(EncryptedFields[EncryptedBody]):
    """The data of the phone button."""

    record = EncryptedBody


class EitherPhoneRequest(TolerantRequest[PhoneBody], PhoneRequest):
    """The data of the phone button: a code (new), or encrypted data (old)."""

    record = PhoneBody


class VisibleName(Name):
    """A nickname. Without a visible character it counts as not sent."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the clean name, or `missing`."""
        if isinstance(value, str) and not clean_name(value):
            return missing
        return super().deserialize(value, *args, **kwargs)


class IfUsable(fields.Field[Any]):
    """A field whose invalid values count as not sent instead of being refused."""

    def __init__(self, inner: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.usable = inner

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        try:
            return self.usable.deserialize(value)
        except ValidationError:
            return missing
