"""The errors that each operation documents: by its decorators, and by `blp.errors`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app import errors as failures
from app.errors import FAILURES, Failure

Failures = tuple[type[Failure], ...]

# Every operation may return these. The `default` response documents them.
ANYWHERE: Failures = (
    failures.BadRequest,
    failures.NotFound,
    failures.MethodNotAllowed,
    failures.RequestTimeout,
    failures.BodyTooLarge,
    failures.Internal,
    failures.DatabaseUnavailable,
)
JSON_BODY: Failures = (failures.JsonMalformed, failures.JsonRequired, failures.RequestInvalid)
APP_IN_PATH: Failures = (failures.AppUnknown, failures.AppDisabled, failures.TenantDisabled)
IDEMPOTENT: Failures = (
    failures.IdempotencyKeyTaken,
    failures.IdempotencyPending,
    failures.RequestInvalid,
)

LOGIN_EVEN_EXPIRED: Failures = (
    failures.TokenMissing,
    failures.TokenInvalid,
    failures.TokensDiffer,
    failures.SessionEnded,
    failures.SessionReplaced,
    failures.SessionRevoked,
)
LOGIN: Failures = (*LOGIN_EVEN_EXPIRED, failures.SessionExpired)
ENABLED: Failures = (failures.AppDisabled, failures.TenantDisabled, failures.UserDisabled)
OPERATOR: Failures = (
    failures.TokenMissing,
    failures.JwtInvalid,
    failures.JwtExpired,
    failures.SignInNeeded,
    failures.SignInExpired,
)
OF_LOGIN: dict[str, Failures] = {
    "none": (),
    "any": LOGIN + ENABLED,
    "any_to_end": LOGIN_EVEN_EXPIRED + ENABLED,
    "bound": (*LOGIN, *ENABLED, failures.LoginUnbound),
    "user": (*LOGIN, failures.NoUser, failures.SwitchedOff, failures.TokenOfAnotherTenant),
    "operator": OPERATOR,
    "platform": (*OPERATOR, failures.RoleTooLow),
    "tenant_operator": (*OPERATOR, failures.TenantUnknown),
    "tenant_admin": (*OPERATOR, failures.TenantUnknown, failures.RoleTooLow),
}

# Groups of errors of views, for `blp.errors`.
WECHAT_CODE: Failures = (
    failures.CodeInvalid,
    failures.PersonBlocked,
    failures.WeChatRateLimited,
    failures.WeChatMisconfigured,
    failures.WeChatBusy,
    failures.WeChatCircuitOpen,
    failures.WeChatUnavailable,
)
PASSWORD_CHECK: Failures = (
    failures.CredentialsWrong,
    failures.LoginsTooMany,
    failures.TooManyTries,
    failures.PasswordsBusy,
)
OPEN_DATA: Failures = (
    failures.OpenDataMalformed,
    failures.OpenDataUnreadable,
    failures.OpenDataTooOld,
    failures.SessionKeyExpired,
    failures.WatermarkForeign,
    failures.NoSocialAccount,
)
PHONE_NUMBER: Failures = (
    failures.PhoneInvalid,
    failures.PhoneNumberMissing,
    failures.PhoneCountryMissing,
)
NEW_PASSWORD: Failures = (
    failures.PasswordTooWeak,
    failures.PasswordsBusy,
)
OPERATOR_CODE: Failures = (
    failures.OneTimeCodeNeeded,
    failures.OneTimeCodeWrong,
    failures.TooManyTries,
    failures.PasswordsBusy,
)
USER_FILE: Failures = (
    failures.UserFileTooLarge,
    failures.UserFileUnreadable,
    failures.UserFileNotSpreadsheet,
    failures.UserFileBig5,
    failures.UserFileImported,
    failures.UserFileBusy,
    failures.UserColumnsWrong,
    failures.UserFileEmpty,
    failures.ImportPasswordsTooMany,
)
NOT_READY: Failures = (
    failures.DatabaseReadOnly,
    failures.DatabasePoolerUndeclared,
    failures.DatabaseRoleUnfit,
    failures.DatabaseListenUrlWrong,
    failures.DatabaseListenWorkerWrong,
    failures.MigrationsMissing,
    failures.ReleaseOutdated,
    failures.EncryptionKeyMissing,
    failures.EncryptionKeyWrong,
    failures.PepperWrong,
)


def error_codes_of(view: Callable[..., Any], path: str) -> list[str]:
    """Return the codes of the errors that the OpenAPI operation of a view lists, by status.

    `path` is the URL rule. The codes of ANYWHERE are left out.
    """
    marks = view.__dict__
    found = {one.code: one.status for one in _errors_of(marks, path)}
    return sorted(found, key=lambda code: (found[code], list(FAILURES).index(code)))


def _errors_of(marks: dict[str, Any], path: str) -> Iterator[type[Failure]]:
    yield from OF_LOGIN[marks["login"]]
    if "appid>" in path and ":its_appid>" not in path:
        yield from _errors_of_path(marks)
    for parameters in marks["_apidoc"].get("arguments", {}).get("parameters", ()):
        yield from _errors_of_arguments(parameters["in"], parameters["schema"].fields)
    if "idempotent" in marks:
        yield from IDEMPOTENT
    if "step_up" in marks:
        yield failures.StepUpRequired
    yield from marks.get("errors", ())


def _errors_of_path(marks: dict[str, Any]) -> Iterator[type[Failure]]:
    if "appid_as_audience" not in marks:
        yield from APP_IN_PATH
    if marks["login"] != "none":
        yield failures.TokenOfAnotherApp


def _errors_of_arguments(location: str, fields: Iterable[str]) -> Failures:
    if location == "json":
        return JSON_BODY
    cursor = (failures.CursorInvalid,) if "cursor" in fields else ()
    return (failures.RequestInvalid, *cursor)
