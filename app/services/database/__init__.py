"""Transactions, pagination and idempotency keys."""
