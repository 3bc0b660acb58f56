"""WeChat's message push: the URL is verified, and what arrives is noted and handled once."""

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
    """Acme's shop, with the push secrets entered on both sides."""
    configure(app)
    return Portal(client)


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handle one event."""
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)


# The URL


def verification(portal: Portal, **changes: str) -> dict[str, str]:
    """Ask as WeChat does when the URL is entered in its console."""
    signed = portal.write(event(), "plain").query
    return {name: signed[name] for name in ("signature", "timestamp", "nonce")} | changes


@pytest.mark.parametrize("echostr", ["4375120948345356249", "a b+c/=&<script>", "小花"])
def test_the_url_is_verified_by_the_raw_echo(portal: Portal, client: Client, echostr: str) -> None:
    """Otherwise WeChat's console does not take our URL."""
    answer = client.send("GET", SHOP, query_string=verification(portal, echostr=echostr))
    assert (answer.status_code, answer.text) == (200, echostr)
    assert answer.mimetype == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "change", [{"signature": "0" * 40}, {"nonce": "1"}, {"timestamp": "1714036504"}]
)
def test_a_verification_that_was_not_signed_with_the_token_is_refused(
    portal: Portal, client: Client, change: dict[str, str]
) -> None:
    """Otherwise anybody can claim the URL for an app of theirs."""
    query = verification(portal, echostr="1") | change
    answer = client.send("GET", SHOP, query_string=query)
    assert failure(answer) == (403, "push_signature_wrong")


def test_an_app_without_push_secrets_says_so(client: Client, app: Flask, rows: Reader) -> None:
    """Otherwise an operator searches for a wrong token that was never entered."""
    portal = Portal(client)
    query = verification(portal, echostr="1")
    assert failure(client.send("GET", SHOP, query_string=query)) == (403, "push_not_configured")
    assert failure(portal.push(event())) == (403, "push_not_configured")
    configure(app, key=None)
    assert failure(portal.push(event())) == (403, "push_not_configured")
    assert rows.count("wechat_pushes") == 0


def test_an_unknown_app_has_no_portal(portal: Portal, client: Client) -> None:
    """Otherwise pushes of an app that is not here vanish with a success."""
    for appid in ("wxnobody", "a%00b", "x" * 65, "微信"):
        answer = client.send("POST", f"/wx/portal/{appid}", data="{}")
        assert failure(answer) == (404, "app_unknown")


# What arrives


@pytest.mark.parametrize(
    "how", list(product(["plain", "compatible", "safe"], ["json", "xml"])), ids=str
)
@pytest.mark.parametrize("content_type", ["text/xml", "application/json", "", "text/plain"])
@pytest.mark.usefixtures("handler")
def test_a_push_arrives_in_every_mode_and_format_whatever_its_content_type(
    portal: Portal, app: Flask, rows: Reader, how: tuple[str, str], content_type: str
) -> None:
    """Otherwise the console's settings, or WeChat's wrong header, lose a person's withdrawal."""
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


def test_an_event_changes_what_it_is_about(
    portal: Portal, client: Client, alice: Person, bob: Person, rows: Reader, handler: None
) -> None:
    """Otherwise a handler is given somebody else, or its work is rolled back."""
    for person in (alice, bob):
        client.post("profile", client.log_in(person)["token"], nickname=person.name)
    openid = client.log_in(alice)["openid"]
    assert succeeded(portal.push(event(OpenID=openid)))
    assert rows("SELECT nickname FROM social_accounts ORDER BY nickname") == [("bob",), (None,)]


def test_what_nobody_handles_is_logged_and_kept(portal: Portal, app: Flask, rows: Reader) -> None:
    """Otherwise an event that WeChat invents next year is lost before anybody sees it."""
    with capture_logs() as logs:
        assert succeeded(portal.push(event("debug_demo", debug_str="hello world 🌸")))
        assert succeeded(portal.push(event("text", MsgType="text", MsgId=7, Content="你好")))
    assert [log["push_event"] for log in logs if log["event"] == "push_kept"] == [
        "debug_demo",
        "text",
    ]
    assert "hello" not in str(logs)
    with app.app_context(), transaction() as db:
        kept = db.query(WeChatPush).order_by(WeChatPush.id).all()
        messages = [json.loads(push.message or "") for push in kept]
    assert (messages[0]["debug_str"], messages[1]["Content"]) == ("hello world 🌸", "你好")
    assert {(push.handled_at, push.failure) for push in kept} == {(None, None)}


