"""Operators of tenants and of the platform: invite, reset, enable, disable, change role."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    Failure,
    InvitationInvalid,
    OneTimeCodesOff,
    OperatorExists,
    SelfChangeRefused,
    SelfResetRefused,
)
from app.errors.sqlstates import violated_constraint
from app.models import Operator, Tenant
from app.models.columns import new_id
from app.services import audit
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import transaction
from app.services.operators.listed_operators import ShownOperator, show_operator
from app.services.operators.locks import lock_operator, refuse_last_platform_operator
from app.services.operators.one_time_codes import remove_codes
from app.services.operators.sessions import end_sessions_of
from app.services.passwords.hashing import hash_in_turn
from app.services.passwords.hashing_queue import Lane
from app.services.passwords.login_throttling import forget_account
from app.services.passwords.strength import require_operator_password
from app.services.principals import Device
from app.services.sessions.tokens import new_invitation, tenant_in_secret, token_hash
from app.text_cleaning import email_name

# Wrong passwords of operators are counted like those of users, under an id of no tenant.
OPERATORS = UUID(int=0)
INVITATION_LIFETIME = timedelta(days=3)


def invite_operator(actor: audit.Actor, email: str, role: str, tenant_slug: str | None) -> str:
    """Add an operator without a password, and return the secret of the invitation.

    Only this call returns the secret. Raises TenantUnknown or OperatorExists.
    """
    try:
        with transaction() as db:
            tenant = get_tenant(db, tenant_slug) if tenant_slug else None
            invitation = new_invitation(tenant.id if tenant else None)
            operator = Operator(
                id=new_id(),
                email=email_name(email),
                role=role,
                tenant_id=tenant.id if tenant else None,
            )
            _invite(operator, invitation)
            db.add(operator)
            _record(db, actor, "operator.invited", operator, after={"role": role})
    except IntegrityError as error:
        if violated_constraint(error) == "uq_operators_email":
            raise OperatorExists from None
        raise
    return invitation


def reset_operator(actor: audit.Actor, operator_id: UUID, *, even_last: bool = False) -> str:
    """Remove an operator's password and end every session; return the secret of a new invitation.

    One-time codes stay enrolled. Only the command line may reset the last platform admin
    (`even_last`): its user can issue a new invitation at any time. Raises OperatorUnknown,
    SelfResetRefused or LastPlatformOperator.
    """
    with transaction() as db:
        _refuse_self(actor, operator_id, SelfResetRefused)
        if not even_last:
            refuse_last_platform_operator(db, operator_id)
        operator = lock_operator(db, operator_id)
        had = {"password": bool(operator.password_hash)}
        operator.password_hash = None
        invitation = new_invitation(operator.tenant_id)
        _invite(operator, invitation)
        end_sessions_of(db, operator, "reset")
        told = {"before": had, "after": {"password": False}}
        _record(db, actor, "operator.reset", operator, **told)
    return invitation


def remove_operator_codes(actor: audit.Actor, operator_id: UUID) -> None:
    """Remove another operator's one-time codes and recovery codes, and end their sessions.

    Raises OperatorUnknown, SelfResetRefused or OneTimeCodesOff.
    """
    with transaction() as db:
        _refuse_self(actor, operator_id, SelfResetRefused)
        operator = lock_operator(db, operator_id)
        if operator.totp_step is None:
            raise OneTimeCodesOff
        remove_codes(db, operator)
        end_sessions_of(db, operator, "codes_removed")
        told = {"before": {"codes": True}, "after": {"codes": False}}
        _record(db, actor, "operator.codes_removed", operator, **told)


def _refuse_self(actor: audit.Actor, operator_id: UUID, failure: type[Failure]) -> None:
    if actor.kind == "operator" and actor.id == operator_id:
        raise failure


def accept_invitation(invitation: str, password: str, device: Device) -> str:
    """Set the password of an invited operator, and return the e-mail address.

    Raises InvitationInvalid if the invitation was used, has expired or does not exist, and
    PasswordTooShort or PasswordTooWeak; the invitation can be used again then.
    """
    with transaction() as db:
        # Checked first, because checking and hashing a password take long.
        invited = _lock_invited(db, invitation)
        tenant = db.get(Tenant, invited.tenant_id) if invited.tenant_id else None
    names = (tenant.name, tenant.slug) if tenant else ()
    require_operator_password(password, invited.email, *names)
    password_hash = hash_in_turn(password, Lane.OPERATORS, OPERATORS)
    with transaction() as db:
        operator = _lock_invited(db, invitation)
        operator.password_hash = password_hash
        operator.invitation_hash = operator.invitation_expires_at = None
        forget_account(db, OPERATORS, operator.email)
        actor = audit.Actor("operator", operator.id, device.ip)
        told = {"before": {"password": False}, "after": {"password": True}}
        _record(db, actor, "operator.password_set", operator, **told)
        return operator.email


def _lock_invited(db: Session, invitation: str) -> Operator:
    wanted = select(Operator).where(Operator.invitation_hash == token_hash(invitation))
    # Invitations of earlier releases do not name the tenant.
    if tenant_id := tenant_in_secret(invitation):
        wanted = wanted.where(Operator.tenant_id == tenant_id)
    operator: Operator | None = db.scalar(wanted.with_for_update())
    if operator is None or operator.status != "active" or _is_over(operator):
        raise InvitationInvalid
    return operator


def _is_over(operator: Operator) -> bool:
    return operator.invitation_expires_at is None or operator.invitation_expires_at <= now()


def _invite(operator: Operator, invitation: str) -> None:
    operator.invitation_hash = token_hash(invitation)
    operator.invitation_expires_at = now() + INVITATION_LIFETIME


def set_operator_status(actor: audit.Actor, operator_id: UUID, status: str) -> None:
    """Disable an operator and end all their sessions, or enable the operator.

    Raises OperatorUnknown. Disabling also raises LastPlatformOperator or SelfChangeRefused.
    """
    with transaction() as db:
        if status == "disabled":
            refuse_last_platform_operator(db, operator_id)
            _refuse_self(actor, operator_id, SelfChangeRefused)
        operator = lock_operator(db, operator_id)
        told = audit.before_and_after(operator, {"status": status})
        operator.status = status
        if status == "disabled":
            end_sessions_of(db, operator, "disabled")
        _record(db, actor, "operator.changed", operator, **told)


def end_all_operator_sessions(actor: audit.Actor) -> int:
    """End the sessions of all operators, and return their number."""
    with transaction() as db:
        operator_ids = db.scalars(select(Operator.id).order_by(Operator.id)).all()
    return sum(_end_sessions(actor, operator_id) for operator_id in operator_ids)


def _end_sessions(actor: audit.Actor, operator_id: UUID) -> int:
    with transaction() as db:
        operator = lock_operator(db, operator_id)
        ended = end_sessions_of(db, operator, "ended_by_operator")
        if ended:
            _record(db, actor, "operator.sessions_ended", operator, ended=ended)
        return ended


def change_role(actor: audit.Actor, operator_id: UUID, role: str, tenant_slug: str | None) -> None:
    """Change the role or the tenant of an operator. The operator's sessions end.

    Raises OperatorUnknown, TenantUnknown, LastPlatformOperator or SelfChangeRefused.
    """
    with transaction() as db:
        if role != "platform":
            refuse_last_platform_operator(db, operator_id)
        _refuse_self(actor, operator_id, SelfChangeRefused)
        operator = lock_operator(db, operator_id)
        tenant_id = get_tenant(db, tenant_slug).id if tenant_slug else None
        posts = (operator.role, operator.tenant_id), (role, tenant_id)
        operator.role, operator.tenant_id = role, tenant_id
        end_sessions_of(db, operator, "role_changed")
        # Recorded in the audit logs of both the old and the new tenant.
        for reader in dict.fromkeys(tenant for _, tenant in posts):
            before, after = (_post_as_read(reader, *post) for post in posts)
            told = {"before": before, "after": after}
            audit.record(db, reader, actor, "operator.changed", operator_id, **told)


def _post_as_read(reader: UUID | None, role: str, tenant_id: UUID | None) -> dict[str, str | None]:
    """Return a role for the audit log of a tenant. A role in another tenant is hidden."""
    if None not in (reader, tenant_id) and reader != tenant_id:
        return {"role": None, "tenant_id": None}
    return {"role": role, "tenant_id": str(tenant_id) if tenant_id else None}


def change_operator(
    actor: audit.Actor,
    operator_id: UUID,
    status: str | None = None,
    role: str | None = None,
    tenant_slug: str | None = None,
) -> ShownOperator:
    """Change an operator's status or role, and return the operator.

    Raises what `set_operator_status` and `change_role` raise.
    """
    if role is not None:
        change_role(actor, operator_id, role, tenant_slug)
    if status is not None:
        set_operator_status(actor, operator_id, status)
    return show_operator(operator_id)


def _record(
    db: Session, actor: audit.Actor, action: str, operator: Operator, **details: object
) -> None:
    db.flush()
    audit.record(db, operator.tenant_id, actor, action, operator.id, **details)
