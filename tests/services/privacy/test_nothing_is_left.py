"""Erasure leaves no data about a person in any column of any table, or in any log."""

import json
import time
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.keyring import keyring
from app.models.columns import new_id
from app.services.apps.tenants import tenant_id_of
from app.services.passwords.login_throttling import account_key
from app.services.privacy.personal_data import person_index
from app.services.retention.run import run_retention
from app.services.users.phone_numbers import number_index, phone_number
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    WeChat,
    failure,
)
from tests.fixtures.portal import Portal, configure, event, succeeded
from tests.fixtures.traces import Logs, captured_logs, found, phone_spellings
from tests.fixtures.user_files import csv_of

TENANT_SCOPE = "/tenants/acme"
HOME, TRAVEL, OFFICE = "203.0.113.77", "2001:db8:77::9", "198.51.100.77"
DEVICE = "ZwPhone/1.0 Mobile"


class RecordedPerson:
    """A person who sends requests, with a record of all personal data that the requests contain."""

    def __init__(self, app: Flask, client: Client, person: Person) -> None:
        self.app, self.client, self.person = app, client, person
        self.ip = HOME
        # The kind of each piece of personal data, by its value.
        self.traces: dict[str, str] = {}
        self.add_traces("IP address", HOME, TRAVEL, OFFICE)
        self.add_traces("device", DEVICE)

    def add_traces(self, kind: str, *traces: str) -> None:
        """Record values of personal data, all of one kind."""
        self.traces |= dict.fromkeys(traces, kind)

    def send(self, method: str, path: str, token: str | None = None, **kwargs: Any) -> Any:
        """Send a request from the person's device and current IP address."""
        here = {"environ_base": {"REMOTE_ADDR": self.ip}, "headers": {"User-Agent": DEVICE}}
        return self.client.send(method, path, token, **here, **kwargs)

    def ask(self, what: str, token: str | None = None, app: App = ACME_SHOP, **body: Any) -> Any:
        """Send a request to the native API of an app. It must succeed. Return the JSON response."""
        answer = self.send("POST", f"/v1/apps/{app.appid}/{what}", token, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.json

    def log_in(self, app: App = ACME_SHOP) -> dict[str, Any]:
        """Log in with a code, and record openid, unionid and the index of the openid."""
        login: dict[str, Any] = self.ask("login", app=app, code=self.person.wx_login(app))
        self.add_traces(f"openid in {app.appid}", login["openid"])
        self.add_traces("unionid", login["unionid"])
        with self.app.app_context():
            self.add_traces(
                f"index of openid in {app.appid}", person_index(app.appid, login["openid"]).hex()
            )
        return login

    def send_wechat_profile(self, token: str, app: App = ACME_SHOP) -> None:
        """Send the user info from WeChat as the profile."""
        self.ask("profile", token, app, **self.person.tap_user_info(app))
        self.add_traces("nickname at WeChat", f"{self.person.name} 🌸 小花")

    def send_profile(self, token: str, nickname: str, face: str, app: App = ACME_SHOP) -> None:
        """Send a nickname and an avatar as the profile."""
        url = f"https://example.com/{face}.png"
        self.ask("profile", token, app, nickname=nickname, avatar_url=url)
        self.add_traces("nickname", nickname)
        self.add_traces("avatar", url)

    def add_phone(self, national: str) -> None:
        """Record a phone number, in all spellings, and its blind index."""
        self.add_traces("phone", *phone_spellings(national))
        with self.app.app_context():
            index = number_index(tenant_id_of("acme"), phone_number(national))
            self.add_traces("index of phone", index.hex())

    def add_account(self, account: str) -> None:
        """Record an account and the keys under which its failed attempts are counted."""
        self.add_traces("account", account)
        with self.app.app_context():
            tenant_id = tenant_id_of("acme")
            self.add_traces("index of account", account_key(tenant_id, account).hex())
            at_office = keyring().blind_index(f"{OFFICE}\0{account}", f"tries:{tenant_id}")
            self.add_traces("index of account at address", at_office.hex())


def create_with_key(script: Script, path: str, body: dict[str, Any], key: str) -> Any:
    """Send a POST request with an idempotency key."""
    return script("POST", TENANT_SCOPE + path, json=body, headers={"Idempotency-Key": key})


def record_event_before_0016(
    rows: Reader, action: str, subject: str, details: dict[str, Any]
) -> None:
    """Insert an audit event, as a release before migration 0016 would."""
    rows(
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, details)"
        " SELECT :id, id, 'operator', :action, :subject, cast(:details AS jsonb)"
        " FROM tenants WHERE slug = 'acme'",
        id=new_id(),
        action=action,
        subject=subject,
        details=json.dumps(details, ensure_ascii=False),
    )