def test_what_is_kept_tells_nothing_without_the_keys(portal: Portal, rows: Reader) -> None:
    """Otherwise a stolen dump names the people who withdrew, and what customers wrote."""
    portal.push(event(Content="a private word"))
    ((row,),) = rows("SELECT p::text FROM wechat_pushes p")
    for secret in (OPENID, "private", TOKEN, AES_KEY, str(int(time.time()))[:8]):
        assert secret not in row
        assert secret.encode().hex() not in row


def test_what_was_handled_is_not_kept(portal: Portal, rows: Reader, handler: None) -> None:
    """Otherwise we keep the openid of somebody who asked us to forget them."""
    portal.push(event())
    assert rows("SELECT message_sealed FROM wechat_pushes") == [(None,)]


def test_a_check_of_cloud_hosting_must_be_signed_and_is_not_kept(
    portal: Portal, client: Client, rows: Reader
) -> None:
    """Otherwise a channel seems to work whose unsigned pushes are all refused."""
    check: dict[str, str | int] = {"action": "CheckContainerPath"}
    assert succeeded(portal.push(check))
    assert succeeded(portal.push(check, "safe", "xml"))
    unsigned = client.send("POST", SHOP, json=check, headers={"X-WX-Source": "other"})
    assert failure(unsigned) == (422, "request_invalid")
    bare = {"timestamp": str(int(time.time())), "nonce": "1"}
    unsigned = client.send("POST", SHOP, json=check, query_string=bare)
    assert failure(unsigned) == (403, "push_signature_wrong")
    assert rows.count("wechat_pushes") == 0


def test_a_switched_off_app_or_tenant_still_hears_of_withdrawals(
    portal: Portal, client: Client, rows: Reader, handler: None
) -> None:
    """Otherwise the law is broken while an app is off: WeChat tells three times, never again."""
    rows("UPDATE wechat_apps SET enabled = false WHERE appid = :appid", appid=ACME_SHOP.appid)
    rows("UPDATE tenants SET status = 'disabled' WHERE slug = 'acme'")
    assert succeeded(portal.push(event()))
    query = verification(portal, echostr="1")
    assert client.send("GET", SHOP, query_string=query).text == "1"
    assert rows.count("wechat_pushes", "handled_at IS NOT NULL") == 1
    assert failure(client.post("login", code="x")) == (403, "tenant_disabled")


def test_nothing_but_the_portal_answers_for_an_app_that_is_off(app: Flask) -> None:
    """Otherwise a view was marked by mistake, and switching an app off leaves a door open."""
    marked = {name for name, view in app.view_functions.items() if "even_if_disabled" in vars(view)}
    assert marked == {"portal.verify_url", "portal.receive_push"}


def test_clients_are_not_told_of_the_portal(client: Client) -> None:
    """Otherwise generated clients have a call that only WeChat can make."""
    assert "/wx/" not in client.send("GET", "/openapi.json").text


# Repetition


def handled(rows: Reader) -> int:
    """Count how often an event was handled."""
    return rows.count("audit_events", "action = 'test.handled'")


def test_a_repeated_delivery_is_answered_and_handled_once(
    portal: Portal, rows: Reader, handler: None
) -> None:
    """Otherwise WeChat's second try does the work twice, or is refused and tried a third time."""
    message = event()
    delivery = portal.write(message)
    assert succeeded(portal.send(delivery))
    assert succeeded(portal.send(delivery)), "the same again, to the byte"
    assert succeeded(portal.push(message)), "signed anew"
    assert succeeded(portal.push(message, "compatible", "xml")), "in another format"
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)


def test_two_people_who_withdraw_in_one_second_are_two(
    portal: Portal, rows: Reader, handler: None
) -> None:
    """Otherwise the second person's data stays: sender and time are the same for both."""
    for difference in ({}, {"OpenID": "oBob"}, {"RevokeInfo": "6"}, {"OpenPID": "oP"}):
        assert succeeded(portal.push(event(CreateTime=1700000000, **difference)))
    assert (handled(rows), rows.count("wechat_pushes")) == (4, 4)


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize(
    ("name", "differing"),
    [("wxa_media_check", "trace_id"), ("trade_manage_order_settlement", "transaction_id")],
)
def test_two_events_of_one_second_without_msgid_are_two_and_their_repetitions_are_none(
    portal: Portal, app: Flask, rows: Reader, how: tuple[str, str], name: str, differing: str
) -> None:
    """Events are compared by their whole content, not by sender and second."""
    configure(app, key=None if how[0] == "plain" else AES_KEY)
    first, second = (event(name, CreateTime=1700000000, **{differing: one}) for one in "ab")
    for message in (first, second, first, second):
        assert succeeded(portal.push(message, *how))
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 2


