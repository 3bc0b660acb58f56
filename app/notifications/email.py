"""E-mail by SMTP. TLS is required, except to a server on this machine."""

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from ipaddress import ip_address

from app.notifications.failures import NotDelivered, Reason
from app.notifications.messages import Message, one_line, plain_text

TIMEOUT_SECONDS = 10.0  # for connecting and for each answer of the server
LONGEST_ADDRESS = 254
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_PERMANENT = range(500, 600)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The mail server of the service, from the settings. Its address may be private.

    `implicit_tls` connects with TLS (port 465); otherwise STARTTLS is required. `ca_file` is for
    tests.
    """

    host: str
    port: int
    sender: str
    implicit_tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the host is a loopback address, so that no TLS is needed."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Email:
    """A recipient."""

    address: str

    def check(self) -> None:
        """Raise NotDelivered for an address that is not plain ASCII `name@domain`."""
        if not is_address(self.address):
            raise NotDelivered(Reason.ADDRESS_INVALID)

    @property
    def shown(self) -> str:
        """The address."""
        return self.address


def is_address(text: str) -> bool:
    """Return whether a text is one e-mail address without a display name."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def send_email(server: SmtpServer, recipient: Email, message: Message) -> None:
    """Send a message. Raise NotDelivered. Its cause contains no text of the server."""
    recipient.check()
    written = _written(server, recipient, message)
    try:
        smtp = _connected(server)
        try:
            _sign_in(smtp, server)
            _send(smtp, server, recipient, written)
            # The message is accepted. An error of QUIT does not change that.
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
        finally:
            smtp.close()
    except smtplib.SMTPResponseException as error:
        passes = error.smtp_code not in _PERMANENT
        raise NotDelivered(Reason.SMTP_REFUSED, error.smtp_code, may_retry=passes) from None
    except ssl.SSLCertVerificationError:
        raise NotDelivered(Reason.CERTIFICATE_INVALID) from None
    except (OSError, smtplib.SMTPException):
        raise NotDelivered(Reason.NOT_CONNECTED) from None


def _written(server: SmtpServer, recipient: Email, message: Message) -> EmailMessage:
    written = EmailMessage(policy=SMTP)
    written["From"] = server.sender
    written["To"] = recipient.address
    written["Subject"] = one_line(message.subject)
    written["Date"] = formatdate()
    written["Message-ID"] = f"<{message.id}@{_domain_of(server)}>"
    # Keeps vacation notices and other automatic replies away.
    written["Auto-Submitted"] = "auto-generated"
    written.set_content(plain_text(message.text), cte="base64")
    return written


def _connected(server: SmtpServer) -> smtplib.SMTP:
    # Without a name, smtplib would look up the name of this machine in the DNS.
    name = _domain_of(server)
    if server.implicit_tls:
        return smtplib.SMTP_SSL(
            server.host, server.port, name, timeout=TIMEOUT_SECONDS, context=_tls(server)
        )
    smtp = smtplib.SMTP(server.host, server.port, name, timeout=TIMEOUT_SECONDS)
    if not server.is_on_this_machine:
        try:
            smtp.starttls(context=_tls(server))
        except smtplib.SMTPNotSupportedError:
            smtp.close()
            raise NotDelivered(Reason.SMTP_TLS_MISSING) from None
        except BaseException:
            smtp.close()
            raise
    return smtp


def _tls(server: SmtpServer) -> ssl.SSLContext:
    """Return a context with the authorities of the system: the server may be a company's own."""
    context = ssl.create_default_context(cafile=server.ca_file)
    context.keylog_filename = None  # type: ignore[assignment]
    return context


def _sign_in(smtp: smtplib.SMTP, server: SmtpServer) -> None:
    if server.user is None:
        return
    try:
        smtp.login(server.user, server.password or "")
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(Reason.SMTP_LOGIN_REFUSED, error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise NotDelivered(Reason.SMTP_LOGIN_REFUSED) from None


def _send(smtp: smtplib.SMTP, server: SmtpServer, recipient: Email, written: EmailMessage) -> None:
    try:
        smtp.send_message(written, server.sender, [recipient.address])
    except smtplib.SMTPRecipientsRefused as error:
        ((code, _),) = error.recipients.values()
        raise NotDelivered(
            Reason.RECIPIENT_REFUSED, code, may_retry=code not in _PERMANENT
        ) from None
    except smtplib.SMTPResponseException:
        raise
    except (OSError, smtplib.SMTPException):
        # The server may have accepted the message before the connection broke.
        raise NotDelivered(Reason.NO_ANSWER) from None


def _domain_of(server: SmtpServer) -> str:
    return server.sender.rpartition("@")[2]