ACCOUNT, PASSWORD = "zw.account.7788", "zw-password-7788"
NUMBER, SECOND_NUMBER = "13800138077", "13900139078"
PERSON = {"account": ACCOUNT, "password": PASSWORD, "phone": NUMBER, "nickname": "张伟 entered"}


def import_and_add(person: RecordedPerson, ann: Script) -> str:
    """Add the person to a pending import and by the admin API. Return the id of the user.

    Two more API requests to add the person are refused.
    """
    person.add_account(ACCOUNT)
    person.add_phone(NUMBER)
    person.add_traces("nickname", "张伟 in the file", "张伟 entered")
    row = (ACCOUNT, NUMBER, "张伟 in the file", PASSWORD)
    file = csv_of(("account", "phone", "nickname", "password"), row, ("other", "", "", ""))
    preview = ann("POST", f"{TENANT_SCOPE}/imports", data=file, content_type="text/csv")
    assert preview.json["import_id"], preview.text
    entered = create_with_key(ann, "/users", PERSON, "key-1")
    assert entered.status_code == 201, entered.text
    # By default PostgreSQL logs the values of a row that violates a constraint.
    assert failure(create_with_key(ann, "/users", PERSON, "key-2")) == (409, "account_exists")
    assert failure(create_with_key(ann, "/users", PERSON | {"account": "zw"}, "key-3"))[0] == 409
    return str(entered.json["user"]["id"])


def use_the_apps(user: RecordedPerson, client: Client, bare: dict[str, Any]) -> dict[str, Any]:
    """Log in to three apps, by every kind of login, from three IP addresses. Return a login."""
    user.send_profile(bare["token"], "张伟 bare", "zw-bare", ACME_CLUB)
    first = user.log_in()
    bound: dict[str, Any] = user.ask("phone", first["token"], **user.person.tap_phone_new())
    user.send_profile(bound["token"], "张伟 typed", "zw-typed")
    bound = user.ask("refresh", refresh_token=bound["refresh_token"])
    wrong = {"account": ACCOUNT, "password": "wrong-password"}
    refused = user.send("POST", f"/v1/apps/{ACME_SHOP.appid}/password-login", json=wrong)
    assert failure(refused) == (401, "credentials_wrong")
    user.ask("password-login", account=ACCOUNT, password=PASSWORD)
    user.ip = TRAVEL
    user.ask("password-login", account=ACCOUNT, password=PASSWORD)
    user.ip = OFFICE
    user.send("POST", f"/v1/apps/{ACME_SHOP.appid}/password-login", json=wrong)
    # The identity stays unbound in this app and is erased with the user.
    user.ask("unbind", user.log_in(ACME_STAFF)["token"], ACME_STAFF)
    user.send_wechat_profile(user.log_in(ACME_STAFF)["token"], ACME_STAFF)
    return bound


