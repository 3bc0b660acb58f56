"""Base class and registry of errors: a stable code, an HTTP status and a message.

`cause` is written to the log only. `about` names the affected object and is shown by commands.
`en` is the English message and says what to do next; `hints` are further sentences. `en` and
`hints` are msgids, translated in translations/zh/LC_MESSAGES/messages.po. The placeholder `{wait}`
is replaced by `parameters["wait"]`, every other placeholder by its entry in `values`.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

FAILURES: dict[str, type["Failure"]] = {}


class Failure(Exception):
    """An error that is reported to the client. Each subclass is registered in `FAILURES`."""

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
        # Set by `as_failure`: WeChat's errcode, and this server's IP address if WeChat rejected it.
        self.errcode: int | None = None
        self.our_ip: str | None = None

    def again(self) -> "Failure":
        """Return a new exception for another request that fails because of this one."""
        same = type(self)(self.cause, retry_after=self.retry_after)
        same.errcode, same.our_ip = self.errcode, self.our_ip
        return same

    @property
    def sentences(self) -> Sequence[str]:
        """Return the msgids of the message and its hints, which `app.languages` joins."""
        return (self.en, *self.hints)

    @property
    def parameters(self) -> Mapping[str, timedelta | str]:
        """Return the placeholder values of the message. `wait` is 0 without a `retry_after`."""
        return {"wait": timedelta(seconds=self.retry_after or 0), **self.values}

    def __init_subclass__(cls, *, code: str, status: int, en: str) -> None:
        cls.code, cls.status, cls.en = code, status, en
        FAILURES[code] = cls
