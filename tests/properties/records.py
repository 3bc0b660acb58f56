"""Comparable records of the database and of the model."""

from hashlib import sha256
from typing import Any

from tests.fixtures.personas import Reader
from tests.properties.linking_model import LinkingModel

TABLES = ("tenants", "users", "phones", "social_accounts", "login_sessions", "merges")
# Columns that a request with a login token may change even if the request is refused.
SEEN_COLUMNS = ("seen_at", "expires_at")

Rows = dict[str, list[dict[str, Any]]]
# The records are lists instead of sets, so that duplicates are detected.
Records = dict[str, list[tuple[Any, ...]]]


def read(rows: Reader) -> Rows:
    """Return every row of TABLES by table."""
    tables: Rows = {name: [] for name in TABLES}
    each = (f"SELECT '{name}', to_jsonb(one) FROM {name} one" for name in TABLES)
    for table, row in rows(" UNION ALL ".join(each)):
        tables[table].append(row)
    return tables


def unchanged_by_use(rows: Rows) -> list[str]:
    """Return the rows as texts, without the columns that a refused request may change."""
    each = (row for table in rows.values() for row in table)
    return sorted(
        str([item for item in row.items() if item[0] not in SEEN_COLUMNS]) for row in each
    )


def stored_records(rows: Rows) -> Records:
    """Return the users, phone numbers, identities and sessions in the database."""
    tenant = {one["id"]: one["slug"] for one in rows["tenants"]}
    openid = {None: None} | {one["id"]: one["openid"] for one in rows["social_accounts"]}
    return _sorted(
        users=[
            (tenant[one["tenant_id"]], one["id"], one["status"], one["merged_into_id"])
            for one in rows["users"]
        ],
        phones=[(tenant[one["tenant_id"]], one["user_id"]) for one in rows["phones"]],
        social_accounts=[
            (tenant[one["tenant_id"]], one["appid"], one["openid"], one["user_id"])
            for one in rows["social_accounts"]
        ],
        login_sessions=[
            (
                one["token_hash"].removeprefix("\\x"),
                one["appid"],
                openid[one["social_account_id"]],
                one["user_id"],
                one["ended_at"] is not None,
            )
            for one in rows["login_sessions"]
        ],
    )


def modelled_records(model: LinkingModel) -> Records:
    """Return the users, phone numbers, identities and sessions in the model."""
    opened = [one for one in model.identities.values() if one.openid]
    return _sorted(
        users=[
            (one.tenant, one.id, one.status, one.merge and one.merge.into.id) for one in model.users
        ],
        phones=[(one.tenant, one.id) for one in model.users if one.phone],
        social_accounts=[
            (one.app.tenant, one.app.appid, one.openid, one.user and one.user.id) for one in opened
        ],
        login_sessions=[
            (
                hash_of(one.tokens[-1]),
                one.app.appid,
                one.identity and one.identity.openid,
                one.user and one.user.id,
                one.ended is not None,
            )
            for one in model.sessions
        ],
    )


def hash_of(token: str) -> str:
    """Return the SHA-256 hash of a token in hex."""
    return sha256(token.encode()).hexdigest()


def name_sessions(model: LinkingModel, rows: Rows) -> None:
    """Set the ids of the model's sessions from the database. Fail if a known id differs."""
    ids = {one["token_hash"].removeprefix("\\x"): one["id"] for one in rows["login_sessions"]}
    for session in model.sessions:
        session_id = ids[hash_of(session.tokens[-1])]
        assert session.id in (None, session_id)
        session.id = session_id


def _sorted(**records: list[tuple[Any, ...]]) -> Records:
    return {name: sorted(table, key=str) for name, table in records.items()}
