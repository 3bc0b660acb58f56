"""The log level of a failed request, and the section of docs/monitoring.md with its remedy.

An error is a fault of the service or its database. A warning is a refusal that lasts until an
operator changes something. Other refusals, and those of a moment's overload, are information: the
client can act on them.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal, NamedTuple

from app.errors.failure import Failure

Level = Literal["info", "warning", "error"]

PAGE = "docs/monitoring.md#"


class Severity(NamedTuple):
    """A log level. `remedy` is the page and the heading, or None if there is nothing to do."""

    level: Level = "info"
    remedy: str | None = None


INFO = Severity()
ERROR = Severity("error")
KEYS = Severity("error", f"{PAGE}keys-or-pepper")
SCHEMA = Severity("error", f"{PAGE}database-schema")
DATABASE = Severity("error", f"{PAGE}database-unavailable")
PUSH = Severity("warning", f"{PAGE}message-push")
QUOTA = Severity("warning", f"{PAGE}wechat-quota")
DISABLED = Severity("warning", f"{PAGE}disabled-app-or-tenant")
CREDENTIALS = Severity("warning", f"{PAGE}wechat-credentials")
WHITELIST = Severity("warning", f"{PAGE}wechat-ip-whitelist")
UNANSWERED = Severity("warning", f"{PAGE}wechat-unanswered")

# By error code. Server errors that are not listed have the level error.
BY_CODE: Mapping[str, Severity] = {
    "internal": Severity("error", f"{PAGE}unexpected-error"),
    "database_unavailable": DATABASE,
    "database_read_only": DATABASE,
    "database_pooler_undeclared": DATABASE,
    "database_role_unfit": DATABASE,
    "database_listen_url_wrong": DATABASE,
    "database_listen_worker_wrong": DATABASE,
    "migrations_missing": SCHEMA,
    "release_outdated": SCHEMA,
    "encryption_key_missing": KEYS,
    "encryption_key_wrong": KEYS,
    "pepper_wrong": KEYS,
    "wechat_app_misconfigured": CREDENTIALS,
    "wechat_rate_limited": QUOTA,
    "wechat_unavailable": UNANSWERED,
    "wechat_circuit_open": UNANSWERED,
    "app_disabled": DISABLED,
    "tenant_disabled": DISABLED,
    "push_not_configured": PUSH,
    "push_signature_wrong": PUSH,
    "push_stale": PUSH,
    "push_unencrypted": PUSH,
    "push_of_another_app": PUSH,
    "push_undecryptable": PUSH,
    # Overload: the client repeats the request after Retry-After. Metrics show whether it lasts.
    "wechat_busy": INFO,
    "passwords_busy": INFO,
    "app_busy": INFO,
    "people_file_busy": INFO,
    # The operator who uploaded the file repeats it.
    "import_interrupted": INFO,
}
# By WeChat's errcode, for causes that a code shares with others.
BY_ERRCODE: Mapping[int, Severity] = {
    40164: WHITELIST,
    89503: WHITELIST,
    89506: WHITELIST,
    89507: WHITELIST,
    # The user, not the app, is limited for a while.
    50002: INFO,
}


def severity_of(failure: Failure | type[Failure], errcode: int | None = None) -> Severity:
    """Return the severity of a failed request. `errcode` is WeChat's, if it has refused a call."""
    known = BY_ERRCODE.get(errcode or 0) or BY_CODE.get(failure.code)
    return known or severity_of_status(failure.status)


def severity_of_status(status: int) -> Severity:
    """Return the severity of a response without a known failure."""
    return ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else INFO