def receive_pushes(user: RecordedPerson, client: Client, openid: str) -> None:
    """Send pushes about the person: a text, an event without a handler, and revocations."""
    configure(user.app)
    portal = Portal(client)
    user.add_traces("message", "what 张伟 wrote")
    fields = {"MsgType": "text", "FromUserName": openid, "Content": "what 张伟 wrote"}
    assert succeeded(portal.push(event("text", **fields)))
    assert succeeded(portal.push(event("xpay_goods_deliver_notify", OpenId=openid, OutTradeNo="1")))
    for number in ("16", "99", "6"):
        later = int(time.time()) + int(number)
        assert succeeded(portal.push(event(OpenID=openid, RevokeInfo=number, CreateTime=later)))


def administer(user: RecordedPerson, ann: Script, user_id: str, rows: Reader) -> None:
    """As an operator, search and export the user, release the phone number, and merge a twin."""
    for query in (f"phone={NUMBER}", "nickname=张伟", f"account={ACCOUNT}"):
        assert ann("GET", f"{TENANT_SCOPE}/users?{query}").status_code == 200
    for query in ("张伟 typed", ACCOUNT, NUMBER):
        exported = ann(
            "POST", f"{TENANT_SCOPE}/exports", json={"query": query, "full_phones": True}
        )
        assert "account,phone" in exported.text
        record_event_before_0016(rows, "users.exported", "acme", {"people": "1", "query": query})
    assert ann("DELETE", f"{TENANT_SCOPE}/users/{user_id}/phone").status_code == 204
    masked = {"before": {"phone": "138****8077"}, "after": {"phone": None}}
    record_event_before_0016(rows, "phone.released", user_id, masked)
    user.add_phone(SECOND_NUMBER)
    user.add_traces("nickname", "张伟 twice")
    twin = {"phone": SECOND_NUMBER, "nickname": "张伟 twice"}
    twin_id = create_with_key(ann, "/users", twin, "key-4").json["user"]["id"]
    merged = ann("POST", f"{TENANT_SCOPE}/users/{twin_id}/merge", json={"into_id": user_id})
    assert merged.status_code == 200, merged.text
    masked = {"before": {"phone": "139****9078"}, "after": {"moved": 0}}
    record_event_before_0016(rows, "user.merged", twin_id, masked)


def erase(app: Flask, rows: Reader) -> None:
    """End the grace period of closed accounts and run retention, which must erase one user."""
    rows("UPDATE users SET erase_after = now() - interval '1 second' WHERE erase_after > now()")
    with app.app_context():
        removed = dict(run_retention())
    assert (removed["closed_accounts"], removed["failed"]) == (1, 0)


