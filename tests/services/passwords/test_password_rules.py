"""Password strength is checked in every place that sets a password, and at no login."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from werkzeug.test import TestResponse

from app.errors import ImportPasswordsTooMany, PasswordTooWeak
from app.extensions import db
from app.problems import message_of
from app.services.apps.tenants import tenant_id_of
from app.services.operators import operators
from app.services.passwords.hashing import hash_password
from app.services.user_import import password_checks
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import check_users
from app.services.users import users
from tests.admin.api.test_queries import debug_log
from tests.admin.console.browser import Browser, TenantConsole
from tests.fixtures.operators import DEVICE, Script, invite, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD, OTHER_PASSWORD
from tests.fixtures.personas import Client, Person, Reader, enter_user, failure
from tests.fixtures.user_files import csv_of

__all__ = ["debug_log"]

WEAK = "password1234"
ALICE = {"account": "alice", "password": GOOD_PASSWORD}
USERS = "/tenants/acme/users"
EASY = "This password is easy to guess. Choose another one."
ENGLISH = f"{EASY} This is a very common password. Add another word or two."
CHINESE = "这个密码太容易被猜到，请换一个。这是很多人在用的密码。建议再加一两个词，越少见越好。"


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


def change(client: Client, token: str, old: str, new: str, language: str = "en") -> TestResponse:
    """Change the logged-in user's password."""
    body = {"old_password": old, "new_password": new}
    headers = {"Accept-Language": language}
    return client.send("POST", "/v1/me/password", token, json=body, headers=headers)


def run(app: Flask, *arguments: str, stdin: str = "") -> Result:
    """Run a command of the command line interface."""
    return app.test_cli_runner().invoke(args=list(arguments), input=stdin)


# Passwords that users change themselves


def test_user_cannot_change_the_own_password_to_a_weak_one(
    app: Flask, client: Client, rows: Reader
) -> None:
    enter_user(app, phone="13800138001", **ALICE)
    login, other = (client.post("password-login", **ALICE).json for _ in range(2))
    refused = change(client, login["token"], GOOD_PASSWORD, WEAK)
    assert failure(refused) == (422, "password_too_weak")
    assert refused.json["detail"].startswith(ENGLISH)
    in_chinese = change(client, login["token"], GOOD_PASSWORD, WEAK, "zh-CN")
    assert in_chinese.json["detail"] == CHINESE
    for known in ("alice-2025-alice", "tel-13800138001", "acme-acme-00138001"):
        answer = change(client, login["token"], GOOD_PASSWORD, known)
        assert failure(answer) == (422, "password_too_weak"), known
    assert client.me(other["token"]).status_code == 200, "no session was ended"
    assert client.post("password-login", **ALICE).status_code == 200
    assert rows.count("audit_events", "action = 'user.password_changed'") == 0
    assert change(client, login["token"], GOOD_PASSWORD, OTHER_PASSWORD).status_code == 204


