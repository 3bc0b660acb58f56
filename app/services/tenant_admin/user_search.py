"""Search for users by one text: an id, phone number, openid, account or nickname."""

import re
from collections.abc import Iterator, Sequence
from uuid import UUID

from app.errors import PhoneNotMobile, PhonePlusMissing, PhoneSearchIncomplete, UserUnknown
from app.services.database.paging import CursorPage
from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.tenant_admin.users import FoundUser, UserQuery, find_users, show_user_page

PHONE = re.compile(r"\+?[0-9][0-9 ()-]{5,30}")
OPENID = re.compile(r"[A-Za-z0-9_-]{28}")


def search_users(scope: TenantScope, text: str, limit: int) -> Sequence[FoundUser]:
    """Return up to `limit` users of the tenant that match the text, the best matches first.

    Ids, phone numbers and openids have to be complete. Accounts and nicknames match by their
    beginning. A text that cannot be a phone number is not an error.
    """
    found: dict[UUID, FoundUser] = {}
    for users in _matches(scope, text, limit):
        found |= {user.id: user for user in users}
        if len(found) >= limit:
            break
    return list(found.values())[:limit]


def _matches(scope: TenantScope, text: str, limit: int) -> Iterator[Sequence[FoundUser]]:
    yield _find_by_id(scope, text)
    if PHONE.fullmatch(text):
        yield _find(scope, UserQuery(phone=text), limit)
    if OPENID.fullmatch(text):
        yield _find(scope, UserQuery(openid=text), limit)
    yield _find(scope, UserQuery(name=text), limit)


def _find_by_id(scope: TenantScope, text: str) -> Sequence[FoundUser]:
    try:
        return [show_user_page(scope, UUID(text)).user]
    except (ValueError, UserUnknown):
        return ()


def _find(scope: TenantScope, query: UserQuery, limit: int) -> Sequence[FoundUser]:
    try:
        return find_users(scope, query, CursorPage(limit=limit)).items
    except (PhoneNotMobile, PhonePlusMissing, PhoneSearchIncomplete):
        return ()
