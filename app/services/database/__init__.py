"""Transactions, pages of lists, and idempotent requests."""
