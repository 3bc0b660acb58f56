"""E-mail to real SMTP servers on loopback."""

import ssl
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from app.notifications import Email, Message, NotDelivered, Notifier, Reason, SmtpServer
from tests.fixtures.servers.ports import free_port

MESSAGE = Message("[wxpass] 密钥错误", "第一行\nSecond line.")
ANN = Email("ann@acme.example")


class Mailbox:
    """Handler of aiosmtpd that records messages."""

    def __init__(self):
        self.envelopes = []
        self.refuses = None
        self.answer = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return self.answer

    @property
    def messages(self):
        return [message_from_bytes(one.content, policy=default) for one in self.envelopes]


def authenticated(server, session, envelope, mechanism, data):
    ok = (data.login, data.password) == (b"alerts", b"5ec2e7")
    return AuthResult(success=ok, handled=False)


def serve(mailbox, pem, *, implicit=False, starttls=False, login=False):
    context = None
    if implicit or starttls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    options = {"authenticator": authenticated, "auth_require_tls": False} if login else {}
    if starttls:
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=context if implicit else None,
        **options,
    )
    controller.start()
    return controller


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def smtp(mailbox, pem):
    """Return a function that starts a server and returns its settings."""
    running = []

    def start(server=None, **options):
        controller = serve(mailbox, pem, **options)
        running.append(controller)
        settings = {"host": "localhost", "sender": "wxpass@acme.example", "ca_file": pem}
        return SmtpServer(port=controller.port, **(settings | (server or {})))

    yield start
    for controller in running:
        controller.stop()


def not_delivered(server, recipient=ANN, message=MESSAGE):
    with pytest.raises(NotDelivered) as caught:
        Notifier(server).deliver(recipient, message)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_an_email_is_sent_with_implicit_tls_and_a_password(smtp, mailbox):
    server = smtp(
        {"implicit_tls": True, "user": "alerts", "password": "5ec2e7"}, implicit=True, login=True
    )
    Notifier(server).deliver(ANN, MESSAGE)
    (sent,) = mailbox.messages
    assert sent["Subject"] == MESSAGE.subject
    assert sent["To"] == "ann@acme.example"
    assert sent["From"] == "wxpass@acme.example"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert sent.get_content().split() == MESSAGE.text.split()
    assert "5ec2e7" not in repr(server)


class Remote(SmtpServer):
    """A server that counts as another machine."""

    __slots__ = ()
    is_on_this_machine = False


def remote(server, **changes):
    names = ("host", "port", "sender", "implicit_tls", "user", "password", "ca_file")
    return Remote(**({name: getattr(server, name) for name in names} | changes))


def test_an_email_is_sent_with_starttls(smtp, mailbox):
    server = remote(smtp(starttls=True))
    Notifier(server).deliver(ANN, MESSAGE)
    assert len(mailbox.messages) == 1


def test_a_server_without_starttls_receives_nothing(smtp, mailbox):
    server = remote(smtp(login=True), user="alerts", password="5ec2e7")
    assert not_delivered(server).reason == Reason.SMTP_TLS_MISSING
    assert mailbox.messages == []


@pytest.mark.parametrize("kind", ["implicit", "starttls"])
def test_the_certificate_of_the_server_is_verified(smtp, mailbox, kind):
    server = smtp({"implicit_tls": kind == "implicit"}, **{kind: True})
    for changed in (remote(server, ca_file=None), remote(server, host="127.0.0.1")):
        assert not_delivered(changed).reason == Reason.CERTIFICATE_INVALID
    assert mailbox.messages == []


def test_a_server_on_this_machine_needs_no_tls(smtp, mailbox):
    Notifier(smtp()).deliver(ANN, MESSAGE)
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("host", ["mail.example.com", "10.0.0.5", "localhost.example.com"])
def test_other_servers_need_tls(host):
    assert not SmtpServer(host, 587, "a@acme.example").is_on_this_machine
    assert SmtpServer("127.0.0.1", 25, "a@acme.example").is_on_this_machine
    assert SmtpServer("::1", 25, "a@acme.example").is_on_this_machine


def test_a_wrong_password_is_the_reason(smtp):
    server = smtp({"user": "alerts", "password": "wrong"}, login=True)
    error = not_delivered(server)
    assert (error.reason, error.number) == (Reason.SMTP_LOGIN_REFUSED, 535)
    assert not error.may_retry


def test_a_refused_recipient_is_the_reason(smtp, mailbox):
    mailbox.refuses = "550 no such user ann@acme.example"
    error = not_delivered(smtp())
    assert (error.reason, error.number, error.may_retry) == (Reason.RECIPIENT_REFUSED, 550, False)
    mailbox.refuses = "451 greylisted"
    assert not_delivered(smtp()).may_retry
    assert "acme" not in str(error)


def test_a_refused_message_is_the_reason(smtp, mailbox):
    mailbox.answer = "554 spam"
    error = not_delivered(smtp())
    assert (error.reason, error.number, error.may_retry) == (Reason.SMTP_REFUSED, 554, False)
    mailbox.answer = "452 full"
    assert not_delivered(smtp()).may_retry


def test_an_unreachable_server_is_the_reason():
    error = not_delivered(SmtpServer("127.0.0.1", free_port(), "a@acme.example"))
    assert (error.reason, error.may_retry) == (Reason.NOT_CONNECTED, True)


def test_without_a_server_email_is_refused():
    assert not_delivered(None).reason == Reason.EMAIL_OFF
    with pytest.raises(NotDelivered):
        Notifier().check(ANN)


@pytest.mark.parametrize("separator", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_a_subject_cannot_contain_a_header(smtp, mailbox, separator):
    """A name of a tenant or an app may contain anything."""
    subject = f"acme{separator}Bcc: eve@evil.example{separator}{separator}body"
    Notifier(smtp()).deliver(ANN, Message(subject, f"text{separator}.\r\nQUIT\r\n"))
    (sent,), (envelope,) = mailbox.messages, mailbox.envelopes
    assert sent["Bcc"] is None
    assert "Bcc: eve@evil.example" in sent["Subject"]
    assert envelope.rcpt_tos == ["ann@acme.example"]


@pytest.mark.parametrize(
    "address",
    [
        *("", "ann", "ann@", "@acme.example", "ann@acme", "ann@acme.example\r\nBcc: eve@evil.ex"),
        *("ann@acme.example, eve@evil.example", "Ann <ann@acme.example>", "ann@acme.example "),
        *('"a b"@acme.example', "ann@[127.0.0.1]", "王@acme.example", "ann@acme.example\n"),
        "a" * 250 + "@acme.example",
    ],
)
def test_an_invalid_address_is_refused(smtp, mailbox, address):
    assert not_delivered(smtp(), Email(address)).reason == Reason.ADDRESS_INVALID
    assert mailbox.messages == []
