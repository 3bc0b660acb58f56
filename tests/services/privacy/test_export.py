"""Export of all data about a user, without data about other users."""

import json
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from app.services.privacy import export
from app.services.sessions.tokens import token_hash
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
)
from tests.fixtures.portal import Portal, configure, event, succeeded
from tests.fixtures.tables import read_tables

CREDENTIALS = {"account": "alice", "password": GOOD_PASSWORD}

# For each part of the export: the table, and the columns that are not exported, because they hold
# secrets, hashes or blind indexes. The column `tenant_id` is never exported.
PARTS = {
    "users": ("users", {"password_hash"}),
    "phones": ("phones", {"number_index", "number_sealed"}),
    "identities": ("social_accounts", set[str]()),
    "merges": ("merges", set[str]()),
    "sessions": (
        "login_sessions",
        {
            *("token_hash", "previous_token_hash", "refresh_family_hash", "refresh_hash"),
            *("previous_refresh_hash", "refresh_salt", "verified_number_index"),
            # The form of the tokens, which are not exported either.
            "names_tenant",
        },
    ),
    "pushes": (
        "wechat_pushes",
        {"key_index", "delivery_index", "person_index", "failure", "message_sealed"},
    ),
    "session_keys": ("session_keys", {"key_index", "session_key_sealed"}),
    "code_exchanges": ("code_exchanges", {"code_index", "asked_by"}),
    "password_tries": ("password_tries", {"key", "account_key"}),
    "audit_events": ("audit_events", set[str]()),
}
# Exported fields that replace such columns: the decrypted value, or whether there is a value.
REPLACEMENTS = {"phones": {"number"}, "pushes": {"message"}, "users": {"has_password"}}
# Tables without data about users.
WITHOUT_USER_DATA = {
    *("tenants", "wechat_apps", "wechat_access_tokens", "signing_keys", "key_proofs"),
    *("operators", "operator_sessions", "operator_recovery_codes"),
    *("daily_counts", "daily_failures", "answer_times", "minute_counts", "minute_failures"),
    # Requests of operators, kept for an hour and for a day.
    *("people_imports", "idempotent_requests"),
    # Appids entered by operators.
    *("app_claims", "verification_budgets"),
    # Messages to operators about mini-programs and the service.
    *("alert_channels", "alerts", "alert_mutes", "alert_deliveries"),
    *("alert_leases", "alert_signals"),
    # Written by migrations, and by jobs of the platform.
    *("schema_compatibility", "job_runs"),
    # Events of operators, keys and appids, which belong to no tenant.
    "platform_audit_events",
}


def request_export(client: Client, token: str) -> dict[str, list[dict[str, Any]]]:
    """Request the export of a user, check the response headers, and return the parsed JSON."""
    answer = client.send("GET", "/v1/me/export", token)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    return json.loads(answer.data)


@pytest.fixture
def token(app: Flask, client: Client, alice: Person, bob: Person) -> str:
    """Return a token of Alice, about whom every part has rows. So have Bob and Alice at globex."""
    client.log_in(alice, ACME_CLUB)  # A user without a phone, merged later.
    enter_user(app, **CREDENTIALS, phone="13800138001")
    client.bind(bob)
    client.bind(alice, GLOBEX_LIFE)
    login = client.bind(alice)
    client.post("profile", login["token"], nickname="Alice 小花")
    configure(app)
    gone = event(OpenID=login["openid"], RevokeInfo="16")
    assert succeeded(Portal(client).push(gone))
    wrote = {"MsgType": "text", "FromUserName": login["openid"], "Content": "what I wrote"}
    assert succeeded(Portal(client).push(event("text", **wrote)))
    for account in ("alice", "bob"):
        client.post("password-login", account=account, password="wrong-password")
    return str(login["token"])


