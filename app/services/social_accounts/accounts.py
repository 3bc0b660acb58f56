"""Social accounts: WeChat identities that code2Session has confirmed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from app.clock import now
from app.errors import AppUnknown, Failure, NoSocialAccount, TokenInvalid
from app.models import Measure, SocialAccount, WeChatApp
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.database.transactions import autocommit
from app.services.metrics.counts import count_if_committed, day_of
from app.services.principals import Principal
from app.wechat import WeChatIdentity

# Held until the end of the transaction, so that simultaneous first logins in two apps of the tenant
# register only one user.
LOCK_UNIONID = """
SELECT pg_advisory_xact_lock(
    hashtextextended(concat(%(tenant_id)s::uuid, '|', %(unionid)s::text), 0)
)
"""
READ_OPENID = """
SELECT openid FROM social_accounts WHERE tenant_id = %(tenant_id)s AND id = %(account_id)s
"""


def upsert_social_account(
    db: Session, app: AppConfig, identity: WeChatIdentity
) -> tuple[SocialAccount, bool]:
    """Find or add the social account of an identity. Return it and whether its unionid is new.

    Of several simultaneous first logins, one inserts the row and the others find it. The row stays
    locked until the transaction ends. An added account is counted as a newcomer. Raises AppUnknown
    if the app has been released or moved to another tenant.
    """
    moment, fresh_id = now(), new_id()
    known = db.execute(_lock_app(app, identity)).one_or_none()
    if known is None:
        raise AppUnknown("the app was released or moved")
    account = db.scalars(_upsert(app, identity, fresh_id, moment)).one()
    if account.id == fresh_id:
        count_if_committed(db, app.appid, Measure.NEWCOMERS, day_of(moment))
    return account, account.unionid != known.unionid


def _lock_app(app: AppConfig, identity: WeChatIdentity) -> Select[str | None]:
    """Return a query that locks the app and reads the stored unionid of an identity.

    It returns no row if a release of the app has begun. A release moves the accounts of its app,
    and one added later would collide. If a concurrent login stores the unionid after this query,
    both logins treat it as new.
    """
    its = and_(
        SocialAccount.tenant_id == app.tenant_id,
        SocialAccount.appid == app.appid,
        SocialAccount.openid == identity.openid,
    )
    in_use = (
        WeChatApp.tenant_id == app.tenant_id,
        WeChatApp.appid == app.appid,
        WeChatApp.released_at.is_(None),
    )
    known = select(SocialAccount.unionid).select_from(WeChatApp).outerjoin(SocialAccount, its)
    return known.where(*in_use).with_for_update(read=True, key_share=True, of=WeChatApp)


def _upsert(
    app: AppConfig, identity: WeChatIdentity, fresh_id: UUID, moment: datetime
) -> ReturningInsert[SocialAccount]:
    """Return the statement that inserts the account, or updates it if it exists."""
    values = {
        "id": fresh_id,
        "tenant_id": app.tenant_id,
        "appid": app.appid,
        "openid": identity.openid,
        "unionid": identity.unionid,
        "last_login_at": moment,
        "created_at": moment,
    }
    fresh = insert(SocialAccount).values(values)
    upsert = fresh.on_conflict_do_update(
        constraint="uq_social_accounts_tenant_id_appid_openid",
        set_={
            "last_login_at": fresh.excluded.last_login_at,
            "unionid": func.coalesce(fresh.excluded.unionid, SocialAccount.unionid),
        },
    )
    return upsert.returning(SocialAccount)


def lock_social_account(db: Session, principal: Principal) -> SocialAccount:
    """Return the caller's social account, with a lock on its row.

    Raises NoSocialAccount for a login by password, and TokenInvalid if the person was erased.
    """
    wanted = select(SocialAccount).where(
        SocialAccount.tenant_id == principal.tenant_id,
        SocialAccount.id == principal.social_account_id,
    )
    account = db.scalar(wanted.with_for_update())
    if account is None:
        raise missing_account(principal)
    return account


def get_openid(principal: Principal) -> str:
    """Return the caller's openid. Raises like `lock_social_account`."""
    where = {"tenant_id": principal.tenant_id, "account_id": principal.social_account_id}
    with autocommit() as db:
        row = db.execute(READ_OPENID, where).fetchone()
    if row is None:
        raise missing_account(principal)
    return str(row[0])


def missing_account(principal: Principal) -> Failure:
    """Return NoSocialAccount for a login by password, or TokenInvalid if the person was erased."""
    return NoSocialAccount() if principal.social_account_id is None else TokenInvalid()


def lock_unionid(db: Session, tenant_id: UUID, unionid: str | None) -> None:
    """Take the lock of `LOCK_UNIONID` in the caller's transaction, if there is a unionid."""
    if unionid is not None:
        where = {"tenant_id": tenant_id, "unionid": unionid}
        db.connection().exec_driver_sql(LOCK_UNIONID, where)


def find_users_of_unionid(db: Session, account: SocialAccount) -> Sequence[UUID]:
    """Return the ids of users with other identities of the account's unionid, two at most.

    Locks the unionid.
    """
    if account.unionid is None or not account.joins_by_unionid:
        return ()
    lock_unionid(db, account.tenant_id, account.unionid)
    users = select(SocialAccount.user_id).where(
        SocialAccount.tenant_id == account.tenant_id,
        SocialAccount.unionid == account.unionid,
        SocialAccount.user_id.is_distinct_from(account.user_id),
    )
    found = db.scalars(users.distinct().limit(3))
    return [user_id for user_id in found if user_id is not None][:2]
