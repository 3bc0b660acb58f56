"""Linking decisions in the log: fields of the line that ends a request."""

from functools import partial

import structlog
from sqlalchemy.orm import Session

from app.services.database.transactions import on_commit
from app.services.social_accounts.linking_policy import Action, Evidence


def log_decision(action: Action, evidence: Evidence, registration: str) -> None:
    """Add the action, its evidence and the registration policy to the request's log line.

    A later decision of the same request replaces it. Call it when the action is written.
    """
    structlog.contextvars.bind_contextvars(
        decision=action.name.lower(), evidence=evidence.value, registration=registration
    )


def log_decision_on_commit(
    db: Session, action: Action, evidence: Evidence, registration: str
) -> None:
    """Call `log_decision` after the caller's transaction is committed."""
    on_commit(db, partial(log_decision, action, evidence, registration))


def log_repeated_login() -> None:
    """Add to the request's log line that an earlier request logged in with the same code."""
    structlog.contextvars.bind_contextvars(decision="repeat", evidence="code")
