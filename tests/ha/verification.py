"""Verification that no acknowledged login or logout is lost."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from app.services.sessions.tokens import token_hash
from tests.ha.cluster import Cluster
from tests.ha.load import Load
from tests.ha.sessions import Session

# The latest sessions of a fault, which are verified by both services.
VERIFIED = 100
STORED = "SELECT token_hash, ended_at IS NOT NULL FROM login_sessions WHERE token_hash = ANY(%s)"


def find_lost(
    cluster: Cluster, load: Load, sessions: Sequence[Session]
) -> Iterator[tuple[Session, str]]:
    """Yield each session that is missing or not ended on the primary, or that a service refuses."""
    hashes = [token_hash(session.token) for session in sessions]
    stored = {bytes(stored): ended for stored, ended in cluster.query(STORED, hashes)}
    for session, one in zip(sessions, hashes, strict=True):
        if one not in stored:
            yield session, "an acknowledged login is not in the database"
        elif session.ended_at is not None and not stored[one]:
            yield session, "an acknowledged logout is not in the database"
    ports = cluster.site.ports
    for session in sessions[-VERIFIED:]:
        for port in (ports.direct, ports.pooled):
            yield from _verify(load, session, f"http://127.0.0.1:{port}")


def _verify(load: Load, session: Session, url: str) -> Iterator[tuple[Session, str]]:
    answer = load.ask("GET", "/v1/verify", session.token, url=url)
    if session.is_active and answer.status != HTTPStatus.NO_CONTENT:
        yield session, f"the token of an acknowledged login gets {answer.status} {answer.code}"
    if session.ended_at is not None and answer.status != HTTPStatus.UNAUTHORIZED:
        yield session, f"the token of an acknowledged logout gets {answer.status} {answer.code}"
