"""Message push: events that WeChat sends, received and retried."""
