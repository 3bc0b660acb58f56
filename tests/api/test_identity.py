"""Recycled numbers, merges undone, and passwords replaced."""

from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.services.login import binding, login
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


def run(app: Flask, *arguments: str, said: str = "") -> Result:
    """Run an operator's command."""
    return app.test_cli_runner().invoke(args=list(arguments), input=said)


def undo(app: Flask, user_id: str, tenant: str = "acme") -> Result:
    """Undo a merge as an operator does."""
    return run(app, "users", "undo-merge", user_id, "--tenant", tenant)


def change(client: Client, token: str, old: str, new: str = NEW) -> Any:
    """Change one's own password."""
    body = {"old_password": old, "new_password": new}
    return client.send("POST", "/v1/me/password", token, json=body)


def merge(app: Flask, client: Client, alice: Person) -> tuple[str, str, str]:
    """Merge Alice's bare user into a phone's owner: the bare one, the owner, a login."""
    owner = enter_user(app, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)
    client.log_in(alice, ACME_SHOP)
    tap = alice.tap_phone_new(ACME_CLUB)
    merged = client.post("phone", bare["token"], ACME_CLUB, **tap).json
    assert merged["user"]["id"] == owner
    return bare["user"]["id"], owner, merged["token"]


def test_a_recycled_number_is_refused_where_the_tenant_says_so(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Otherwise a number's next owner gets all that was the last one's."""
    assert run(app, "tenants", "set", "acme", "--phone-owner", "refuse").exit_code == 0
    owner = client.bind(alice)["user"]["id"]
    heir = Person(wechat, "heir", "13800138001")
    token = client.log_in(heir)["token"]
    refused = client.post("phone", token, **heir.tap_phone_new())
    assert failure(refused) == (409, "phone_owner_has_identity")
    wechat.fault("no_unionid", times=1)
    unknown = Person(wechat, "unknown", "13800138001")
    assert client.bind(unknown, ACME_CLUB)["user"]["id"] == owner, "nobody knows it is another"
    assert client.bind(alice)["user"]["id"] == owner
    assert rows.count("audit_events", "action = 'tenant.changed'") == 1
    run(app, "tenants", "set", "acme", "--phone-owner", "bind")
    assert client.post("phone", token, **heir.tap_phone_new()).json["user"]["id"] == owner


def test_a_recycled_number_is_refused_in_every_app_by_the_unionid(
    app: Flask, client: Client, wechat: WeChat, alice: Person
) -> None:
    """Otherwise its next owner gets in by an app that the last one did not use, then by all."""
    run(app, "tenants", "set", "acme", "--phone-owner", "refuse")
    client.bind(alice)
    heir = Person(wechat, "heir", "13800138001")
    bare = client.log_in(heir, ACME_CLUB)
    refused = client.post("phone", bare["token"], ACME_CLUB, **heir.tap_phone_new(ACME_CLUB))
    assert failure(refused) == (409, "phone_owner_has_identity")
    assert client.log_in(heir)["user"]["id"] == bare["user"]["id"]


def test_an_undone_merge_gives_the_identities_back(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a merge by a recycled number is for ever."""
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


def test_an_undone_merge_gives_back_what_joined_by_unionid_since(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise a number's next owner stays in the last one's account, by another app."""
    owner = enter_user(app, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)
    client.post("phone", bare["token"], ACME_CLUB, **alice.tap_phone_new(ACME_CLUB))
    joined = client.log_in(alice, ACME_SHOP)
    assert joined["user"]["id"] == owner
    assert undo(app, bare["user"]["id"]).exit_code == 0
    assert failure(client.me(joined["token"])) == (401, "session_revoked")
    assert client.log_in(alice, ACME_SHOP)["user"]["id"] == bare["user"]["id"]


def test_a_merge_that_is_too_old_or_unknown_is_not_undone(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise an old merge tears a user apart, or another tenant's is undone."""
    bare, owner, token = merge(app, client, alice)
    assert "user_unknown" in undo(app, bare, "globex").output
    assert "not_merged" in undo(app, owner).output
    rows("UPDATE merges SET merged_at = merged_at - interval '30 days'")
    assert "merge_too_old" in undo(app, bare).output
    assert client.me(token).json["id"] == owner


def test_a_merge_whose_identities_were_freed_since_is_not_undone(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise undoing takes from people what they bound themselves."""
    bare, owner, token = merge(app, client, alice)
    freed = client.post("unbind", token, ACME_CLUB).json["token"]
    assert "merged_identities_gone" in undo(app, bare).output
    client.post("phone", freed, ACME_CLUB, **alice.tap_phone_new(ACME_CLUB))
    assert "merged_identities_gone" in undo(app, bare).output
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == owner


@pytest.mark.real_commits
def test_two_operators_who_undo_one_merge_undo_it_once(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise the trail tells of two, and the second ends sessions of the living."""
    bare, _, _ = merge(app, client, alice)
    results = run_concurrently([lambda: undo(app, bare)] * 4)
    assert sorted(result.exit_code for result in results) == [0, 1, 1, 1]
    assert rows.count("audit_events", "action = 'user.merge_undone'") == 1
    assert rows.count("social_accounts", f"user_id = '{bare}' AND merge_id IS NULL") == 2


def test_changing_ones_password_ends_every_other_session(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise whoever knows the old password stays in."""
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
def test_a_password_that_was_replaced_since_it_was_checked_opens_nothing(
    way: str, app: Flask, client: Client, alice: Person, monkeypatch: Any, rows: Reader
) -> None:
    """Otherwise whoever had the old one is in, after every session has been ended."""
    enter_user(app, **ALICE)
    unbound = client.log_in(alice)["token"]

    def check_and_be_overtaken(*proof: Any) -> Any:
        proven = check_credentials(*proof)
        set_password("acme", "alice", NEW)
        return proven

    for module in (login, binding):
        monkeypatch.setattr(module, "check_credentials", check_and_be_overtaken)
    code = {"code": alice.wx_login()} if way == "login" else {}
    assert failure(client.post(way, unbound, **code, **ALICE)) == (401, "credentials_wrong")
    assert rows.count("login_sessions", "user_id IS NOT NULL") == 0
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 0


def test_a_user_without_a_password_is_told_so(client: Client, alice: Person) -> None:
    """Otherwise a session that was stolen gets a password of its own."""
    token = client.bind(alice)["token"]
    assert failure(change(client, token, "none")) == (409, "no_password")


@pytest.mark.usefixtures("no_waits_end")
def test_the_old_password_is_not_guessed_here_either(app: Flask, client: Client) -> None:
    """Otherwise a stolen session is a way to guess at full speed."""
    enter_user(app, **ALICE)
    token = client.post("password-login", **ALICE).json["token"]
    codes = [change(client, token, "wrong").status_code for _ in range(8)]
    assert codes[:5] == [401] * 5
    assert 429 in codes


def test_an_operator_sets_a_password(app: Flask, client: Client, rows: Reader) -> None:
    """Otherwise whoever forgot theirs never comes back, or whoever stole it stays."""
    enter_user(app, **ALICE)
    token = client.post("password-login", **ALICE).json["token"]
    command = ("users", "set-password", "Alice", "--tenant", "acme", "--password-stdin")
    done = run(app, *command, said=NEW)
    assert (done.exit_code, NEW in done.output) == (0, False)
    assert failure(client.me(token)) == (401, "session_revoked")
    assert client.post("password-login", account="alice", password=NEW).status_code == 200
    assert rows.count("audit_events", "action = 'user.password_set'") == 1
    unknown = run(app, "users", "set-password", "bob", *command[3:], said=NEW)
    assert (unknown.exit_code, "user_unknown" in unknown.output) == (1, True)


@pytest.mark.parametrize("last", range(1, 5))
@pytest.mark.parametrize("country_code", ["86", "1"])
def test_a_test_number_has_one_spelling(last: int, country_code: str) -> None:
    """WeChat's test number is the number that an operator types, whichever country WeChat names."""
    number = number_from_wechat(f"1206660000{last}", country_code)
    assert (number.e164, number.country_code) == (f"+861206660000{last}", 86)
    assert phone_number(f"1206660000{last}") == number
