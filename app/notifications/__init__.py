"""Delivery of notifications by e-mail, group robots and webhooks.

The package imports no other module of wxpass. Only it connects to addresses that operators enter,
so it checks them (docs/decisions/0034).
"""

from app.notifications.email import Email, SmtpServer
from app.notifications.failures import NotDelivered, Reason
from app.notifications.messages import Message
from app.notifications.notifier import Notifier, Target
from app.notifications.robots import DingTalkRobot, WeComRobot
from app.notifications.webhooks import Webhook, new_webhook_secret

__all__ = [
    "DingTalkRobot",
    "Email",
    "Message",
    "NotDelivered",
    "Notifier",
    "Reason",
    "SmtpServer",
    "Target",
    "WeComRobot",
    "Webhook",
    "new_webhook_secret",
]
