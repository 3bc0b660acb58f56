"""Idempotency keys: a repeated request gets the stored response of the first request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import IdempotencyKeyTaken, IdempotencyPending
from app.keyring import keyring
from app.models import IdempotentRequest, User
from app.models.columns import new_id
from app.services.database.transactions import transaction
from app.services.runtime.polling import backoff

KEPT_FOR = timedelta(hours=24)
# No request takes this long. A request without a response by then was interrupted.
GIVEN_UP_AFTER = timedelta(minutes=2)
SWEPT_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with an idempotency key. `text` holds its method, path and body."""

    operator_id: UUID
    key: str
    text: str = field(repr=False)

    @property
    def index(self) -> bytes:
        """Return the blind index of `text`. A plain hash could reveal a password in the body."""
        return keyring().blind_index(self.text, f"idempotency:{self.operator_id}")


class ShownUser(NamedTuple):
    """The ids of a tenant and of its user in a response."""

    tenant_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored response, and the user in its body. The body may contain an invitation."""

    status: int
    body: str = field(repr=False)
    user: ShownUser | None = None


def begin_or_find(keyed: KeyedRequest) -> UUID | Answer:
    """Return a new request id, or the stored response if the same request was made before.

    The caller must carry out the request if a new id is returned. Waits, without a database
    connection, while an earlier request with the same key is in progress. Raises
    IdempotencyKeyTaken if the key was used with a different request, and IdempotencyPending if the
    earlier request takes too long.
    """
    for _ in backoff():
        with transaction() as db:
            found = _insert(db, keyed) or _find(db, keyed)
        if found is not None:
            return found
    raise IdempotencyPending


def _insert(db: Session, keyed: KeyedRequest) -> UUID | None:
    _sweep(db)
    this = (IdempotentRequest.operator_id == keyed.operator_id, IdempotentRequest.key == keyed.key)
    db.execute(delete(IdempotentRequest).where(*this, _is_over()))
    fresh = insert(IdempotentRequest).values(
        id=new_id(),
        operator_id=keyed.operator_id,
        key=keyed.key,
        request_index=keyed.index,
        asked_at=now(),
    )
    once = fresh.on_conflict_do_nothing(constraint="uq_idempotent_requests_operator_id_key")
    found: UUID | None = db.scalar(once.returning(IdempotentRequest.id))
    return found


def _find(db: Session, keyed: KeyedRequest) -> Answer | None:
    this = (IdempotentRequest.operator_id == keyed.operator_id, IdempotentRequest.key == keyed.key)
    row = db.scalar(select(IdempotentRequest).where(*this))
    if row is None:
        return None
    if row.request_index != keyed.index:
        raise IdempotencyKeyTaken
    return None if row.status is None else Answer(row.status, row.answer or "")


def _is_over() -> ColumnElement[bool]:
    moment, asked_at = now(), IdempotentRequest.asked_at
    is_dead = and_(IdempotentRequest.status.is_(None), asked_at < moment - GIVEN_UP_AFTER)
    return or_(asked_at < moment - KEPT_FOR, is_dead)


def _sweep(db: Session) -> None:
    """Delete up to 20 expired rows, which is more than one request adds."""
    old = select(IdempotentRequest.id).where(IdempotentRequest.asked_at < now() - KEPT_FOR)
    some = old.limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
    db.execute(delete(IdempotentRequest).where(IdempotentRequest.id.in_(some)))


def keep_answer(request_id: UUID, answer: Answer) -> None:
    """Store a response, encrypted. Delete its key instead if the user in it has been erased."""
    sealed = IdempotentRequest.answer.seal(answer.body, IdempotentRequest, id=request_id)
    this = update(IdempotentRequest).where(IdempotentRequest.id == request_id)
    user_id = answer.user and answer.user.user_id
    values = {"status": answer.status, "answer_sealed": sealed, "user_id": user_id}
    with transaction() as db:
        if answer.user is None or _is_there(db, answer.user):
            db.execute(this.values(values))
        else:
            db.execute(delete(IdempotentRequest).where(IdempotentRequest.id == request_id))


def _is_there(db: Session, user: ShownUser) -> bool:
    """Return whether a user exists. Lock the user against erasure until the transaction ends."""
    one = select(User.id).where(User.tenant_id == user.tenant_id, User.id == user.user_id)
    return db.scalar(one.with_for_update(read=True, key_share=True)) is not None


def forget_answers(db: Session, user_ids: Sequence[UUID]) -> None:
    """Delete the stored responses that contain one of the users, in the caller's transaction.

    A repeated request with one of the deleted keys is then carried out again.
    """
    db.execute(delete(IdempotentRequest).where(IdempotentRequest.user_id.in_(user_ids)))


def forget_request(request_id: UUID) -> None:
    """Delete the key of a failed request, so that the client can use the key again."""
    with transaction() as db:
        db.execute(delete(IdempotentRequest).where(IdempotentRequest.id == request_id))