def test_export_contains_every_row_and_column_about_the_user(
    client: Client, token: str, alice: Person, rows: Reader
) -> None:
    exported, kept = request_export(client, token), read_tables(rows)
    user = client.me(token).json["id"]
    assert set(exported) == set(PARTS)
    users = {one["id"] for one in exported["users"]}
    assert user in users
    merged = [row for row in kept["users"].values() if str(row["merged_into_id"]) == user]
    assert users == {user, *(str(row["id"]) for row in merged)}
    assert merged
    for part, (table, secret) in PARTS.items():
        columns = {column.name for column in db.metadata.tables[table].columns}
        shown = columns - secret - {"tenant_id"} | REPLACEMENTS.get(part, set())
        assert exported[part], part
        assert all(set(row) == shown for row in exported[part]), part
    accounts = [row for row in kept["social_accounts"].values() if str(row["user_id"]) in users]
    assert {one["id"] for one in exported["identities"]} == {str(row["id"]) for row in accounts}
    ids = {str(row["id"]) for row in accounts}
    for part, table in (("sessions", "login_sessions"), ("phones", "phones")):
        owned = {
            str(row["id"])
            for row in kept[table].values()
            if str(row["user_id"]) in users or str(row.get("social_account_id")) in ids
        }
        assert {one["id"] for one in exported[part]} == owned
    assert [one["number"] for one in exported["phones"]] == ["+8613800138001"]
    keys = [row for row in kept["session_keys"].values() if str(row["social_account_id"]) in ids]
    assert {one["id"] for one in exported["session_keys"]} == {str(row["id"]) for row in keys}
    sessions = {one["id"] for one in exported["sessions"]}
    codes = {str(row["session_id"]) for row in kept["code_exchanges"].values()}
    assert {one["session_id"] for one in exported["code_exchanges"]} == codes & sessions
    assert len(codes - sessions) >= 2, "there are code exchanges of other users"
    assert len(exported["password_tries"]) == 2, (
        "one count by account, one by account and IP address"
    )
    assert [one["has_password"] for one in exported["users"] if one["account"]] == [True]
    assert [one["event"] for one in exported["pushes"]] == ["user_authorization_revoke", "text"]
    handled, written = (one["message"] for one in exported["pushes"])
    assert (handled, json.loads(written)["Content"]) == (None, "what I wrote")
    actions = [one["action"] for one in exported["audit_events"]]
    assert {"user.added", "consent.withdrawn", "user.merged", "user.exported"} <= set(actions)


def test_every_table_is_part_of_the_export_or_is_listed_as_containing_no_user_data() -> None:
    assert {table for table, _ in PARTS.values()} | WITHOUT_USER_DATA == set(db.metadata.tables)


def test_export_contains_no_secrets_and_no_data_about_other_users(
    client: Client, token: str, bob: Person, rows: Reader
) -> None:
    text = json.dumps(request_export(client, token))
    kept = read_tables(rows)
    mine = {token, token_hash(token).hex()}
    for row in kept["login_sessions"].values():
        mine |= {bytes(row[name]).hex() for name in row if name.endswith("_hash") and row[name]}
    mine |= {row["session_key_sealed"] for row in kept["session_keys"].values()}
    mine |= {row["password_hash"] for row in kept["users"].values() if row["password_hash"]}
    bobs = client.bind(bob)
    others = {bob.phone, bobs["user"]["id"], bobs["openid"]}
    others |= {
        str(t)
        for (t,) in rows(
            "SELECT id FROM users u WHERE tenant_id ="
            " (SELECT id FROM tenants WHERE slug = 'globex')"
        )
    }
    assert [one for one in mine | others if one in text] == []


def test_export_is_recorded_in_the_audit_log(client: Client, token: str, rows: Reader) -> None:
    request_export(client, token)
    user = client.me(token).json["id"]
    assert rows(
        "SELECT actor_kind, actor_id::text, subject, ip FROM audit_events"
        " WHERE action = 'user.exported'"
    ) == [("user", user, user, "127.0.0.1")]


def test_export_read_in_several_database_pages_is_complete(
    client: Client, token: str, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = request_export(client, token)
    monkeypatch.setattr(export, "PAGE", 2)
    paged = request_export(client, token)
    paged["audit_events"].pop()  # The second export.
    assert len(whole["audit_events"]) > 4
    assert paged == whole


def test_export_omits_an_unbound_identity_of_another_person_who_used_the_account(
    app: Flask, client: Client, wechat: WeChat
) -> None:
    enter_user(app, **CREDENTIALS)
    dave = Person(wechat, "dave", "13800138009")
    token = client.log_in(dave, ACME_SHOP, **CREDENTIALS)["token"]
    client.post("profile", token, nickname="Dave")
    free = client.post("unbind", token).json
    mine = client.post("password-login", **CREDENTIALS).json["token"]
    text = json.dumps(request_export(client, mine)["identities"])
    assert free["openid"] not in text


@pytest.mark.real_commits
def test_export_download_holds_no_database_connection_between_pages(
    app: Flask, client: Client, token: str
) -> None:
    answer = client.send("GET", "/v1/me/export", token, buffered=False)
    assert next(answer.iter_encoded())
    with app.app_context():
        assert db.engine.pool.checkedout() == 0
    answer.close()
