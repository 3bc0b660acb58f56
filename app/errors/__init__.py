"""Errors reported to clients and operators. Import them from this package."""

from app.errors.failure import FAILURES, Failure
from app.errors.from_wechat import as_failure
from app.errors.of_clients import *  # noqa: F403
from app.errors.of_operators import *  # noqa: F403

__all__ = ["FAILURES", "Failure", "as_failure"]
