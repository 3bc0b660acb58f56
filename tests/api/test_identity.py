"""Reassigned phone numbers, undone merges and changed passwords."""

from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.services.login import binding, login, password_login
from app.services.users.credentials import check_credentials
from app.services.users.password_changes import set_password
from app.services.users.phone_numbers import number_from_wechat, phone_number
from tests.fixtures.passwords import GOOD_PASSWORD, OTHER_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)
from tests.services.login.test_concurrency import run_concurrently

ALICE = {"account": "alice", "password": GOOD_PASSWORD}
NEW = OTHER_PASSWORD


def run(app: Flask, *arguments: str, stdin: str = "") -> Result:
    """Run a CLI command of the service."""
    return app.test_cli_runner().invoke(args=list(arguments), input=stdin)


def undo(app: Flask, user_id: str, tenant: str = "acme") -> Result:
    """Undo a merge with the CLI command `users undo-merge`."""
    return run(app, "users", "undo-merge", user_id, "--tenant", tenant)


def change(client: Client, token: str, old: str, new: str = NEW) -> Any:
    """Change the password of the logged-in user."""
    body = {"old_password": old, "new_password": new}
    return client.send("POST", "/v1/me/password", token, json=body)


def merge(app: Flask, client: Client, alice: Person) -> tuple[str, str, str]:
    """Merge alice's user, which has no phone number, into the owner of a phone number.

    Return the id of the merged user, the id of the owner, and a login token of the owner.
    """
    owner = enter_user(app, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)
    client.log_in(alice, ACME_SHOP)
    tap = alice.tap_phone_new(ACME_CLUB)
    merged = client.post("phone", bare["token"], ACME_CLUB, **tap).json
    assert merged["user"]["id"] == owner
    return bare["user"]["id"], owner, merged["token"]


