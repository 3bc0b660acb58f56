"""The control API of the simulator, and the simulator behind a real HTTP server."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from werkzeug.serving import make_server

import app.simulator
from tests.fixtures.waiting import until

ACME = "wx00000000000000ac"
LOGIN = "/sns/jscode2session"


@contextmanager
def served(simulator):
    """Serve the simulator on a free port inside the block. Yield the URL."""
    server = make_server("127.0.0.1", 0, simulator.http.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_list_of_calls_contains_parameter_names_and_no_secrets(simulator):
    session = simulator.log_in()
    token = simulator.stable_token()["access_token"]
    code = simulator.control("/phone", person="alice", appid=ACME)["code"]
    simulator.phone_number(token, code=code, openid=session["openid"])
    response = simulator.http.get("/_simulator/calls")
    login, _, phone = response.get_json()["calls"]
    assert login == {
        "method": "GET",
        "path": LOGIN,
        "appid": ACME,
        "query": ["appid", "grant_type", "js_code", "secret"],
        "body": [],
        "openid_given": False,
    }
    assert (phone["appid"], phone["query"]) == (ACME, ["access_token"])
    assert (phone["body"], phone["openid_given"]) == (["code", "openid"], True)
    assert not any(secret in response.text for secret in ("acme secret", code, token))
    simulator.http.delete("/_simulator/calls")
    assert simulator.http.get("/_simulator/calls").get_json()["calls"] == []


def test_updating_a_person_changes_only_the_given_fields(simulator):
    person = simulator.control("/people", name="alice", gender=2)
    assert (person["nickname"], person["phone"], person["gender"]) == ("爱丽丝", "13800138000", 2)
    assert simulator.control("/people", name="carol")["nickname"] == "carol"


@pytest.mark.parametrize(
    ("path", "body", "status", "advice"),
    [
        ("/login", {"person": "nobody", "appid": ACME}, 404, "POST /_simulator/people"),
        ("/login", {"person": "alice", "appid": "wxnone"}, 404, "POST /_simulator/apps"),
        ("/login", {"person": "alice"}, 400, "Give appid as a non-empty string"),
        ("/login", {"person": "alice", "apid": ACME}, 400, "Unknown field: apid"),
        ("/login", [], 400, "JSON object"),
        ("/apps", {"appid": "a", "secret": "s", "ip_whitelist": ["10/x"]}, 400, "CIDR"),
        ("/apps", {"appid": "a", "secret": "s", "ip_whitelist": "10"}, 400, "list of strings"),
        ("/people", {"name": "carol", "phone": "+86 138"}, 400, "digits"),
        ("/phone", {"person": "dave", "appid": ACME}, 400, "no phone number"),
        ("/phone", {"person": "alice", "appid": ACME, "stale": 1}, 400, "true or false"),
        ("/faults", {"kind": "meteor"}, 400, "busy"),
        ("/faults", {"kind": "errcode"}, 400, "errcode"),
        ("/faults", {"kind": "busy", "times": 0}, 400, "1 or more"),
        ("/faults", {"kind": "slow", "seconds": -1}, 400, "not below zero"),
        ("/clock", {"advance": "1"}, 400, "not below zero"),
        ("/settings", {"session_key_policy": "often"}, 400, "always, never"),
    ],
)
def test_an_invalid_control_request_returns_an_error_with_advice_in_both_languages(
    simulator, path, body, status, advice
):
    simulator.control("/people", name="dave")
    response = simulator.http.post(f"/_simulator{path}", json=body)
    assert response.status_code == status
    english, chinese = response.get_json()["error"].split(" / ", 1)
    assert advice in english
    assert any("一" <= letter <= "鿿" for letter in chinese)


def test_adding_an_app_returns_no_app_secret(simulator):
    response = simulator.http.post("/_simulator/apps", json={"appid": "wx1", "secret": "hush"})
    assert response.get_json() == {"appid": "wx1"}


def test_the_control_api_returns_the_access_tokens_of_an_app(simulator):
    stable, legacy = simulator.stable_token(), simulator.legacy_token()
    shown = simulator.http.get("/_simulator/tokens", query_string={"appid": ACME}).get_json()
    assert shown == {"stable": [stable["access_token"]], "legacy": [legacy["access_token"]]}


def test_a_reset_keeps_apps_and_deletes_everything_else(simulator):
    simulator.log_in()
    token = simulator.stable_token()["access_token"]
    simulator.control("/faults", kind="busy")
    simulator.control("/settings", session_key_policy="never", escape_slashes=True)
    assert ACME in simulator.control("/reset")["apps"]
    people = simulator.http.post("/_simulator/login", json={"person": "alice", "appid": ACME})
    assert people.status_code == 404
    assert simulator.http.get("/_simulator/calls").get_json()["calls"] == []
    assert simulator.phone_number(token, code="x")["errcode"] == 40001
    assert simulator.control("/settings")["session_key_policy"] == "always"


def test_the_simulator_imports_no_module_of_the_service():
    folder = Path(app.simulator.__file__).parent
    sources = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    imported = re.findall(r"^(?:from|import) (app\S*)", "\n".join(sources), re.MULTILINE)
    assert imported
    assert {name for name in imported if not name.startswith("app.simulator")} == set()


def test_the_simulator_serves_a_start_page_and_a_health_endpoint(simulator):
    assert "/_simulator/login" in simulator.http.get("/").text
    assert simulator.http.get("/_simulator/health").status_code == 200


def test_a_delayed_response_does_not_delay_other_requests(simulator):
    simulator.control("/faults", kind="slow", seconds=1, times=1)
    with served(simulator) as url, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.get, url + LOGIN, timeout=20)
        until(lambda: requests.get(url + "/_simulator/calls", timeout=20).json()["calls"])
        assert requests.get(url + LOGIN, timeout=20).json()["errcode"] == 41002
        assert not slow.done()
        assert slow.result().headers["Content-Type"] == "text/plain"


def test_the_fault_drop_closes_the_connection(simulator):
    simulator.control("/faults", kind="drop", times=1)
    with served(simulator) as url:
        with pytest.raises(requests.ConnectionError):
            requests.get(url + LOGIN, timeout=2)
        assert requests.get(url + LOGIN, timeout=2).status_code == 200


def test_a_request_with_a_chunked_body_is_rejected_with_412(simulator):
    with served(simulator) as url:
        body = iter([b'{"code":"x"}'])
        path = "/wxa/business/getuserphonenumber?access_token=x"
        response = requests.post(url + path, data=body, timeout=2)
    assert (response.status_code, response.content) == (412, b"")


def test_one_of_several_concurrent_exchanges_of_a_login_code_succeeds(simulator):
    code = simulator.login_code()
    query = {"appid": ACME, "secret": "acme secret", "js_code": code}
    query["grant_type"] = "authorization_code"

    def exchange(_):
        client = simulator.http.application.test_client()
        return client.get(LOGIN, query_string=query).get_json(force=True)

    with ThreadPoolExecutor(8) as pool:
        payloads = list(pool.map(exchange, range(16)))
    assert sorted("openid" in payload for payload in payloads) == [False] * 15 + [True]
