"""Session keys: open data from WeChat is decrypted with one of the last three keys."""

from datetime import timedelta

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade

from app.clock import now
from app.extensions import db
from app.keyring import keyring
from app.services.apps.apps import get_app
from app.services.database.transactions import transaction
from app.services.social_accounts.accounts import upsert_social_account
from app.services.social_accounts.session_keys import keep_session_key
from app.wechat import WeChatIdentity
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, WeChat, failure

KEY_EXPIRED = (409, "session_key_expired")


@pytest.mark.parametrize("logins", [1, 2])
def test_open_data_encrypted_before_later_logins_is_still_decrypted(
    client: Client, alice: Person, rows: Reader, logins: int
) -> None:
    """A `wx.login` in the callback of the button replaces the session_key at WeChat."""
    token = client.log_in(alice)["token"]
    phone, info = alice.tap_phone_old(), alice.tap_user_info()
    for _ in range(logins):
        client.log_in(alice)
    assert client.post("profile", token, **info).json["nickname"] == "alice 🌸 小花"
    assert client.post("phone", token, **phone).json["user"]["phone"] == "+8613800138001"


def test_fourth_session_key_replaces_the_oldest(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    tap = alice.tap_phone_old()
    for _ in range(3):
        client.log_in(alice)
    refused = client.post("phone", token, **tap)
    assert failure(refused) == KEY_EXPIRED
    assert "wx.login" in refused.json["detail"]
    assert rows.count("session_keys") == 3
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200


def test_session_keys_except_the_newest_expire_after_three_days(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    tap = alice.tap_phone_old()
    client.log_in(alice)
    rows("UPDATE session_keys SET asked_at = asked_at - interval '3 days'")
    assert failure(client.post("phone", token, **tap)) == KEY_EXPIRED
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200


def test_session_key_returned_repeatedly_by_wechat_is_stored_once(app: Flask, rows: Reader) -> None:
    given = [("a", 0), ("b", 1), ("b", 2), ("b", 3), ("a", -1)]
    with app.app_context():
        shop = get_app(ACME_SHOP.appid)
        for key, seconds in given:
            identity = WeChatIdentity("openid", key * 24, None)
            with transaction() as db:
                account, _ = upsert_social_account(db, shop, identity)
                keep_session_key(
                    db, account, identity.session_key, now() + timedelta(seconds=seconds)
                )
    assert rows.count("session_keys") == 2


def test_late_code_exchange_does_not_replace_a_newer_session_key(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    openid = rows("SELECT openid FROM social_accounts")[0][0]
    with app.app_context():
        for number in range(3):
            late = WeChatIdentity(openid, f"{number}" * 22 + "==", None)
            with transaction() as db:
                account, _ = upsert_social_account(db, get_app(ACME_SHOP.appid), late)
                asked_at = now() - timedelta(seconds=60 - number)
                keep_session_key(db, account, late.session_key, asked_at)
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200


def test_undecryptable_open_data_or_session_key_is_refused_as_session_key_expired(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    token, tap = client.log_in(alice)["token"], alice.tap_phone_old()
    client.log_in(bob)
    assert failure(client.post("phone", token, **bob.tap_phone_old())) == KEY_EXPIRED
    bobs = "(SELECT session_key_sealed FROM session_keys ORDER BY asked_at DESC LIMIT 1)"
    rows(f"UPDATE session_keys SET session_key_sealed = {bobs}")
    for moved in (tap, alice.tap_phone_old(), bob.tap_phone_old()):
        assert failure(client.post("phone", token, **moved)) == KEY_EXPIRED
    rows("UPDATE session_keys SET session_key_sealed = 'k1:' || repeat('A', 60)")
    assert failure(client.post("phone", token, **tap)) == KEY_EXPIRED
    club = client.log_in(alice, ACME_CLUB)["token"]
    refused = client.post("phone", club, ACME_CLUB, **alice.tap_phone_old(ACME_SHOP))
    assert failure(refused) == KEY_EXPIRED


@pytest.mark.real_commits
def test_migration_moves_session_keys_from_social_accounts_to_the_session_keys_table(
    app: Flask, client: Client, alice: Person, bob: Person, wechat: WeChat, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    client.log_in(bob)
    asked = {"person": "alice", "appid": ACME_SHOP.appid}
    session_key = wechat.ask("session-key", **asked)["session_key"]
    first = "SELECT openid FROM social_accounts ORDER BY created_at LIMIT 1"
    openid = rows(first)[0][0]
    with app.app_context():
        place = f"social_accounts.session_key_sealed:{ACME_SHOP.appid}|{openid}"
        sealed = keyring().seal(session_key, place)
        db.engine.dispose()
        downgrade(revision="0001")
        try:
            rows(
                "UPDATE social_accounts SET session_key_sealed = :sealed WHERE openid = :openid",
                sealed=sealed,
                openid=openid,
            )
        finally:
            upgrade()
    assert rows.count("session_keys") == 1, "the key that cannot be decrypted is dropped"
    assert session_key not in str(rows("SELECT session_key_sealed FROM session_keys"))
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200
