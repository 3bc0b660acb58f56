"""Commands about alerts and their channels."""

from app.cli.alerts.channels import alerts
from app.cli.alerts.mutes import list_, mute, unmute

__all__ = ["alerts"]

for _command in (list_, mute, unmute):
    alerts.add_command(_command)
