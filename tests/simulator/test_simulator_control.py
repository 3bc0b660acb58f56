"""The control API, and the simulator as a server."""

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
    """Serve the simulator on a free port from threads."""
    server = make_server("127.0.0.1", 0, simulator.http.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_calls_are_recorded_without_secrets(simulator):
    """Else a test could not see what reached WeChat, or the record would leak."""
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


def test_person_is_updated_field_by_field(simulator):
    """Else adding a phone number would erase the nickname."""
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
def test_mistake_is_answered_with_advice(simulator, path, body, status, advice):
    """Else a developer would have to read the simulator's source."""
    simulator.control("/people", name="dave")
    response = simulator.http.post(f"/_simulator{path}", json=body)
    assert response.status_code == status
    english, chinese = response.get_json()["error"].split(" / ", 1)
    assert advice in english
    assert any("一" <= letter <= "鿿" for letter in chinese)


def test_secret_is_never_given_back(simulator):
    """Else the simulator would teach a bad habit."""
    response = simulator.http.post("/_simulator/apps", json={"appid": "wx1", "secret": "hush"})
    assert response.get_json() == {"appid": "wx1"}


def test_tokens_are_shown(simulator):
    """Else a test could not search its product's output for a leaked token."""
    stable, legacy = simulator.stable_token(), simulator.legacy_token()
    shown = simulator.http.get("/_simulator/tokens", query_string={"appid": ACME}).get_json()
    assert shown == {"stable": [stable["access_token"]], "legacy": [legacy["access_token"]]}


def test_reset_forgets_everything_but_apps(simulator):
    """Else one test's leftovers would change the next one's outcome."""
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


def test_simulator_imports_nothing_of_the_product():
    """Else the simulator would share the mistakes that it is there to find."""
    folder = Path(app.simulator.__file__).parent
    sources = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    imported = re.findall(r"^(?:from|import) (app\S*)", "\n".join(sources), re.MULTILINE)
    assert imported
    assert {name for name in imported if not name.startswith("app.simulator")} == set()


def test_front_page_and_health(simulator):
    """Else a newcomer would not know how to begin, nor a script when to."""
    assert "/_simulator/login" in simulator.http.get("/").text
    assert simulator.http.get("/_simulator/health").status_code == 200


def test_waiting_caller_does_not_stop_the_others(simulator):
    """Else one slow answer would hold the lock and make every answer slow."""
    simulator.control("/faults", kind="slow", seconds=2, times=1)
    with served(simulator) as url, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.get, url + LOGIN, timeout=20)
        until(lambda: requests.get(url + "/_simulator/calls", timeout=20).json()["calls"])
        assert requests.get(url + LOGIN, timeout=20).json()["errcode"] == 41002
        assert not slow.done()
        assert slow.result().headers["Content-Type"] == "text/plain"


def test_dropped_connection_is_really_closed(simulator):
    """Else the product would never meet a connection that dies under it."""
    simulator.control("/faults", kind="drop", times=1)
    with served(simulator) as url:
        with pytest.raises(requests.ConnectionError):
            requests.get(url + LOGIN, timeout=2)
        assert requests.get(url + LOGIN, timeout=2).status_code == 200


def test_chunked_phone_call_is_refused_on_the_wire(simulator):
    """Else a streaming client would first fail against the real WeChat."""
    with served(simulator) as url:
        body = iter([b'{"code":"x"}'])
        path = "/wxa/business/getuserphonenumber?access_token=x"
        response = requests.post(url + path, data=body, timeout=2)
    assert (response.status_code, response.content) == (412, b"")


def test_code_is_exchanged_once_even_by_simultaneous_callers(simulator):
    """Else a race in the product would be hidden by one in the simulator."""
    code = simulator.login_code()
    query = {"appid": ACME, "secret": "acme secret", "js_code": code}
    query["grant_type"] = "authorization_code"

    def exchange(_):
        client = simulator.http.application.test_client()
        return client.get(LOGIN, query_string=query).get_json(force=True)

    with ThreadPoolExecutor(8) as pool:
        payloads = list(pool.map(exchange, range(16)))
    assert sorted("openid" in payload for payload in payloads) == [False] * 15 + [True]
