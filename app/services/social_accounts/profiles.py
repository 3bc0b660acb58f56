"""Nickname and avatar of a social account and of its user."""

from dataclasses import dataclass
from unicodedata import category
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.errors import TokenInvalid
from app.models import SocialAccount, User
from app.services.database.transactions import transaction
from app.services.principals import Principal
from app.services.users.merges import with_merged

MAX_PROFILE_LENGTH = 512
# Base library 2.27.1 and newer return this text instead of the nickname, with a grey avatar.
PLACEHOLDER_NICKNAME = "微信用户"
UNPRESENTABLE = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class AccountProfile:
    """The nickname and avatar of a social account."""

    nickname: str | None
    avatar_url: str | None

    @property
    def has_chosen_nickname(self) -> bool:
        """Return whether there is a nickname that is not WeChat's placeholder."""
        return bool(self.nickname) and self.nickname != PLACEHOLDER_NICKNAME


def presentable(text: str) -> str:
    """Remove characters that cannot be stored or displayed, and truncate to the maximum length."""
    return "".join(char for char in text if category(char) not in UNPRESENTABLE)[
        :MAX_PROFILE_LENGTH
    ]


def keep_typed_profile(
    principal: Principal, *, nickname: str, avatar_url: str = ""
) -> AccountProfile:
    """Store the nickname and avatar that the person entered. They are not verified."""
    with transaction() as db:
        write_profile(db, principal, principal.user_id, nickname, avatar_url)
        return read_profile(db, principal)


def name_newcomer(db: Session, account: SocialAccount, profile: AccountProfile) -> None:
    """Store the client's profile in the caller's transaction if the account has no nickname yet.

    The client's profile is not verified, so it never replaces a nickname.
    """
    if account.nickname or not profile.nickname or not profile.has_chosen_nickname:
        return
    account.nickname = profile.nickname.strip()
    account.avatar_url = profile.avatar_url or account.avatar_url
    name_user(db, account)


def name_user(db: Session, account: SocialAccount) -> None:
    """Copy the nickname of a social account to its user if the user has no nickname.

    The avatar is copied too if the user has no avatar.
    """
    if account.user_id is None or account.nickname is None:
        return
    nameless = update(User).where(
        User.tenant_id == account.tenant_id, User.id == account.user_id, User.nickname.is_(None)
    )
    avatar_url = func.coalesce(User.avatar_url, account.avatar_url)
    db.execute(nameless.values(nickname=account.nickname, avatar_url=avatar_url))


def write_profile(
    db: Session,
    principal: Principal,
    user_id: UUID | None,
    nickname: str,
    avatar_url: str,
    gender: int = 0,
) -> None:
    """Write a profile in the caller's transaction. An empty value never replaces a stored one."""
    texts = {"nickname": nickname.strip(), "avatar_url": avatar_url}
    changes: dict[str, str | int] = {name: text for name, text in texts.items() if text}
    if not changes:
        return
    account = update(SocialAccount).where(
        SocialAccount.tenant_id == principal.tenant_id,
        SocialAccount.id == principal.social_account_id,
    )
    user = update(User).where(User.tenant_id == principal.tenant_id, User.id == user_id)
    db.execute(account.values(changes))
    db.execute(user.values(changes | ({"gender": gender} if gender else {})))


def clear_profile(db: Session, account: SocialAccount) -> None:
    """Clear the nickname and avatar of a locked social account and of its user.

    The user, and users merged into this user, keep a value only if another identity of the user has
    the same value: a typed value may repeat the value from WeChat.
    """
    named = (
        User.tenant_id == account.tenant_id,
        User.id.in_(with_merged(account.tenant_id, account.user_id)),
    )
    for name in ("nickname", "avatar_url"):
        column = getattr(User, name)
        of_another = select(getattr(SocialAccount, name)).where(
            SocialAccount.tenant_id == account.tenant_id,
            SocialAccount.user_id == account.user_id,
            SocialAccount.id != account.id,
            getattr(SocialAccount, name).is_not(None),
        )
        users = update(User).where(*named, column.not_in(of_another))
        db.execute(users.values({name: None}).execution_options(synchronize_session=False))
        setattr(account, name, None)


def read_profile(db: Session, principal: Principal) -> AccountProfile:
    """Return the profile of the caller's social account, or of their user if they have none.

    Raises TokenInvalid if the account or the user was erased during the request.
    """
    account = select(SocialAccount.nickname, SocialAccount.avatar_url).where(
        SocialAccount.tenant_id == principal.tenant_id,
        SocialAccount.id == principal.social_account_id,
    )
    user = select(User.nickname, User.avatar_url).where(
        User.tenant_id == principal.tenant_id, User.id == principal.user_id
    )
    row = db.execute(account if principal.social_account_id else user).one_or_none()
    if row is None:
        raise TokenInvalid
    return AccountProfile(*row)