def test_erased_user_leaves_no_data_in_any_table_or_log(
    app: Flask,
    client: Client,
    wechat: WeChat,
    bob: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the erasure, the search must find every kind of data that the service stores."""
    person = Person(wechat, "zhangwei", NUMBER)
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    bobs = client.bind(bob)
    with captured_logs(monkeypatch) as logs:
        user = RecordedPerson(app, client, person)
        bare = user.log_in(ACME_CLUB)
        user_id = import_and_add(user, ann)
        bound = use_the_apps(user, client, bare)
        openid = user.log_in()["openid"]
        receive_pushes(user, client, openid)
        user.send_profile(bound["token"], "张伟 typed", "zw-typed")
        administer(user, ann, user_id, rows)
        last = user.log_in()
        assert last["user"]["id"] == user_id
        exported = user.send("GET", "/v1/me/export", last["token"])
        assert ACCOUNT in exported.text
        before = found(app, rows, user.traces)
        not_found = {kind for kind, places in before.items() if not places}
        not_pushed = {f"index of openid in {one.appid}" for one in (ACME_CLUB, ACME_STAFF)}
        assert not_found == not_pushed
        assert ("people_imports", "people_sealed opened") in before["phone"]
        assert ("idempotent_requests", "answer_sealed opened") in before["nickname"]
        assert ("wechat_pushes", "message_sealed opened") in before[f"openid in {ACME_SHOP.appid}"]
        assert ("audit_events", "details") in before["nickname"]
        assert user.send("DELETE", "/v1/me", last["token"]).status_code == 200
        erase(app, rows)
        assert_nothing_is_left(app, rows, user, logs)
        # The database refused the row twice and logged it.
        assert logs.read()["postgres"].count("duplicate key value violates unique constraint") >= 2
    assert client.me(bobs["token"]).json["phone"] == "+8613800138002"


def assert_nothing_is_left(app: Flask, rows: Reader, person: RecordedPerson, logs: Logs) -> None:
    """Assert that no column of any table and no log contains data of the person."""
    left = {kind: places for kind, places in found(app, rows, person.traces).items() if places}
    assert left == {}
    assert logs.seen(person.traces) == set()
    assert "/v1/me" in logs.read()["service"]


def test_erased_visitor_leaves_no_data_in_any_table_or_log(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visitor has identities in two apps and no user."""
    person = Person(wechat, "lina", "13800138066")
    with captured_logs(monkeypatch) as logs:
        visitor = RecordedPerson(app, client, person)
        # Registration is closed in this app, so verifying a phone number creates no user.
        staff = visitor.log_in(ACME_STAFF)
        tap = {"json": person.tap_phone_new(ACME_STAFF)}
        refused = visitor.send("POST", f"/v1/apps/{ACME_STAFF.appid}/phone", staff["token"], **tap)
        assert failure(refused) == (403, "registration_closed")
        visitor.add_phone("13800138066")
        visitor.send_profile(staff["token"], "李娜 of the staff", "lina-staff", ACME_STAFF)
        shop = visitor.log_in()
        visitor.send_wechat_profile(shop["token"])
        visitor.ip = TRAVEL
        guess = {"json": {"account": "lina.guess", "password": "a-guess-of-hers"}}
        refused = visitor.send("POST", f"/v1/apps/{ACME_SHOP.appid}/bind", shop["token"], **guess)
        assert failure(refused) == (401, "credentials_wrong")
        visitor.add_traces("account of a failed login", "lina.guess")
        receive_pushes(visitor, client, shop["openid"])
        token = visitor.log_in()["token"]
        visitor.send_profile(token, "李娜 typed", "lina-typed")
        record_event_before_0016(rows, "users.exported", "acme", {"query": "李娜 typed"})
        assert shop["openid"] in visitor.send("GET", "/v1/me/export", token).text
        before = found(app, rows, visitor.traces)
        never_kept = {"phone", "index of phone", "account of a failed login"}
        # The nickname from WeChat was overwritten by a typed nickname.
        gone_before = {"nickname at WeChat"}
        # No push was received in this app.
        gone_before |= {f"index of openid in {ACME_STAFF.appid}"}
        not_found = {kind for kind, places in before.items() if not places}
        assert not_found <= never_kept | gone_before
        erased = visitor.send("DELETE", "/v1/me", token)
        assert (erased.status_code, erased.json["erased"]) == (200, True)
        assert_nothing_is_left(app, rows, visitor, logs)
    tables = ("users", "social_accounts", "login_sessions", "session_keys", "code_exchanges")
    assert [rows.count(table) for table in tables] == [0, 0, 0, 0, 0]
    # The remaining audit event contains only an id.
    ((subject, details, ip),) = rows(
        "SELECT subject, details, ip FROM audit_events WHERE action = 'visitor.exported'"
    )
    assert (UUID(subject).version, details, ip) == (7, {}, None)


def test_erasure_keeps_the_data_of_other_users(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """The other users are the same person at globex, and Bob at acme."""
    client.bind(alice, GLOBEX_LIFE)
    client.bind(bob)
    others = {"+8613800138001": "alice at globex", "+8613800138002": "bob"}
    before = found(app, rows, others)
    login = client.bind(alice)
    client.send("DELETE", "/v1/me", login["token"])
    erase(app, rows)
    assert found(app, rows, others) == before
