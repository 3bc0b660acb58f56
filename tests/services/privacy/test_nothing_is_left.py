"""Of a person who was erased nothing is left: not in any column of any table, nor in any log."""

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
from app.services.retention import run_retention
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
from tests.fixtures.traces import Logs, found, logs_read, phone_spellings
from tests.fixtures.user_files import csv_of

TENANT_SCOPE = "/tenants/acme"
HOME, TRAVEL, OFFICE = "203.0.113.77", "2001:db8:77::9", "198.51.100.77"
DEVICE = "ZwPhone/1.0 Mobile"


class Life:
    """One person, everything they do here, and everything that is recorded about them by it."""

    def __init__(self, app: Flask, client: Client, person: Person) -> None:
        self.app, self.client, self.person = app, client, person
        self.ip = HOME
        # What may be found, and what kind of trace that is.
        self.traces: dict[str, str] = {}
        self.leave("IP address", HOME, TRAVEL, OFFICE)
        self.leave("device", DEVICE)

    def leave(self, kind: str, *traces: str) -> None:
        """Note what is recorded from here on."""
        self.traces |= dict.fromkeys(traces, kind)

    def send(self, method: str, path: str, token: str | None = None, **how: Any) -> Any:
        """Send a request from the person's device, wherever they are."""
        here = {"environ_base": {"REMOTE_ADDR": self.ip}, "headers": {"User-Agent": DEVICE}}
        return self.client.send(method, path, token, **here, **how)

    def ask(self, what: str, token: str | None = None, app: App = ACME_SHOP, **body: Any) -> Any:
        """Call the native interface of a mini-program, and succeed."""
        answer = self.send("POST", f"/v1/apps/{app.appid}/{what}", token, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.json

    def log_in(self, app: App = ACME_SHOP) -> dict[str, Any]:
        """Log in by code."""
        login: dict[str, Any] = self.ask("login", app=app, code=self.person.wx_login(app))
        self.leave(f"openid in {app.appid}", login["openid"])
        self.leave("unionid", login["unionid"])
        with self.app.app_context():
            self.leave(
                f"index of openid in {app.appid}", person_index(app.appid, login["openid"]).hex()
            )
        return login

    def show_wechat_profile(self, token: str, app: App = ACME_SHOP) -> None:
        """Tap the user-info button."""
        self.ask("profile", token, app, **self.person.tap_user_info(app))
        self.leave("nickname at WeChat", f"{self.person.name} 🌸 小花")

    def type_profile(self, token: str, nickname: str, face: str, app: App = ACME_SHOP) -> None:
        """Type a nickname and choose an avatar."""
        url = f"https://example.com/{face}.png"
        self.ask("profile", token, app, nickname=nickname, avatar_url=url)
        self.leave("nickname", nickname)
        self.leave("avatar", url)

    def has_phone(self, national: str) -> None:
        """Note a number, and its blind index."""
        self.leave("phone", *phone_spellings(national))
        with self.app.app_context():
            index = number_index(tenant_id_of("acme"), phone_number(national))
            self.leave("index of phone", index.hex())

    def has_account(self, account: str) -> None:
        """Note an account, and the indexes of its tries."""
        self.leave("account", account)
        with self.app.app_context():
            tenant_id = tenant_id_of("acme")
            self.leave("index of account", account_key(tenant_id, account).hex())
            at_office = keyring().blind_index(f"{OFFICE}\0{account}", f"tries:{tenant_id}")
            self.leave("index of account at address", at_office.hex())


def place(script: Script, path: str, body: dict[str, Any], key: str) -> Any:
    """Create something under an Idempotency-Key."""
    return script("POST", TENANT_SCOPE + path, json=body, headers={"Idempotency-Key": key})


def note_as_before_0016(rows: Reader, action: str, subject: str, details: dict[str, Any]) -> None:
    """Write an event as an earlier release does that still runs beside this one."""
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


def be_entered(life: Life, ann: Script) -> str:
    """Be in a file that waits for its confirmation, and be entered through the API, twice."""
    life.has_account(ACCOUNT)
    life.has_phone(NUMBER)
    life.leave("nickname", "张伟 in the file", "张伟 entered")
    row = (ACCOUNT, NUMBER, "张伟 in the file", PASSWORD)
    file = csv_of(("account", "phone", "nickname", "password"), row, ("other", "", "", ""))
    preview = ann("POST", f"{TENANT_SCOPE}/imports", data=file, content_type="text/csv")
    assert preview.json["import_id"], preview.text
    entered = place(ann, "/users", PERSON, "key-1")
    assert entered.status_code == 201, entered.text
    # PostgreSQL logs the row that its constraint refuses, unless it is told not to.
    assert failure(place(ann, "/users", PERSON, "key-2")) == (409, "account_exists")
    assert failure(place(ann, "/users", PERSON | {"account": "zw"}, "key-3"))[0] == 409
    return str(entered.json["user"]["id"])


def use_the_apps(life: Life, client: Client, bare: dict[str, Any]) -> dict[str, Any]:
    """Log in in three apps, by every way there is, from three addresses."""
    life.type_profile(bare["token"], "张伟 bare", "zw-bare", ACME_CLUB)
    first = life.log_in()
    bound: dict[str, Any] = life.ask("phone", first["token"], **life.person.tap_phone_new())
    life.type_profile(bound["token"], "张伟 typed", "zw-typed")
    bound = life.ask("refresh", refresh_token=bound["refresh_token"])
    wrong = {"account": ACCOUNT, "password": "wrong-password"}
    refused = life.send("POST", f"/v1/apps/{ACME_SHOP.appid}/password-login", json=wrong)
    assert failure(refused) == (401, "credentials_wrong")
    life.ask("password-login", account=ACCOUNT, password=PASSWORD)
    life.ip = TRAVEL
    life.ask("password-login", account=ACCOUNT, password=PASSWORD)
    life.ip = OFFICE
    life.send("POST", f"/v1/apps/{ACME_SHOP.appid}/password-login", json=wrong)
    # An identity that is unbound stays unbound there, and goes with the user all the same.
    life.ask("unbind", life.log_in(ACME_STAFF)["token"], ACME_STAFF)
    life.show_wechat_profile(life.log_in(ACME_STAFF)["token"], ACME_STAFF)
    return bound


def be_told_of_by_wechat(life: Life, client: Client, openid: str) -> None:
    """Write to the app, take back consent, and be named in an event that nothing handles."""
    configure(life.app)
    portal = Portal(client)
    life.leave("message", "what 张伟 wrote")
    said = {"MsgType": "text", "FromUserName": openid, "Content": "what 张伟 wrote"}
    assert succeeded(portal.push(event("text", **said)))
    assert succeeded(portal.push(event("xpay_goods_deliver_notify", OpenId=openid, OutTradeNo="1")))
    for number in ("16", "99", "6"):
        later = int(time.time()) + int(number)
        assert succeeded(portal.push(event(OpenID=openid, RevokeInfo=number, CreateTime=later)))


def be_looked_after(life: Life, ann: Script, user_id: str, rows: Reader) -> None:
    """Be searched, exported, released, merged and shown by an operator."""
    for query in (f"phone={NUMBER}", "nickname=张伟", f"account={ACCOUNT}"):
        assert ann("GET", f"{TENANT_SCOPE}/users?{query}").status_code == 200
    for query in ("张伟 typed", ACCOUNT, NUMBER):
        exported = ann(
            "POST", f"{TENANT_SCOPE}/exports", json={"query": query, "full_phones": True}
        )
        assert "account,phone" in exported.text
        note_as_before_0016(rows, "users.exported", "acme", {"people": "1", "query": query})
    assert ann("DELETE", f"{TENANT_SCOPE}/users/{user_id}/phone").status_code == 204
    masked = {"before": {"phone": "138****8077"}, "after": {"phone": None}}
    note_as_before_0016(rows, "phone.released", user_id, masked)
    life.has_phone(SECOND_NUMBER)
    life.leave("nickname", "张伟 twice")
    twin = {"phone": SECOND_NUMBER, "nickname": "张伟 twice"}
    twin_id = place(ann, "/users", twin, "key-4").json["user"]["id"]
    merged = ann("POST", f"{TENANT_SCOPE}/users/{twin_id}/merge", json={"into_id": user_id})
    assert merged.status_code == 200, merged.text
    masked = {"before": {"phone": "139****9078"}, "after": {"moved": 0}}
    note_as_before_0016(rows, "user.merged", twin_id, masked)


def be_erased(app: Flask, rows: Reader) -> None:
    """Let the grace be over, and retention run."""
    rows("UPDATE users SET erase_after = now() - interval '1 second' WHERE erase_after > now()")
    with app.app_context():
        done = dict(run_retention())
    assert (done["closed_accounts"], done["failed"]) == (1, 0)


def test_of_an_erased_user_nothing_is_left_in_any_table_or_log(
    app: Flask,
    client: Client,
    wechat: WeChat,
    bob: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything that this service can record about a person is recorded first, and found."""
    person = Person(wechat, "zhangwei", NUMBER)
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    bobs = client.bind(bob)
    with logs_read(monkeypatch) as logs:
        life = Life(app, client, person)
        bare = life.log_in(ACME_CLUB)
        user_id = be_entered(life, ann)
        bound = use_the_apps(life, client, bare)
        openid = life.log_in()["openid"]
        be_told_of_by_wechat(life, client, openid)
        life.type_profile(bound["token"], "张伟 typed", "zw-typed")
        be_looked_after(life, ann, user_id, rows)
        last = life.log_in()
        assert last["user"]["id"] == user_id
        told = life.send("GET", "/v1/me/export", last["token"])
        assert ACCOUNT in told.text
        before = found(app, rows, life.traces)
        blind = {kind for kind, places in before.items() if not places}
        not_pushed = {f"index of openid in {one.appid}" for one in (ACME_CLUB, ACME_STAFF)}
        assert blind == not_pushed
        assert ("people_imports", "people_sealed opened") in before["phone"]
        assert ("idempotent_requests", "answer_sealed opened") in before["nickname"]
        assert ("wechat_pushes", "message_sealed opened") in before[f"openid in {ACME_SHOP.appid}"]
        assert ("audit_events", "details") in before["nickname"]
        assert life.send("DELETE", "/v1/me", last["token"]).status_code == 200
        be_erased(app, rows)
        assert_nothing_is_left(app, rows, life, logs)
        # The database refused her row twice, and said so.
        assert logs.read()["postgres"].count("duplicate key value violates unique constraint") >= 2
    assert client.me(bobs["token"]).json["phone"] == "+8613800138002"


def assert_nothing_is_left(app: Flask, rows: Reader, life: Life, logs: Logs) -> None:
    """Search every column of every table, and every log, for every trace."""
    left = {kind: places for kind, places in found(app, rows, life.traces).items() if places}
    assert left == {}
    assert logs.seen(life.traces) == set()
    assert "/v1/me" in logs.read()["service"]


def test_of_an_erased_visitor_nothing_is_left_in_any_table_or_log(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor of two apps, who never became a user."""
    person = Person(wechat, "lina", "13800138066")
    with logs_read(monkeypatch) as logs:
        life = Life(app, client, person)
        # Nobody becomes a user of the staff's app, whatever phone they verify.
        staff = life.log_in(ACME_STAFF)
        tap = {"json": person.tap_phone_new(ACME_STAFF)}
        refused = life.send("POST", f"/v1/apps/{ACME_STAFF.appid}/phone", staff["token"], **tap)
        assert failure(refused) == (403, "registration_closed")
        life.has_phone("13800138066")
        life.type_profile(staff["token"], "李娜 of the staff", "lina-staff", ACME_STAFF)
        shop = life.log_in()
        life.show_wechat_profile(shop["token"])
        life.ip = TRAVEL
        guess = {"json": {"account": "lina.guess", "password": "a-guess-of-hers"}}
        refused = life.send("POST", f"/v1/apps/{ACME_SHOP.appid}/bind", shop["token"], **guess)
        assert failure(refused) == (401, "credentials_wrong")
        life.leave("account that she tried", "lina.guess")
        be_told_of_by_wechat(life, client, shop["openid"])
        token = life.log_in()["token"]
        life.type_profile(token, "李娜 typed", "lina-typed")
        note_as_before_0016(rows, "users.exported", "acme", {"query": "李娜 typed"})
        assert shop["openid"] in life.send("GET", "/v1/me/export", token).text
        before = found(app, rows, life.traces)
        never_kept = {"phone", "index of phone", "account that she tried"}
        # WeChat's nickname was typed over, or taken back.
        gone_before = {"nickname at WeChat"}
        # Nothing was pushed there.
        gone_before |= {f"index of openid in {ACME_STAFF.appid}"}
        blind = {kind for kind, places in before.items() if not places}
        assert blind <= never_kept | gone_before
        erased = life.send("DELETE", "/v1/me", token)
        assert (erased.status_code, erased.json["erased"]) == (200, True)
        assert_nothing_is_left(app, rows, life, logs)
    tables = ("users", "social_accounts", "login_sessions", "session_keys", "code_exchanges")
    assert [rows.count(table) for table in tables] == [0, 0, 0, 0, 0]
    # That she was here is known by ids only.
    ((subject, details, ip),) = rows(
        "SELECT subject, details, ip FROM audit_events WHERE action = 'visitor.exported'"
    )
    assert (UUID(subject).version, details, ip) == (7, {}, None)


def test_a_trace_of_somebody_else_stays(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """The same person at the neighbour, and others at home, keep what is theirs."""
    client.bind(alice, GLOBEX_LIFE)
    client.bind(bob)
    others = {"+8613800138001": "alice at globex", "+8613800138002": "bob"}
    before = found(app, rows, others)
    login = client.bind(alice)
    client.send("DELETE", "/v1/me", login["token"])
    be_erased(app, rows)
    assert found(app, rows, others) == before
