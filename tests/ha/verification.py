"""Verification that no acknowledged login or logout is lost."""

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from app.services.sessions.tokens import token_hash
from tests.ha.cluster import Cluster
from tests.ha.load import Load, find_wrong
from tests.ha.sessions import Session

# The latest sessions of a fault, which are verified by both services.
VERIFIED = 100
STORED = "SELECT token_hash, ended_at IS NOT NULL FROM login_sessions WHERE token_hash = ANY(%s)"

# Runs a statement with its parameters on the primary.
Query = Callable[..., Sequence[tuple[Any, ...]]]
Lost = tuple[Session, str]


def find_lost(cluster: Cluster, load: Load, sessions: Sequence[Session]) -> Iterator[Lost]:
    """Yield each session that is missing or not ended on the primary, or that a service refuses."""
    yield from find_missing(cluster.query, sessions)
    ports = cluster.site.ports
    for session in sessions[-VERIFIED:]:
        for port in (ports.direct, ports.pooled):
            yield from verify(load, session, f"http://127.0.0.1:{port}")


def find_missing(query: Query, sessions: Sequence[Session]) -> Iterator[Lost]:
    """Yield each session that is missing in the database or not ended there."""
    hashes = [token_hash(session.token) for session in sessions]
    stored = {bytes(stored): ended for stored, ended in query(STORED, hashes)}
    for session, one in zip(sessions, hashes, strict=True):
        if session.is_refreshing:
            continue
        if one not in stored:
            yield session, "an acknowledged login is not in the database"
        elif session.ended_at is not None and not stored[one]:
            yield session, "an acknowledged logout is not in the database"
        elif session.is_active and stored[one]:
            yield session, "the session of an acknowledged login is ended in the database"


def verify(load: Load, session: Session, url: str) -> Iterator[Lost]:
    """Yield the session if a service refuses its token, or accepts it after the logout."""
    answer = load.ask("GET", "/v1/verify", session.token, url=url)
    if session.is_active and (wrong := find_wrong(session, answer)):
        yield session, f"{wrong}: {answer.status} {answer.code}"
    if session.ended_at is not None and answer.status != HTTPStatus.UNAUTHORIZED:
        yield session, f"the token of an acknowledged logout gets {answer.status} {answer.code}"
