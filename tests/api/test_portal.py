"""WeChat's message push: URL verification, storage and handling of events."""

import json
import time
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from flask import Flask
from structlog.testing import capture_logs

from app.keyring import keyring
from app.models import WeChatPush
from app.services.database.transactions import transaction
from app.services.pushes.receive import HANDLERS
from app.simulator.pushes.wire import Delivery, sign
from app.wechat import read_push
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, failure
from tests.fixtures.portal import (
    AES_KEY,
    OPENID,
    REVOKE,
    TOKEN,
    Portal,
    address_of,
    configure,
    event,
    forget_nickname,
    succeeded,
)

SHOP = address_of(ACME_SHOP)
WAYS = list(product(["plain", "compatible", "safe"], ["json", "xml"]))


@pytest.fixture
def portal(app: Flask, client: Client) -> Portal:
    """Return the portal of acme's shop, with push secrets on both sides."""
    configure(app)
    return Portal(client)


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a handler for one event."""
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)


# URL verification


def verification(portal: Portal, **changes: str) -> dict[str, str]:
    """Return the query with which WeChat verifies a push URL."""
    signed = portal.write(event(), "plain").query
    return {name: signed[name] for name in ("signature", "timestamp", "nonce")} | changes


@pytest.mark.parametrize("echostr", ["4375120948345356249", "a b+c/=&<script>", "小花"])
def test_url_verification_returns_the_echostr_unchanged(
    portal: Portal, client: Client, echostr: str
) -> None:
    answer = client.send("GET", SHOP, query_string=verification(portal, echostr=echostr))
    assert (answer.status_code, answer.text) == (200, echostr)
    assert answer.mimetype == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "change", [{"signature": "0" * 40}, {"nonce": "1"}, {"timestamp": "1714036504"}]
)
def test_a_url_verification_with_a_wrong_signature_is_rejected(
    portal: Portal, client: Client, change: dict[str, str]
) -> None:
    query = verification(portal, echostr="1") | change
    answer = client.send("GET", SHOP, query_string=query)
    assert failure(answer) == (403, "push_signature_wrong")


def test_a_push_to_an_app_without_push_secrets_fails_with_push_not_configured(
    client: Client, app: Flask, rows: Reader
) -> None:
    portal = Portal(client)
    query = verification(portal, echostr="1")
    assert failure(client.send("GET", SHOP, query_string=query)) == (403, "push_not_configured")
    assert failure(portal.push(event())) == (403, "push_not_configured")
    configure(app, key=None)
    assert failure(portal.push(event())) == (403, "push_not_configured")
    assert rows.count("wechat_pushes") == 0


def test_a_push_for_an_unknown_app_is_rejected(portal: Portal, client: Client) -> None:
    for appid in ("wxnobody", "a%00b", "x" * 65, "微信"):
        answer = client.send("POST", f"/wx/portal/{appid}", data="{}")
        assert failure(answer) == (404, "app_unknown")


# Events


@pytest.mark.parametrize(
    "how", list(product(["plain", "compatible", "safe"], ["json", "xml"])), ids=str
)
@pytest.mark.parametrize("content_type", ["text/xml", "application/json", "", "text/plain"])
@pytest.mark.usefixtures("handler")
def test_a_push_is_handled_in_every_mode_format_and_content_type(
    portal: Portal, app: Flask, rows: Reader, how: tuple[str, str], content_type: str
) -> None:
    if how[0] == "plain":
        configure(app, key=None)
    delivery = portal.write(event(), *how)
    assert succeeded(portal.send(delivery, content_type=content_type))
    assert rows("SELECT event, handled_at IS NULL, failure FROM wechat_pushes") == [
        (REVOKE, False, None)
    ]
    assert rows("SELECT details FROM audit_events WHERE action = 'test.handled'") == [
        ({"infos": "(8,)"},)
    ]


def test_a_revocation_event_changes_only_the_user_with_the_openid_of_the_event(
    portal: Portal, client: Client, alice: Person, bob: Person, rows: Reader, handler: None
) -> None:
    for person in (alice, bob):
        client.post("profile", client.log_in(person)["token"], nickname=person.name)
    openid = client.log_in(alice)["openid"]
    assert succeeded(portal.push(event(OpenID=openid)))
    assert rows("SELECT nickname FROM social_accounts ORDER BY nickname") == [("bob",), (None,)]


def test_an_event_without_a_handler_is_logged_by_name_and_stored(
    portal: Portal, app: Flask, rows: Reader
) -> None:
    with capture_logs() as logs:
        assert succeeded(portal.push(event("debug_demo", debug_str="hello world 🌸")))
        assert succeeded(portal.push(event("text", MsgType="text", MsgId=7, Content="你好")))
    assert [log["push_event"] for log in logs if log["event"] == "push_kept"] == [
        "debug_demo",
        "text",
    ]
    assert "hello" not in str(logs)
    with app.app_context(), transaction() as db:
        stored = db.query(WeChatPush).order_by(WeChatPush.id).all()
        messages = [json.loads(push.message or "") for push in stored]
    assert (messages[0]["debug_str"], messages[1]["Content"]) == ("hello world 🌸", "你好")
    assert {(push.handled_at, push.failure) for push in stored} == {(None, None)}


def test_a_stored_push_contains_no_plaintext_of_the_message_or_secrets(
    portal: Portal, rows: Reader
) -> None:
    portal.push(event(Content="a private word"))
    ((row,),) = rows("SELECT p::text FROM wechat_pushes p")
    for secret in (OPENID, "private", TOKEN, AES_KEY, str(int(time.time()))[:8]):
        assert secret not in row
        assert secret.encode().hex() not in row


def test_the_message_of_a_handled_push_is_not_stored(
    portal: Portal, rows: Reader, handler: None
) -> None:
    portal.push(event())
    assert rows("SELECT message_sealed FROM wechat_pushes") == [(None,)]


def test_wechats_check_container_path_push_must_be_signed_and_is_not_stored(
    portal: Portal, client: Client, rows: Reader
) -> None:
    check: dict[str, str | int] = {"action": "CheckContainerPath"}
    assert succeeded(portal.push(check))
    assert succeeded(portal.push(check, "safe", "xml"))
    unsigned = client.send("POST", SHOP, json=check, headers={"X-WX-Source": "other"})
    assert failure(unsigned) == (422, "request_invalid")
    bare = {"timestamp": str(int(time.time())), "nonce": "1"}
    unsigned = client.send("POST", SHOP, json=check, query_string=bare)
    assert failure(unsigned) == (403, "push_signature_wrong")
    assert rows.count("wechat_pushes") == 0


def test_a_disabled_app_or_tenant_still_handles_consent_revocations(
    portal: Portal, client: Client, rows: Reader, handler: None
) -> None:
    """WeChat sends a revocation at most three times."""
    rows("UPDATE wechat_apps SET enabled = false WHERE appid = :appid", appid=ACME_SHOP.appid)
    rows("UPDATE tenants SET status = 'disabled' WHERE slug = 'acme'")
    assert succeeded(portal.push(event()))
    query = verification(portal, echostr="1")
    assert client.send("GET", SHOP, query_string=query).text == "1"
    assert rows.count("wechat_pushes", "handled_at IS NOT NULL") == 1
    assert failure(client.post("login", code="x")) == (403, "tenant_disabled")


def test_only_the_push_views_accept_requests_for_a_disabled_app(app: Flask) -> None:
    marked = {name for name, view in app.view_functions.items() if "even_if_disabled" in vars(view)}
    assert marked == {"portal.verify_url", "portal.receive_push"}


def test_the_openapi_document_omits_the_push_url(client: Client) -> None:
    assert "/wx/" not in client.send("GET", "/openapi.json").text


# Repeated and damaged deliveries


def handled(rows: Reader) -> int:
    """Return the number of handled events."""
    return rows.count("audit_events", "action = 'test.handled'")


def test_a_repeated_push_delivery_succeeds_and_is_handled_once(
    portal: Portal, rows: Reader, handler: None
) -> None:
    message = event()
    delivery = portal.write(message)
    assert succeeded(portal.send(delivery))
    assert succeeded(portal.send(delivery)), "the same bytes"
    assert succeeded(portal.push(message)), "with a new signature"
    assert succeeded(portal.push(message, "compatible", "xml")), "in another format"
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)


def test_revocations_of_two_users_in_one_second_are_both_handled(
    portal: Portal, rows: Reader, handler: None
) -> None:
    for difference in ({}, {"OpenID": "oBob"}, {"RevokeInfo": "6"}, {"OpenPID": "oP"}):
        assert succeeded(portal.push(event(CreateTime=1700000000, **difference)))
    assert (handled(rows), rows.count("wechat_pushes")) == (4, 4)


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize(
    ("name", "differing"),
    [("wxa_media_check", "trace_id"), ("trade_manage_order_settlement", "transaction_id")],
)
def test_different_events_of_one_second_without_msgid_are_not_treated_as_repeated(
    portal: Portal, app: Flask, rows: Reader, how: tuple[str, str], name: str, differing: str
) -> None:
    """Without a MsgId, the key is the digest of all fields, not sender and time."""
    configure(app, key=None if how[0] == "plain" else AES_KEY)
    first, second = (event(name, CreateTime=1700000000, **{differing: value}) for value in "ab")
    for message in (first, second, first, second):
        assert succeeded(portal.push(message, *how))
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 2


def test_a_repeated_push_that_an_earlier_release_recorded_is_not_handled_again(
    portal: Portal, app: Flask, rows: Reader, handler: None
) -> None:
    message = event()
    assert succeeded(portal.push(message))
    previous = read_push(json.dumps(message)).previous_key
    with app.app_context():
        index = keyring().blind_index(previous or "", f"wechat_pushes:{ACME_SHOP.appid}")
    rows("UPDATE wechat_pushes SET key_index = :index", index=index)
    assert succeeded(portal.push(message))
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)
    assert succeeded(portal.push(event(OpenID="oBob", CreateTime=message["CreateTime"])))
    assert handled(rows) == 2


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.usefixtures("handler")
def test_damaged_characters_in_a_push_are_removed(
    portal: Portal, app: Flask, alice: Person, rows: Reader, how: tuple[str, str]
) -> None:
    """After the removal, the openid identifies the user."""
    configure(app, key=None if how[0] == "plain" else AES_KEY)
    client = portal.client
    login = client.log_in(alice)
    openid, nicknames = login["openid"], "SELECT nickname FROM social_accounts"
    for number, damage in enumerate([b"\x1d", b"\x08", b"\x14", b"\t", b"\n", b"\xe5\xb0"]):
        client.post("profile", login["token"], nickname="Alice")
        assert rows(nicknames) == [("Alice",)]
        marked = event(
            OpenID=f"{openid[:9]}DAMAGE{openid[9:]}",
            Content="hello DAMAGE",
            CreateTime=1700000000 + number,
        )
        assert succeeded(portal.send(portal.write_damaged(marked, damage, *how))), damage
        assert rows(nicknames) == [(None,)], damage
        assert handled(rows) == number + 1, damage


def test_an_identical_event_for_two_apps_is_handled_once_for_each_app(
    portal: Portal, app: Flask, client: Client, rows: Reader, handler: None
) -> None:
    configure(app, app=ACME_CLUB)
    message = event()
    assert succeeded(portal.push(message))
    assert succeeded(Portal(client, ACME_CLUB).push(message))
    assert handled(rows) == 2


def test_in_plain_mode_a_signature_is_rejected_for_a_changed_message(
    portal: Portal, app: Flask, rows: Reader, handler: None
) -> None:
    configure(app, key=None)
    delivery = portal.write(event(), "plain")
    assert succeeded(portal.send(delivery))
    assert succeeded(portal.send(delivery))
    forged = replace(delivery, body=delivery.body.replace(OPENID.encode(), b"oBob"))
    assert failure(portal.send(forged)) == (403, "push_replayed")
    more = {"msg_signature": "0" * 40}
    again = portal.send(forged, query_string=delivery.query | more)
    assert failure(again) == (403, "push_replayed")
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)


def test_in_plain_mode_a_used_signature_is_rejected_for_another_event(
    portal: Portal, app: Flask, client: Client, rows: Reader, handler: None
) -> None:
    """Signatures of repeated deliveries and of URL verifications count as used, too."""
    configure(app, key=None)
    message = event()
    assert succeeded(portal.push(message, "plain"))
    again = portal.write(message, "plain")
    verified = verification(portal, echostr="1")
    for _ in range(2):
        assert succeeded(portal.send(again))
        assert client.send("GET", SHOP, query_string=verified).text == "1"
    forged = portal.write(event(OpenID="oBob"), "plain")
    for seen in (again.query, verified):
        assert failure(portal.send(replace(forged, query=seen))) == (403, "push_replayed")
    assert handled(rows) == 1
    assert rows("SELECT event FROM wechat_pushes WHERE message_sealed IS NULL ORDER BY id") == [
        *((REVOKE,), (REVOKE,), ("url_verification",))
    ]
    assert succeeded(portal.send(forged)), "its own signature is valid"


def test_in_safe_mode_a_push_is_recorded_once_and_a_url_verification_is_not_recorded(
    portal: Portal, client: Client, rows: Reader
) -> None:
    message = event()
    assert succeeded(portal.push(message))
    assert succeeded(portal.push(message))
    assert client.send("GET", SHOP, query_string=verification(portal, echostr="1")).text == "1"
    assert rows.count("wechat_pushes") == 1


def test_in_plain_mode_a_push_with_swapped_timestamp_and_nonce_is_rejected(
    portal: Portal, app: Flask, rows: Reader, handler: None
) -> None:
    """WeChat sorts the signed values, so swapped values have the same signature."""
    configure(app, key=None)
    first, later = str(int(time.time())), str(int(time.time()) + 60)
    signature = sign(portal.simulated, first, later)
    for timestamp, nonce, status in ((first, later, 200), (later, first, 403)):
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signature}
        body = json.dumps(event(OpenID=f"o{timestamp}")).encode()
        assert portal.send(Delivery(query, body, "")).status_code == status
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)


def test_a_push_signed_or_encrypted_for_another_app_is_rejected(
    portal: Portal, app: Flask, client: Client, rows: Reader
) -> None:
    other: dict[str, Any] = {"token": TOKEN[::-1], "key": AES_KEY[::-1]}
    configure(app, app=ACME_CLUB)
    club, other_portal = Portal(client, ACME_CLUB), Portal(client, ACME_SHOP, **other)
    assert failure(other_portal.push(event())) == (403, "push_signature_wrong")
    assert failure(Portal(client, key=other["key"]).push(event())) == (422, "push_undecryptable")
    # An operator may enter the same push secrets for two apps.
    assert failure(club.send(club.write(event()), to=ACME_SHOP)) == (403, "push_of_another_app")
    assert rows.count("wechat_pushes") == 0
