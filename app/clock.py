"""The one place where time is read; it is always aware and in UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """Give the present moment."""
    return datetime.now(UTC)