def test_a_retry_of_a_push_that_an_earlier_release_noted_is_not_handled_again(
    portal: Portal, app: Flask, rows: Reader, handler: None
) -> None:
    """The key of a row that an earlier release wrote is still recognised."""
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


@pytest.mark.parametrize("damage", [b"\x1d", b"\x08", b"\x14", b"\t", b"\n", b"\xe5\xb0"], ids=repr)
@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.usefixtures("handler")
def test_a_damaged_push_is_handled_for_the_person_it_is_about(
    portal: Portal, app: Flask, alice: Person, rows: Reader, how: tuple[str, str], damage: bytes
) -> None:
    """Damage is dropped from the OpenID, and the withdrawal is carried out."""
    configure(app, key=None if how[0] == "plain" else AES_KEY)
    client = portal.client
    client.post("profile", client.log_in(alice)["token"], nickname="Alice")
    openid = client.log_in(alice)["openid"]
    marked = event(OpenID=f"{openid[:9]}DAMAGE{openid[9:]}", Content="hello DAMAGE")
    assert succeeded(portal.send(portal.write_damaged(marked, damage, *how)))
    assert rows("SELECT nickname FROM social_accounts") == [(None,)]
    assert handled(rows) == 1


def test_one_event_at_two_apps_is_two(
    portal: Portal, app: Flask, client: Client, rows: Reader, handler: None
) -> None:
    """Otherwise a sister app's event is taken for a repetition."""
    configure(app, app=ACME_CLUB)
    message = event()
    assert succeeded(portal.push(message))
    assert succeeded(Portal(client, ACME_CLUB).push(message))
    assert handled(rows) == 2


def test_in_the_clear_one_signature_carries_one_message(
    portal: Portal, app: Flask, rows: Reader, handler: None
) -> None:
    """Otherwise whoever sees one address may send any event under it, for five minutes."""
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


def test_in_the_clear_no_signature_that_was_seen_carries_a_message_of_somebody_else(
    portal: Portal, app: Flask, client: Client, rows: Reader, handler: None
) -> None:
    """Otherwise the address of a repetition, or of a verification of the URL, lets a forgery in."""
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
    assert succeeded(portal.send(forged)), "its own signature is good"


def test_an_encrypted_push_is_noted_once_and_a_verification_of_its_url_not_at_all(
    portal: Portal, client: Client, rows: Reader
) -> None:
    """Otherwise the list of pushes fills with what nobody could misuse."""
    message = event()
    assert succeeded(portal.push(message))
    assert succeeded(portal.push(message))
    assert client.send("GET", SHOP, query_string=verification(portal, echostr="1")).text == "1"
    assert rows.count("wechat_pushes") == 1


def test_in_the_clear_time_and_nonce_cannot_change_places(
    portal: Portal, app: Flask, rows: Reader, handler: None
) -> None:
    """Otherwise a nonce that is a later time makes an old signature fresh: the parts are sorted."""
    configure(app, key=None)
    first, later = str(int(time.time())), str(int(time.time()) + 60)
    signature = sign(portal.simulated, first, later)
    for timestamp, nonce, told in ((first, later, 200), (later, first, 403)):
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signature}
        body = json.dumps(event(OpenID=f"o{timestamp}")).encode()
        assert portal.send(Delivery(query, body, "")).status_code == told
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)


def test_the_sister_apps_token_and_the_neighbours_open_nothing(
    portal: Portal, app: Flask, client: Client, rows: Reader
) -> None:
    """Otherwise one tenant withdraws for the people of another."""
    other: dict[str, Any] = {"token": TOKEN[::-1], "key": AES_KEY[::-1]}
    configure(app, app=ACME_CLUB)
    club, stranger = Portal(client, ACME_CLUB), Portal(client, ACME_SHOP, **other)
    assert failure(stranger.push(event())) == (403, "push_signature_wrong")
    assert failure(Portal(client, key=other["key"]).push(event())) == (422, "push_undecryptable")
    # The same secrets at two apps, as somebody lazy would enter them.
    assert failure(club.send(club.write(event()), to=ACME_SHOP)) == (403, "push_of_another_app")
    assert rows.count("wechat_pushes") == 0
