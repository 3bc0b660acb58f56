"""Delivery of a message to one target."""

from app.notifications.email import Email, SmtpServer, send_email
from app.notifications.failures import NotDelivered, Reason
from app.notifications.https import HttpsClient
from app.notifications.messages import Message
from app.notifications.robots import (
    DingTalkRobot,
    WeComRobot,
    send_to_dingtalk,
    send_to_wecom,
)
from app.notifications.webhooks import Webhook, send_to_webhook

Target = Email | WeComRobot | DingTalkRobot | Webhook


class Notifier:
    """Delivers messages. Threads may use it concurrently. Hold no database connection during it.

    Without an SMTP server, e-mail is refused. Only tests pass a `client`.
    """

    def __init__(self, smtp: SmtpServer | None = None, client: HttpsClient | None = None) -> None:
        self._smtp = smtp
        self._client = client or HttpsClient()

    @property
    def sends_email(self) -> bool:
        """Whether the settings name an SMTP server."""
        return self._smtp is not None

    def check(self, target: Target) -> None:
        """Raise NotDelivered if a target is invalid or its kind is not available."""
        target.check()
        if isinstance(target, Email) and self._smtp is None:
            raise NotDelivered(Reason.EMAIL_OFF)

    def deliver(self, target: Target, message: Message) -> None:
        """Send a message. Returns within about 20 seconds. Raise NotDelivered."""
        match target:
            case Email():
                if self._smtp is None:
                    raise NotDelivered(Reason.EMAIL_OFF)
                send_email(self._smtp, target, message)
            case WeComRobot():
                send_to_wecom(self._client, target, message)
            case DingTalkRobot():
                send_to_dingtalk(self._client, target, message)
            case Webhook():
                send_to_webhook(self._client, target, message)
