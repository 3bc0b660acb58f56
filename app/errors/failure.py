"""Failures: a stable code, an HTTP status and a message for people.

A failure's `cause` is for the log only, and `about` names a thing to operators. `en` is for people
and says what to do next; `hints` are sentences that follow it. All of them are msgids of Chinese
texts in translations/zh/LC_MESSAGES/messages.po. `{wait}` stands for `parameters["wait"]`, and any
other placeholder for one of `values`.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

FAILURES: dict[str, type["Failure"]] = {}


class Failure(Exception):
    """A failure that is reported to the caller. Each subclass is one fact."""

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
        hints: Sequence[str] = (),
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(cause or self.code)
        self.cause = cause or about
        self.about = about
        self.errors = errors
        self.retry_after = retry_after
        self.hints = hints
        self.values = values or {}

    @property
    def sentences(self) -> Sequence[str]:
        """Return the msgids of the whole message, to be joined by `app.languages`."""
        return (self.en, *self.hints)

    @property
    def parameters(self) -> Mapping[str, timedelta | str]:
        """Return the values of the placeholders in the message."""
        return {"wait": timedelta(seconds=self.retry_after or 0), **self.values}

    def __init_subclass__(cls, *, code: str, status: int, en: str) -> None:
        cls.code, cls.status, cls.en = code, status, en
        FAILURES[code] = cls
