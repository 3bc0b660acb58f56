"""Scripts import, export and count people, as the console does."""

import time
from typing import Any

import pytest
from flask import Flask

from tests.cast import Client, Person, Reader, failure
from tests.operators import Script, signed_in

DESK = "/tenants/acme"
GOOD = b"account,phone,nickname\nerin,13800138055,Erin\nfrank,,Frank\n"


@pytest.fixture
def ann(app: Flask) -> Script:
    """Acme's admin."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


def preview(script: Script, file: bytes) -> Any:
    """Send a file to be looked at."""
    return script("POST", f"{DESK}/imports", data=file)


@pytest.mark.real_commits
def test_a_file_is_looked_at_and_then_imported(ann: Script, rows: Reader) -> None:
    """Otherwise many people are entered one by one."""
    seen = preview(ann, GOOD).json
    assert (seen["rows"], seen["good"], seen["bad"]) == (2, 2, [])
    assert rows.count("users") == 0
    this = f"{DESK}/imports/{seen['import_id']}"
    assert ann("GET", this).json["state"] == "previewed"
    assert ann("POST", f"{this}/confirmation").status_code == 202
    deadline = time.monotonic() + 20
    while (progress := ann("GET", this).json)["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert progress == {"state": "done", "rows_done": 2, "rows": 2, "failure": None}
    assert rows.count("users") == 2
    again = ann("POST", f"{this}/confirmation")
    assert failure(again) == (409, "import_confirmed")


def test_a_bad_row_is_named_and_nothing_can_be_confirmed(ann: Script, rows: Reader) -> None:
    """Otherwise somebody looks for it among a thousand."""
    seen = preview(ann, GOOD + b"grace,123,Grace\n").json
    (bad,) = seen["bad"]
    assert (bad["row"], bad["column"], bad["code"]) == (4, "phone", "phone_invalid")
    assert bad["detail"].endswith(".")
    assert (seen["good"], seen["import_id"]) == (2, None)
    assert rows.count("people_imports") == 0


def test_what_is_no_file_of_people_is_refused(ann: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a script does not learn what was wrong, or fills the memory."""
    assert failure(preview(ann, b"")) == (422, "people_file_empty")
    assert failure(preview(ann, b"a,b\n1,2\n")) == (422, "people_columns_wrong")
    large = b"account\n" + b"x" * 70_000
    assert preview(ann, large).status_code == 200, "larger than other bodies may be"
    assert failure(preview(ann, large * 76)) == (413, "body_too_large")


def test_an_export_says_who_took_it(
    ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise people's numbers leave and nobody knows with whom."""
    client.bind(alice)
    masked = ann("POST", f"{DESK}/exports", json={})
    assert masked.content_type.startswith("text/csv")
    assert "13800138001" not in masked.text
    assert "13800138001" in ann("POST", f"{DESK}/exports", json={"full_phones": True}).text
    told = rows("SELECT actor_kind, actor_id FROM audit_events WHERE action = 'users.exported'")
    assert [kind for kind, actor in told if actor] == ["operator", "operator"]


def test_the_numbers_are_told(ann: Script, client: Client, alice: Person) -> None:
    """Otherwise a company's own dashboards have to read our tables."""
    client.bind(alice)
    shown = ann("GET", f"{DESK}/overview?days=7").json
    assert len(shown["days"]) == 7
    assert {app["appid"][:6] for app in shown["apps"]} == {"wxaaaa"}
    assert set(shown["today"]) == {"numbers", "failures", "answer_times"}
    assert failure(ann("GET", f"{DESK}/overview?days=0")) == (422, "request_invalid")
