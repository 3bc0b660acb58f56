"""Social accounts: WeChat identities, as code2Session proves them."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import NoSocialAccount
from app.models import SocialAccount
from app.models.columns import new_id
from app.services.apps import AppConfig
from app.services.sessions import Caller
from app.services.transactions import transaction
from app.wechat import WeChatIdentity


def upsert_social_account(db: Session, app: AppConfig, identity: WeChatIdentity) -> SocialAccount:
    """Find or make the social account of an identity.

    One upsert: of many first logins at once, one inserts and the others meet its row. The row
    stays locked until the transaction ends.
    """
    fresh = insert(SocialAccount).values(
        id=new_id(),
        tenant_id=app.tenant_id,
        appid=app.appid,
        openid=identity.openid,
        unionid=identity.unionid,
        last_login_at=now(),
    )
    upsert = fresh.on_conflict_do_update(
        constraint="uq_social_accounts_appid_openid",
        set_={
            "last_login_at": fresh.excluded.last_login_at,
            "unionid": func.coalesce(fresh.excluded.unionid, SocialAccount.unionid),
        },
    )
    return db.scalars(upsert.returning(SocialAccount)).one()


def lock_social_account(db: Session, caller: Caller) -> SocialAccount:
    """Lock the caller's social account; raise NoSocialAccount after a login by password."""
    wanted = select(SocialAccount).where(
        SocialAccount.tenant_id == caller.tenant_id, SocialAccount.id == caller.social_account_id
    )
    account = db.scalar(wanted.with_for_update())
    if account is None:
        raise NoSocialAccount
    return account


def get_social_account(caller: Caller) -> SocialAccount:
    """Read the caller's social account; raise NoSocialAccount."""
    with transaction() as db:
        account = db.scalar(
            select(SocialAccount).where(
                SocialAccount.tenant_id == caller.tenant_id,
                SocialAccount.id == caller.social_account_id,
            )
        )
    if account is None:
        raise NoSocialAccount
    return account


def find_user_of_unionid(db: Session, account: SocialAccount) -> UUID | None:
    """Find the one user of the tenant to whom another identity with this unionid is bound.

    Serialised by unionid, so that two apps of the tenant that meet the same person at the same
    moment do not register them twice. When identities with this unionid belong to several
    users, nobody can say which one it is: none.
    """
    if account.unionid is None or not account.joins_by_unionid:
        return None
    key = func.hashtextextended(f"{account.tenant_id}|{account.unionid}", 0)
    db.execute(select(func.pg_advisory_xact_lock(key)))
    owners = db.scalars(
        select(SocialAccount.user_id)
        .where(
            SocialAccount.tenant_id == account.tenant_id,
            SocialAccount.unionid == account.unionid,
            SocialAccount.user_id.is_not(None),
        )
        .distinct()
        .limit(2)
    ).all()
    return owners[0] if len(owners) == 1 else None
