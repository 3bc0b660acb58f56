"""What to do about a message that was not delivered."""

from collections.abc import Mapping

from app.i18n_marker import N_
from app.notifications import Reason

QUEUE_FULL = "queue_full"
UNREADABLE = "unreadable"

ADVICE: Mapping[str, str] = {
    Reason.URL_INVALID: N_(
        "The URL must begin with https:// and contain a host name, without a user and without an "
        "IP address. A robot needs the URL that its settings show, unchanged."
    ),
    Reason.SECRET_INVALID: N_(
        "A webhook needs a secret: whsec_ and the base64 of 24 to 64 random bytes. The secret of a "
        "DingTalk robot begins with SEC."
    ),
    Reason.ADDRESS_INVALID: N_("This is not an e-mail address."),
    Reason.EMAIL_OFF: N_(
        "E-mail is not available, because this service has no mail server. A platform admin can "
        "set SMTP_URL and SMTP_FROM."
    ),
    Reason.HOST_UNKNOWN: N_("The host name has no address. Check the URL and this server's DNS."),
    Reason.ADDRESS_NOT_PUBLIC: N_(
        "The host has an address that is not public, such as 10.0.0.1 or 127.0.0.1. Messages are "
        "sent to public addresses only."
    ),
    Reason.NOT_CONNECTED: N_(
        "No TLS connection could be established. Check that the receiver runs, and that a firewall "
        "permits outgoing connections of this server."
    ),
    Reason.CERTIFICATE_INVALID: N_(
        "The certificate of the receiver is expired, for another name, or of an unknown authority."
    ),
    Reason.NO_ANSWER: N_(
        "The receiver did not answer within 10 seconds. The message may have arrived, so it is not "
        "sent again."
    ),
    Reason.ANSWER_INVALID: N_("The receiver sent an unexpected response. Check the URL."),
    Reason.REDIRECTED: N_(
        "The receiver answered with a redirect, which is not followed. Enter the final URL."
    ),
    Reason.STATUS: N_("The receiver answered with an HTTP error. Look at its log."),
    Reason.KEY_REJECTED: N_(
        "The robot no longer exists, or its URL is wrong. Add a robot to the group and enter its "
        "URL."
    ),
    Reason.SECURITY_SETTINGS: N_(
        "The security settings of the DingTalk robot refuse the message. Select signing and enter "
        "the secret here, or add the keyword wxpass. An IP list must contain this server."
    ),
    Reason.RATE_LIMITED: N_("The receiver limits messages. They are sent again later."),
    Reason.REFUSED: N_("The platform refused the message. Look up the errcode in its documents."),
    Reason.SMTP_TLS_MISSING: N_(
        "The mail server offers no STARTTLS. A platform admin can use smtps:// in SMTP_URL."
    ),
    Reason.SMTP_LOGIN_REFUSED: N_(
        "The mail server refused the user or password in SMTP_URL. A platform admin can correct it."
    ),
    Reason.RECIPIENT_REFUSED: N_("The mail server refused the recipient. Check the address."),
    Reason.SMTP_REFUSED: N_(
        "The mail server refused the message. A platform admin can check SMTP_FROM and its limits."
    ),
    Reason.INTERRUPTED: N_(
        "The process was stopped while it sent the message, which may have arrived."
    ),
    QUEUE_FULL: N_("Too many messages wait for this channel, so a message was dropped."),
    UNREADABLE: N_(
        "The key that encrypted this channel is missing. Remove the channel and add it again."
    ),
}


def advice_on(error: str) -> str:
    """Return the msgid of what to do about a stored error, such as `status 500`."""
    return ADVICE[error.partition(" ")[0]]
