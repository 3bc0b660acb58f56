"""What the clients of every dialect send. They send more than is read here."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, missing, pre_load

from app.schemas.fields import Name, Text
from app.schemas.loading import RequestSchema, T
from app.schemas.requests import PhoneBody, PhoneRequest
from app.text_cleaning import clean_name


class TolerantRequest(RequestSchema[T]):
    """A request whose other fields are let be, and whose empty ones count as left out."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def drop_empty(self, data: Any, **_: Any) -> Any:
        """Drop what such clients send for want of a value."""
        if not isinstance(data, dict):
            return data  # refused in a moment
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
    """What the phone button gave."""

    record = EncryptedBody


class EitherPhoneRequest(TolerantRequest[PhoneBody], PhoneRequest):
    """What the phone button gave, the new way or the old."""

    record = PhoneBody


class VisibleName(Name):
    """A nickname that is left out, as an empty one is, if it has no visible character."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the clean name, or `missing`."""
        if isinstance(value, str) and not clean_name(value):
            return missing
        return super().deserialize(value, *args, **kwargs)


class IfUsable(fields.Field[Any]):
    """What is left out, rather than refused, when it cannot be kept."""

    def __init__(self, inner: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.usable = inner

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        try:
            return self.usable.deserialize(value)
        except ValidationError:
            return missing
