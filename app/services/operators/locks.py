"""Row locks on operators, and the check for the last platform admin."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import LastPlatformOperator, OperatorUnknown, SignInNeeded
from app.models import Operator, OperatorSession
from app.services.operators.sessions import SignedIn


def lock_operator(db: Session, operator_id: UUID) -> Operator:
    """Load an operator and lock the row. Raise OperatorUnknown."""
    operator = db.get(Operator, operator_id, with_for_update=True)
    if operator is None:
        raise OperatorUnknown
    return operator


def lock_signed_in(db: Session, signed_in: SignedIn) -> Operator:
    """Lock the operator of an active session. Raise SignInNeeded if the session has ended.

    Changes that end sessions lock the operator as well. So a concurrent change that ends this
    session first makes this one fail.
    """
    operator = lock_operator(db, signed_in.operator_id)
    session = select(OperatorSession.id).where(
        OperatorSession.id == signed_in.session_id,
        OperatorSession.operator_id == operator.id,
        OperatorSession.ended_at.is_(None),
    )
    if operator.status != "active" or db.scalar(session) is None:
        raise SignInNeeded
    return operator


def refuse_last_platform_operator(db: Session, operator_id: UUID) -> None:
    """Raise LastPlatformOperator for the only platform admin who can sign in.

    Locks every such operator, in a fixed order, until the caller's transaction ends. So two
    platform admins cannot disable each other concurrently.
    """
    wanted = select(Operator.id).where(Operator.role == "platform", Operator.status == "active")
    able = wanted.where(Operator.password_hash.is_not(None)).order_by(Operator.id)
    if list(db.scalars(able.with_for_update())) == [operator_id]:
        raise LastPlatformOperator