def test_a_reassigned_phone_number_does_not_bind_if_the_tenant_policy_is_refuse(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    assert run(app, "tenants", "set", "acme", "--phone-owner", "refuse").exit_code == 0
    owner = client.bind(alice)["user"]["id"]
    next_owner = Person(wechat, "next_owner", "13800138001")
    token = client.log_in(next_owner)["token"]
    refused = client.post("phone", token, **next_owner.tap_phone_new())
    assert failure(refused) == (409, "phone_owner_has_identity")
    wechat.fault("no_unionid", times=1)
    unknown = Person(wechat, "unknown", "13800138001")
    assert client.bind(unknown, ACME_CLUB)["user"]["id"] == owner, (
        "without a unionid, the next owner is not recognised as another person"
    )
    assert client.bind(alice)["user"]["id"] == owner
    assert rows.count("audit_events", "action = 'tenant.changed'") == 1
    run(app, "tenants", "set", "acme", "--phone-owner", "bind")
    assert client.post("phone", token, **next_owner.tap_phone_new()).json["user"]["id"] == owner


def test_a_reassigned_phone_number_is_detected_in_other_apps_by_the_unionid(
    app: Flask, client: Client, wechat: WeChat, alice: Person
) -> None:
    run(app, "tenants", "set", "acme", "--phone-owner", "refuse")
    client.bind(alice)
    next_owner = Person(wechat, "next_owner", "13800138001")
    bare = client.log_in(next_owner, ACME_CLUB)
    refused = client.post("phone", bare["token"], ACME_CLUB, **next_owner.tap_phone_new(ACME_CLUB))
    assert failure(refused) == (409, "phone_owner_has_identity")
    assert client.log_in(next_owner)["user"]["id"] == bare["user"]["id"]


def test_undoing_a_merge_returns_the_identities_to_the_merged_user(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    bare, owner, token = merge(app, client, alice)
    undone = undo(app, bare)
    assert undone.exit_code == 0, undone.output
    assert failure(client.me(token)) == (401, "session_revoked")
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == bare
    assert client.log_in(alice, ACME_SHOP)["user"]["id"] == bare
    assert rows.count("audit_events", "action = 'user.merge_undone'") == 1
    assert rows.count("users", f"id = '{owner}' AND status = 'active'") == 1
    again = undo(app, bare)
    assert (again.exit_code, "not_merged" in again.output) == (1, True)


def test_undoing_a_merge_also_returns_identities_that_were_linked_by_unionid_later(
    app: Flask, client: Client, alice: Person
) -> None:
    owner = enter_user(app, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)
    client.post("phone", bare["token"], ACME_CLUB, **alice.tap_phone_new(ACME_CLUB))
    joined = client.log_in(alice, ACME_SHOP)
    assert joined["user"]["id"] == owner
    assert undo(app, bare["user"]["id"]).exit_code == 0
    assert failure(client.me(joined["token"])) == (401, "session_revoked")
    assert client.log_in(alice, ACME_SHOP)["user"]["id"] == bare["user"]["id"]


def test_undoing_an_unknown_merge_or_one_after_30_days_fails(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    bare, owner, token = merge(app, client, alice)
    assert "user_unknown" in undo(app, bare, "globex").output
    assert "not_merged" in undo(app, owner).output
    rows("UPDATE merges SET merged_at = merged_at - interval '30 days'")
    assert "merge_too_old" in undo(app, bare).output
    assert client.me(token).json["id"] == owner


def test_undoing_a_merge_fails_after_an_identity_was_unlinked(
    app: Flask, client: Client, alice: Person
) -> None:
    bare, owner, token = merge(app, client, alice)
    unlinked = client.post("unbind", token, ACME_CLUB).json["token"]
    assert "merged_identities_gone" in undo(app, bare).output
    client.post("phone", unlinked, ACME_CLUB, **alice.tap_phone_new(ACME_CLUB))
    assert "merged_identities_gone" in undo(app, bare).output
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == owner


@pytest.mark.real_commits
def test_only_one_of_several_concurrent_undos_of_a_merge_succeeds(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    bare, _, _ = merge(app, client, alice)
    results = run_concurrently([lambda: undo(app, bare)] * 4)
    assert sorted(result.exit_code for result in results) == [0, 1, 1, 1]
    assert rows.count("audit_events", "action = 'user.merge_undone'") == 1
    assert rows.count("social_accounts", f"user_id = '{bare}' AND merge_id IS NULL") == 2


def test_changing_the_password_ends_the_users_other_sessions(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **ALICE)
    wechat_login = client.log_in(alice, **ALICE)["token"]
    other, own = (client.post("password-login", **ALICE).json["token"] for _ in range(2))
    assert failure(change(client, own, "wrong")) == (401, "credentials_wrong")
    assert failure(change(client, own, ALICE["password"], "short")) == (422, "request_invalid")
    assert change(client, own, ALICE["password"]).status_code == 204
    assert client.me(own).status_code == 200
    assert {client.me(token).status_code for token in (other, wechat_login)} == {401}
    assert client.post("password-login", **ALICE).status_code == 401
    assert client.post("password-login", account="alice", password=NEW).status_code == 200
    assert rows.count("audit_events", "action = 'user.password_changed'") == 1


@pytest.mark.parametrize("way", ["login", "password-login", "bind"])
def test_a_login_fails_if_the_password_changes_while_it_is_checked(
    way: str, app: Flask, client: Client, alice: Person, monkeypatch: Any, rows: Reader
) -> None:
    enter_user(app, **ALICE)
    unbound = client.log_in(alice)["token"]

    def check_while_the_password_changes(*proof: Any) -> Any:
        credentials = check_credentials(*proof)
        set_password("acme", "alice", NEW)
        return credentials

    for module in (login, password_login, binding):
        monkeypatch.setattr(module, "check_credentials", check_while_the_password_changes)
    code = {"code": alice.wx_login()} if way == "login" else {}
    assert failure(client.post(way, unbound, **code, **ALICE)) == (401, "credentials_wrong")
    assert rows.count("login_sessions", "user_id IS NOT NULL") == 0
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 0


def test_a_password_change_is_rejected_for_a_user_without_a_password(
    client: Client, alice: Person
) -> None:
    token = client.bind(alice)["token"]
    assert failure(change(client, token, "none")) == (409, "no_password")


@pytest.mark.usefixtures("no_waits_end")
def test_password_changes_with_wrong_old_passwords_are_throttled(
    app: Flask, client: Client
) -> None:
    enter_user(app, **ALICE)
    token = client.post("password-login", **ALICE).json["token"]
    codes = [change(client, token, "wrong").status_code for _ in range(8)]
    assert codes[:5] == [401] * 5
    assert 429 in codes


def test_setting_a_password_by_command_ends_the_users_sessions(
    app: Flask, client: Client, rows: Reader
) -> None:
    enter_user(app, **ALICE)
    token = client.post("password-login", **ALICE).json["token"]
    command = ("users", "set-password", "Alice", "--tenant", "acme", "--password-stdin")
    done = run(app, *command, stdin=NEW)
    assert (done.exit_code, NEW in done.output) == (0, False)
    assert failure(client.me(token)) == (401, "session_revoked")
    assert client.post("password-login", account="alice", password=NEW).status_code == 200
    assert rows.count("audit_events", "action = 'user.password_set'") == 1
    unknown = run(app, "users", "set-password", "bob", *command[3:], stdin=NEW)
    assert (unknown.exit_code, "user_unknown" in unknown.output) == (1, True)


@pytest.mark.parametrize("last", range(1, 5))
@pytest.mark.parametrize("country_code", ["86", "1"])
def test_a_wechat_test_phone_number_is_normalised_to_country_code_86(
    last: int, country_code: str
) -> None:
    """WeChat may deliver a test number with any country code."""
    number = number_from_wechat(f"1206660000{last}", country_code)
    assert (number.e164, number.country_code) == (f"+861206660000{last}", 86)
    assert phone_number(f"1206660000{last}") == number
