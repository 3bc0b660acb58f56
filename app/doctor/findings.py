"""Findings of the checks, and what the checks know about the deployment."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.errors import Failure
from app.languages import all_translated
from config import Config
from config.cpu_limit import usable_cpus
from config.readers import ConfigError, read_number

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found. `code` is stable. A finding that is not ok has a remedy."""

    level: Level
    code: str
    what: Text
    remedy: Text | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment that is checked, and the options of the command.

    `config` is missing if the configuration is invalid, and `config_error` says why. `hosts` is the
    number of machines that run the service, if it is given.
    """

    environ: Mapping[str, str] = field(repr=False)
    config: Config | None
    config_error: Exception | None = None
    hosts: int | None = None
    url: str | None = None
    appids: tuple[str, ...] = ()

    @property
    def settings(self) -> Config:
        """Return the configuration. Only checks that need none run without one."""
        if self.config is None:
            raise ValueError("the configuration is invalid")
        return self.config

    @property
    def workers(self) -> int:
        """Return the number of gunicorn's workers on a machine."""
        with_default = usable_cpus()
        if not self.settings.production:
            with_default = min(4, with_default)
        try:
            return read_number(self.environ, "GUNICORN_WORKERS", with_default, range(1, 257))
        except ConfigError:
            return with_default


Check = Callable[[Deployment], Iterator[Finding]]


def ok(code: str, en: str, zh: str) -> Finding:
    """Return a finding without a remedy."""
    return Finding("ok", code, Text(en, zh))


def warning(code: str, what: tuple[str, str], remedy: tuple[str, str]) -> Finding:
    """Return a warning. The texts are in English and Chinese."""
    return Finding("warning", code, Text(*what), Text(*remedy))


def error(code: str, what: tuple[str, str], remedy: tuple[str, str]) -> Finding:
    """Return an error. The texts are in English and Chinese."""
    return Finding("error", code, Text(*what), Text(*remedy))


def of_failure(failure: Failure, remedy: tuple[str, str] | None = None) -> Finding:
    """Return an error for a failure of a service, by default with a pointer to its page."""
    en, zh = (
        all_translated(failure.sentences, language, failure.parameters) for language in ("en", "zh")
    )
    about = f"{failure.about}: " if failure.about else ""
    advice = Text(*remedy) if remedy else Text("See docs/errors.md.", "参见 docs/errors.zh-CN.md。")
    return Finding("error", failure.code, Text(about + en, about + zh), advice)