def test_wrong_old_password_is_reported_before_a_weak_new_one(
    app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stolen session does not suffice to make the server estimate passwords."""
    enter_user(app, **ALICE)
    token = client.post("password-login", **ALICE).json["token"]
    forbid_estimates(monkeypatch)
    assert failure(change(client, token, "wrong", WEAK)) == (401, "credentials_wrong")


def forbid_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if the strength of a password is estimated."""

    def fail(*_: Any) -> None:
        raise AssertionError("a password was estimated")

    monkeypatch.setattr("app.services.passwords.strength._estimator", fail)


def test_weak_password_set_before_the_rules_still_logs_in(
    app: Flask, client: Client, rows: Reader, ann: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_user(app, **ALICE)
    hashed = hash_password("12345678")
    rows("UPDATE users SET password_hash = :hashed", hashed=hashed)
    rows("UPDATE operators SET password_hash = :hashed", hashed=hashed)
    forbid_estimates(monkeypatch)
    assert client.post("password-login", account="alice", password="12345678").status_code == 200
    assert ann.sign_in("12345678").status_code == 200


# Passwords of users that operators set


@pytest.mark.parametrize(
    "password", [WEAK, "zhaomengyao8", "mengyao-0013", "tel00138003", "Acme2025", "z-acme-acme"]
)
def test_tenant_admin_cannot_add_a_user_with_a_weak_password(
    ann: Script, rows: Reader, password: str
) -> None:
    person = {"account": "zhao.mengyao", "phone": "13800138003", "nickname": "Zhao Mengyao"}
    again = {"Idempotency-Key": "key-1"}
    refused = ann("POST", USERS, json=person | {"password": password}, headers=again)
    assert failure(refused) == (422, "password_too_weak")
    assert password not in refused.text
    assert rows.count("users") == rows.count("phones") == 0
    good = person | {"password": GOOD_PASSWORD}
    assert (
        ann("POST", USERS, json=good, headers=again | {"Idempotency-Key": "key-2"}).status_code
        == 201
    )


@pytest.mark.parametrize(
    "password", [WEAK, "zhao-mengyao", "tel-00138001", "Acme-2025", "mengyao88"]
)
def test_tenant_admin_cannot_set_a_weak_password_for_a_user(
    app: Flask, ann: Script, client: Client, rows: Reader, password: str
) -> None:
    user = enter_user(app, phone="13800138001", **ALICE)
    rows("UPDATE users SET nickname = 'Zhao Mengyao'")
    token = client.post("password-login", **ALICE).json["token"]
    refused = ann("POST", f"{USERS}/{user}/password", json={"password": password})
    assert failure(refused) == (422, "password_too_weak")
    assert client.me(token).status_code == 200, "no session was ended"
    assert client.post("password-login", **ALICE).status_code == 200
    body = {"password": OTHER_PASSWORD}
    assert ann("POST", f"{USERS}/{user}/password", json=body).status_code == 204


def test_operator_role_and_target_user_are_checked_before_the_password_strength(
    app: Flask, ann: Script, client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = client.bind(alice)["user"]["id"]
    neighbour = enter_user(app, "globex", account="carol", password=GOOD_PASSWORD)
    mine = enter_user(app, **ALICE)
    rita = signed_in(app, "rita@acme.example", "tenant_reader", "acme")
    forbid_estimates(monkeypatch)
    body = {"password": WEAK}
    for script, user, expected in (
        (rita, mine, (403, "role_too_low")),
        (ann, bare, (409, "no_account")),
        (ann, neighbour, (404, "user_unknown")),
    ):
        assert failure(script("POST", f"{USERS}/{user}/password", json=body)) == expected
    refused = rita("POST", USERS, json={"account": "dave", "password": WEAK})
    assert failure(refused) == (403, "role_too_low")


def test_undecryptable_phone_does_not_prevent_a_password_change(
    app: Flask, ann: Script, rows: Reader
) -> None:
    user = enter_user(app, phone="13800138001", **ALICE)
    rows("UPDATE phones SET number_sealed = number_sealed || 'x'")
    path = f"{USERS}/{user}/password"
    assert failure(ann("POST", path, json={"password": WEAK})) == (422, "password_too_weak")
    assert ann("POST", path, json={"password": OTHER_PASSWORD}).status_code == 204


def test_user_commands_refuse_weak_passwords_in_english_and_chinese(
    app: Flask, rows: Reader
) -> None:
    options = ("--tenant", "acme", "--password-stdin")
    refused = run(app, "users", "add", "--account", "alice", *options, stdin=WEAK)
    assert refused.exit_code == 1
    assert f"password_too_weak: {ENGLISH}" in refused.output
    assert CHINESE in refused.output
    assert WEAK not in refused.output
    assert rows.count("users") == 0
    enter_user(app, **ALICE)
    refused = run(app, "users", "set-password", "alice", *options, stdin="alice-in-acme")
    assert refused.exit_code == 1
    assert "It contains the account, nickname, phone number" in refused.output
    assert "密码中含有账号、昵称、手机号" in refused.output


@pytest.mark.parametrize(("language", "advice"), [("en", ENGLISH), ("zh", CHINESE)])
def test_console_shows_the_advice_on_a_weak_password_but_not_the_password(
    app: Flask, rows: Reader, language: str, advice: str
) -> None:
    console, alice = TenantConsole(app, language=language), enter_user(app, **ALICE)
    entered = {"account": "dora", "password": WEAK, "phone": "", "nickname": "Dora"}
    pages = {"/users/enter": entered, f"/users/{alice}/password": {"password": WEAK}}
    for path, form in pages.items():
        refused = console.post(path, **form)
        assert refused.status_code == 422
        assert advice in refused.text
        assert WEAK not in refused.text
    assert 'value="dora"' in console.post("/users/enter", **entered).text, "the form is filled in"
    assert rows.count("users") == 1


# Operators


@pytest.mark.parametrize(
    "password",
    [WEAK, "aaaaaaaaaaaa", "anna.lumbergh1", "lumbergh-2025", "acme-acme-2025", "correct.horse"],
)
def test_operator_cannot_accept_an_invitation_with_a_weak_password(
    app: Flask, password: str, rows: Reader
) -> None:
    invitation = invite(app, "anna.lumbergh@initech.example", "tenant_admin", "acme")
    body = {"invitation": invitation, "password": password}
    refused = Client(app).send("POST", "/v1/admin/invitation", json=body)
    assert failure(refused) == (422, "password_too_weak")
    assert rows("SELECT password_hash FROM operators") == [(None,)]
    for language, easy in (("en", EASY), ("zh", "这个密码太容易被猜到，请换一个。")):
        form = {"invitation": invitation, "password": password, "again": password}
        refused = Browser(app, language=language).post("/invitation", **form)
        assert refused.status_code == 422
        assert easy in refused.text
        assert password not in refused.text
    taken = Client(app).send(
        "POST", "/v1/admin/invitation", json=body | {"password": GOOD_PASSWORD}
    )
    assert taken.status_code == 200, "the invitation was not used up"


def test_password_strength_is_checked_only_if_the_invitation_is_valid(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_estimates(monkeypatch)
    body = {"invitation": "made up", "password": WEAK}
    refused = Client(app).send("POST", "/v1/admin/invitation", json=body)
    assert failure(refused) == (404, "invitation_invalid")


# Imports


def preview_import_file(script: Script, content: bytes, language: str = "en") -> Any:
    """Upload an import file and return the preview."""
    headers = {"Accept-Language": language}
    path = "/tenants/acme/imports"
    return script("POST", path, data=content, content_type="text/csv", headers=headers).json


FILE = csv_of(
    ("account", "phone", "nickname", "password"),
    ("alice", "", "", GOOD_PASSWORD),
    ("bob", "", "", WEAK),
    ("zhao", "13800138001", "孟瑶 mengyao", "tel-00138001"),
    ("dora", "", "", "short"),
    ("erin", "", "", "acme-mengyao"),
    ("frank", "", "", ""),
)


def test_import_preview_reports_each_row_with_a_weak_password(
    app: Flask, ann: Script, rows: Reader
) -> None:
    preview = preview_import_file(ann, FILE)
    assert preview["import_id"] is None
    assert (preview["rows"], preview["good"]) == (6, 3)
    bad = [(one["row"], one["column"], one["code"]) for one in preview["bad"]]
    assert bad == [
        (3, "password", "password_too_weak"),
        (4, "password", "password_too_weak"),
        (5, "password", "password_too_short"),
    ]
    assert preview["bad"][0]["advice"].startswith(ENGLISH)
    assert preview_import_file(ann, FILE, "zh-CN")["bad"][0]["advice"] == CHINESE
    assert rows.count("users") == rows.count("people_imports") == 0


def test_console_and_import_command_report_weak_passwords_of_an_import_file(
    app: Flask, tmp_path: Any
) -> None:
    console = TenantConsole(app, language="zh")
    upload = (io.BytesIO(FILE), "people.csv")
    page = console.open(
        "/people/preview",
        "POST",
        data={"csrf_token": console.token("/people/"), "file": upload},
        content_type="multipart/form-data",
    )
    assert CHINESE in page.text
    path = tmp_path / "people.csv"
    path.write_bytes(FILE)
    output = run(app, "users", "import", str(path), "--tenant", "acme").output
    (line,) = (line for line in output.splitlines() if line.startswith("3\t"))
    assert line.startswith(f"3\tpassword\tpassword_too_weak\t{ENGLISH}")
    assert line.endswith(CHINESE)
    assert WEAK not in output + page.text


def test_import_file_is_refused_if_its_password_checks_take_too_long(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand hostile passwords would block a worker for more than a minute."""
    monkeypatch.setattr(password_checks, "MOST_SECONDS", 0.0)
    with app.app_context(), pytest.raises(ImportPasswordsTooMany):
        check_users(tenant_id_of("acme"), read_user_file(FILE))


# All ways of setting a password


@pytest.mark.real_commits
def test_no_database_connection_is_held_during_a_password_strength_check(
    app: Flask, client: Client, ann: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def find(*_: Any) -> Sequence[str]:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return ()

    user = enter_user(app, **ALICE)
    token = client.post("password-login", **ALICE).json["token"]
    invitation = invite(app, "new@acme.example", "tenant_reader", "acme")
    monkeypatch.setattr("app.services.passwords.strength.find_weakness", find)
    monkeypatch.setattr(password_checks, "find_weakness", find)
    assert change(client, token, GOOD_PASSWORD, OTHER_PASSWORD).status_code == 204
    body = {"password": OTHER_PASSWORD}
    assert ann("POST", f"{USERS}/{user}/password", json=body).status_code == 204
    assert ann("POST", USERS, json=body | {"account": "bob"}).status_code == 201
    assert preview_import_file(ann, FILE)["rows"] == 6
    with app.app_context():
        operators.accept_invitation(invitation, OTHER_PASSWORD, DEVICE)
    assert held == [0] * 8


def test_weak_passwords_are_not_logged(app: Flask, ann: Script, debug_log: io.StringIO) -> None:
    secret = "zhaomengyao-2025"
    refused = ann("POST", USERS, json={"account": "zhaomengyao", "password": secret})
    assert failure(refused) == (422, "password_too_weak")
    assert preview_import_file(ann, csv_of(("account", "password"), ("zhaomengyao", secret)))["bad"]
    logged = debug_log.getvalue()
    assert "password_too_weak" in logged
    assert secret not in logged


def test_dialect_error_message_contains_the_translated_advice_on_a_weak_password(
    app: Flask,
) -> None:
    """No dialect sets passwords yet, so this calls `message_of`, which all dialects use."""
    with app.app_context(), pytest.raises(PasswordTooWeak) as refused:
        users.add_user("acme", "alice", WEAK, None)
    with app.test_request_context():
        assert message_of(refused.value, default="zh") == CHINESE
