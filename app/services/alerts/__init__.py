"""Alerts: channels, conditions, the evaluation, messages and mutes."""
