"""The clock. All times are aware and in UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)
