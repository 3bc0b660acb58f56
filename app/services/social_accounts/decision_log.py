"""Linking decisions in the log: fields of the line that ends a request."""

import structlog

from app.services.social_accounts.linking_policy import Decision, Evidence


def note_decision(decision: Decision, evidence: Evidence, registration: str) -> None:
    """Add the decision, its evidence and the registration policy to the request's log line."""
    structlog.contextvars.bind_contextvars(
        decision=decision.action.name.lower(), evidence=evidence.value, registration=registration
    )


def note_repeated_login() -> None:
    """Add to the request's log line that an earlier request decided, with the same code."""
    structlog.contextvars.bind_contextvars(decision="repeat", evidence="code")
