"""What every failure has: a stable code, an HTTP status, and what a person is told.

A failure's `cause` is for the log only, and `about` names a thing to operators; `en` is for people
and says what to do next. It is the msgid of its Chinese text in
translations/zh/LC_MESSAGES/messages.po. `{wait}` in it stands for `parameters["wait"]`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

FAILURES: dict[str, type["Failure"]] = {}


class Failure(Exception):
    """Something the caller is told. Each subclass is one fact."""

    code: ClassVar[str]
    status: ClassVar[int]
    en: ClassVar[str]

    def __init__(
        self,
        cause: str = "",
        *,
        errors: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
        about: str = "",
    ) -> None:
        super().__init__(cause or self.code)
        self.cause = cause or about
        self.about = about
        self.errors = errors
        self.retry_after = retry_after

    @property
    def parameters(self) -> Mapping[str, timedelta]:
        """Return the values of the placeholders in the message."""
        return {"wait": timedelta(seconds=self.retry_after or 0)}

    def __init_subclass__(cls, *, code: str, status: int, en: str) -> None:
        cls.code, cls.status, cls.en = code, status, en
        FAILURES[code] = cls
