"""Requests of the demo phone: recorded, and passed on to the service of `make run` only."""

from pathlib import Path

import pytest

from app.simulator import create_simulator
from tests.simulator.demo.conftest import OWN, SHOP, DemoSite

LEFT = {**OWN, "X-Demo-Phone": "left", "Content-Type": "application/json"}
LOGIN = f"/demo/service/v1/apps/{SHOP.appid}/login"
LINE = (
    "2026-11-28T22:00:00Z [info     ] request   decision=wait evidence=login failure=None"
    " milliseconds=3.1 registration=on_phone request_id=ID secret_field=hidden status=200\n"
)


def test_a_request_reaches_the_service_with_the_headers_of_a_phone(site: DemoSite) -> None:
    headers = {**LEFT, "Authorization": "Bearer wxp_secret", "Cookie": "a=b"}
    response = site.http.post(LOGIN, data=b'{"code":"c"}', headers=headers)
    assert response.status_code == 200
    (received,) = site.received
    assert (received.method, received.path) == ("POST", f"/v1/apps/{SHOP.appid}/login")
    assert received.headers["Authorization"] == "Bearer wxp_secret"
    assert "MicroMessenger" in received.headers["User-Agent"]
    assert received.headers["Referer"].startswith(f"https://servicewechat.com/{SHOP.appid}/")
    assert {"Cookie", "Origin"} & set(received.headers) == set()


def test_the_two_phones_are_different_devices(site: DemoSite) -> None:
    for phone in ("left", "right"):
        site.http.post(LOGIN, data=b"{}", headers={**LEFT, "X-Demo-Phone": phone})
    left, right = (received.headers["User-Agent"] for received in site.received)
    assert left != right


@pytest.mark.parametrize(
    "path",
    [
        "/v1/admin/sign-in",
        "/v1/verify",
        "/console/",
        "/metrics",
        "/v1/apps/../admin/tenants",
        "/v1/me/../admin/tenants",
        "/v1/apps/wx1/login%0d%0aX: y",
        "//evil.example/v1/me",
        "/http://evil.example/v1/me",
        "/v1/me@evil.example",
    ],
)
def test_other_paths_are_not_passed_on(site: DemoSite, path: str) -> None:
    response = site.http.get(f"/demo/service{path}", headers={"X-Demo-Phone": "left"})
    assert response.status_code in (404, 308)
    assert site.received == []


@pytest.mark.parametrize("query", ["limit=1 HTTP/1.1", "a=b#c", "next=http://evil.example"])
def test_unusual_queries_are_not_passed_on(site: DemoSite, query: str) -> None:
    environ = {"QUERY_STRING": query}
    headers = {"X-Demo-Phone": "left"}
    response = site.http.get(
        "/demo/service/v1/me/sessions", environ_overrides=environ, headers=headers
    )
    assert response.status_code == 404
    assert site.received == []


def test_redirects_of_the_service_are_not_followed_or_returned(site: DemoSite) -> None:
    site.status = 302
    response = site.http.get("/demo/service/v1/me", headers=LEFT)
    assert response.status_code == 302
    assert "Location" not in response.headers
    assert len(site.received) == 1


@pytest.mark.parametrize(
    "url",
    ["http://192.168.1.7:8000", "http://evil.example", "https://127.0.0.1:8000", "file:///etc"],
)
def test_the_demo_refuses_a_service_on_another_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this machine"):
        create_simulator({}, demo_service=url, service_log=str(tmp_path / "log"))


def test_a_request_is_recorded_with_the_facts_of_its_log_line(site: DemoSite) -> None:
    site.line, site.answer = LINE, {"bound": False, "token": "wxp_" + "t" * 43}
    site.http.post(LOGIN, data=b'{"code":"the code"}', headers=LEFT)
    (exchange,) = site.traffic()
    assert (exchange["kind"], exchange["phone"], exchange["status"]) == ("login", "left", 200)
    assert exchange["facts"] == {
        "decision": "wait",
        "evidence": "login",
        "failure": "None",
        "milliseconds": "3.1",
        "registration": "on_phone",
    }
    assert "the code" not in str(exchange)
    assert "ttt" not in str(exchange)


def test_no_facts_are_recorded_without_a_log_line_of_the_request(site: DemoSite) -> None:
    site.line = LINE.replace("ID", "of-another-request")
    site.http.post(LOGIN, data=b"{}", headers=LEFT)
    assert site.traffic()[0]["facts"] == {}


def test_a_stopped_service_is_recorded_as_no_answer(site: DemoSite, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"
    alone = create_simulator({}, demo_service=url, service_log=str(tmp_path / "log")).test_client()
    assert alone.get("/demo/service/v1/me", headers=LEFT).status_code == 504
    (exchange,) = alone.get("/demo/api/traffic").get_json()["exchanges"]
    assert (exchange["status"], exchange["kind"]) == (None, "me")


def test_calls_to_wechat_are_recorded_with_masked_secrets(site: DemoSite) -> None:
    call = {"phone": "left", "person": "alice", "appid": SHOP.appid}
    code = site.post("wx/login", **call)["code"]
    query = {"appid": SHOP.appid, "secret": SHOP.secret, "js_code": code}
    query |= {"grant_type": "authorization_code"}
    identity = site.http.get("/sns/jscode2session", query_string=query).get_json(force=True)
    login, exchange = site.traffic()
    assert (exchange["source"], exchange["target"]) == ("service", "wechat")
    assert login["answer"]["code"] == exchange["request"]["js_code"]
    for secret in (code, SHOP.secret, identity["session_key"], identity["openid"]):
        assert secret not in str([login, exchange])


def test_traffic_returns_only_what_changed_after_a_revision(site: DemoSite) -> None:
    call = {"phone": "left", "person": "alice", "appid": SHOP.appid}
    site.post("wx/login", **call)
    revision = site.http.get("/demo/api/traffic").get_json()["revision"]
    site.post("wx/check-session", **call)
    changed = site.http.get(f"/demo/api/traffic?after={revision}").get_json()["exchanges"]
    assert [one["kind"] for one in changed] == ["wx.checkSession"]


@pytest.mark.parametrize(
    ("old", "names"), [(False, {"code"}), (True, {"encryptedData", "iv"})], ids=["new", "old"]
)
def test_the_phone_button_gives_what_its_generation_gives(
    site: DemoSite, old: bool, names: set[str]
) -> None:
    given = site.post("wx/phone", phone="left", person="alice", appid=SHOP.appid, old=old)
    assert set(given) == names


def test_tidying_removes_faults_and_restores_the_app_secret(site: DemoSite) -> None:
    site.post("secret", appid=SHOP.appid, right=False)
    site.post("faults", appid=SHOP.appid, kind="busy")
    site.post("tidy")
    query = {"appid": SHOP.appid, "secret": SHOP.secret, "js_code": "unknown"}
    query |= {"grant_type": "authorization_code"}
    answer = site.http.get("/sns/jscode2session", query_string=query).get_json(force=True)
    assert answer["errcode"] == 40029
    assert site.http.get("/_simulator/faults").get_json() == {"faults": []}
