"""Message push: receive the events that WeChat sends, and retry failed ones."""
