"""The reasons why a message was not delivered. None contains an address or a secret."""

from enum import StrEnum


class Reason(StrEnum):
    """A stable name for the cause. Texts for people are in app/services/alerts."""

    URL_INVALID = "url_invalid"
    SECRET_INVALID = "secret_invalid"  # noqa: S105
    ADDRESS_INVALID = "address_invalid"
    EMAIL_OFF = "email_off"
    HOST_UNKNOWN = "host_unknown"
    ADDRESS_NOT_PUBLIC = "address_not_public"
    NOT_CONNECTED = "not_connected"
    CERTIFICATE_INVALID = "certificate_invalid"
    NO_ANSWER = "no_answer"
    ANSWER_INVALID = "answer_invalid"
    REDIRECTED = "redirected"
    STATUS = "status"
    KEY_REJECTED = "key_rejected"
    SECURITY_SETTINGS = "security_settings"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    SMTP_TLS_MISSING = "smtp_tls_missing"
    SMTP_LOGIN_REFUSED = "smtp_login_refused"
    RECIPIENT_REFUSED = "recipient_refused"
    SMTP_REFUSED = "smtp_refused"
    INTERRUPTED = "interrupted"


# A later attempt can succeed without a change of the channel.
_TEMPORARY = {
    Reason.HOST_UNKNOWN,
    Reason.NOT_CONNECTED,
    Reason.RATE_LIMITED,
}


class NotDelivered(Exception):
    """A message was not delivered, or not certainly.

    `number` is the status or errcode of the response, or None. `may_retry` says whether the same
    message can be sent again: the cause may pass, and the receiver has not confirmed the message. A
    status from 500 may come from a proxy of a receiver that accepted it, so all attempts have the
    same id.
    """

    def __init__(
        self, reason: Reason, number: int | None = None, *, may_retry: bool | None = None
    ) -> None:
        super().__init__(reason if number is None else f"{reason} {number}")
        self.reason = reason
        self.number = number
        self.may_retry = reason in _TEMPORARY if may_retry is None else may_retry
