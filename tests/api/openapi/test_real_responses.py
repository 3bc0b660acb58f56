"""Response examples that differ by operation have the nulls and booleans of real responses."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.api.openapi.examples import composed
from app.schemas.descriptions import examples
from tests.fixtures.openapi.reading import JSON, Json, operations
from tests.fixtures.operators import (
    PASSWORD,
    Script,
    add_operator,
    enable_one_time_codes,
    signed_in,
)
from tests.fixtures.passwords import OTHER_PASSWORD
from tests.fixtures.personas import Client, Person, WeChat, enter_user, json_of
from tests.fixtures.user_files import csv_of

ACME = "/tenants/acme"
USERS = f"{ACME}/users"


@pytest.fixture
def ops(app: Flask) -> Script:
    """An API client of a platform admin."""
    return signed_in(app, "ops@wxpass.example", "platform")


@pytest.fixture
def ann(app: Flask) -> Script:
    """An API client of an admin of acme."""
    return signed_in(app, examples.EMAIL, "tenant_admin", "acme")


@pytest.fixture
def wang(client: Client, wechat: WeChat, ann: Script) -> Json:
    """The login of a user with account, phone number, nickname, avatar and a WeChat identity."""
    user = {"account": examples.ACCOUNT, "phone": examples.PHONE, "password": PASSWORD}
    assert ann("POST", USERS, json=user).status_code == 201
    person = Person(wechat, "wang", "13800138000")
    login = client.bind(person)
    profile = {"nickname": examples.NICKNAME, "avatar_url": examples.AVATAR_URL}
    assert client.post("profile", login["token"], **profile).status_code == 200
    return client.log_in(person)


def shape(value: Any) -> Any:
    """Return a JSON value in which only nulls, booleans, names and the first items remain.

    The values of `details` are left out, because audit events have different ones.
    """
    if isinstance(value, Mapping):
        return {name: shape(part) for name, part in value.items() if name != "details"}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return value if value is None or isinstance(value, bool) else type(value).__name__


def example_of(document: Json, operation_id: str) -> Any:
    """Return the example of the successful response of an operation."""
    (found,) = (one for one in operations(document) if one.name == operation_id)
    responses = found.described["responses"]
    return responses["201" if "201" in responses else "200"]["content"][JSON]["example"]


def assert_fits(document: Json, operation_id: str, answer: TestResponse) -> None:
    """Assert that the example of an operation has the nulls and booleans of a real response."""
    assert answer.status_code in (200, 201), answer.text
    assert shape(example_of(document, operation_id)) == shape(json_of(answer))


def test_examples_of_logins_have_the_nulls_of_real_logins(
    client: Client, document: Json, wang: Json
) -> None:
    credentials = {"account": examples.ACCOUNT, "password": PASSWORD}
    by_password = client.post("password-login", **credentials)
    assert_fits(document, "log_in_with_password", by_password)
    assert_fits(document, "unbind", client.post("unbind", wang["token"]))


def test_examples_of_operators_have_the_nulls_of_real_operators(
    app: Flask, document: Json, ops: Script
) -> None:
    new = {"email": "bob@acme.example", "role": "tenant_admin", "tenant": "acme"}
    assert_fits(document, "invite_operator", ops("POST", "/operators", json=new))
    operator_id = add_operator(app, "eve@acme.example", "tenant_admin", "acme")
    enable_one_time_codes(app, "eve@acme.example")
    disabled = ops("PATCH", f"/operators/{operator_id}", json={"status": "disabled"})
    assert_fits(document, "change_operator", disabled)
    reset = ops("POST", f"/operators/{operator_id}/reset", json={})
    assert_fits(document, "reset_operator", reset)


def test_the_platform_audit_example_is_an_event_of_a_platform_admin(
    document: Json, ops: Script
) -> None:
    real = ops("GET", "/audit?limit=1&action=operator.password_set")
    example = example_of(document, "list_service_audit")
    assert shape(example) == shape(json_of(real) | {"next_cursor": "another page"})
    invited = ops("POST", "/operators", json={"email": "max@wxpass.example", "role": "platform"})
    (event,) = json_of(ops("GET", "/audit?limit=1"))["items"]
    (shown,) = example["items"]
    assert (event["action"], event["details"]) == (shown["action"], shown["details"])
    assert event["subject"] == json_of(invited)["operator"]["id"]
    assert shown["subject"] == examples.OPERATOR_ID


def test_the_import_example_is_a_preview_without_bad_rows(document: Json, ann: Script) -> None:
    rows = (("erin", "13800138005", "Erin", PASSWORD, "x"), ("frank", "", "", "", ""))
    file = csv_of(("account", "phone", "nickname", "password", "department"), *rows)
    preview = ann("POST", f"{ACME}/imports", data=file, content_type="text/csv")
    assert_fits(document, "preview_users", preview)
    example = example_of(document, "preview_users")
    assert example["rows"] == example["good"] == json_of(preview)["good"]


def test_examples_of_mini_programs_have_the_nulls_of_real_ones(
    wechat: WeChat, document: Json, ann: Script
) -> None:
    appid, secret = "wxaaaa000000000008", "c" * 32
    wechat.control("apps", appid=appid, secret=secret)
    new = {"appid": appid, "name": "New", "secret": secret, "push_token": "token"}
    new["encoding_aes_key"] = examples.ENCODING_AES_KEY
    added = ann("POST", f"{ACME}/apps", json=new)
    limits = {name: added.json[name] for name in ("session_limit", "wechat_call_limit")}
    assert limits == {"session_limit": None, "wechat_call_limit": None}
    assert added.json["state"] == "active"
    example = example_of(document, "add_app")
    assert shape(example | limits) == shape(json_of(added))
    assert example["verdict"] == added.json["verdict"]


def test_examples_of_users_have_the_nulls_of_real_users(
    app: Flask, client: Client, document: Json, ann: Script, wang: Json
) -> None:
    user, other = f"{USERS}/{wang['user']['id']}", enter_user(app, account="li.na")
    merged = ann("POST", f"{USERS}/{other}/merge", json={"into_id": wang["user"]["id"]})
    assert merged.status_code == 200
    new = {"account": "new", "phone": "13800138009", "nickname": "New", "password": PASSWORD}
    assert_fits(document, "enter_user", ann("POST", USERS, json=new))
    assert_fits(document, "change_user", ann("PATCH", user, json={"status": "disabled"}))


def test_examples_of_a_merge_show_the_users_of_its_request(
    app: Flask, client: Client, document: Json, ann: Script, wang: Json
) -> None:
    other = enter_user(app, account="li.na", password=OTHER_PASSWORD)
    profile = {"nickname": "Li Na", "avatar_url": examples.AVATAR_URL}
    login = client.post("password-login", account="li.na", password=OTHER_PASSWORD).json
    assert client.send("PATCH", "/v1/me", login["token"], json=profile).status_code == 200
    assert client.post("logout-all", login["token"]).status_code == 204
    user = wang["user"]["id"]
    real = ann("POST", f"{USERS}/{user}/merge", json={"into_id": other})
    undone = ann("POST", f"{USERS}/{user}/undo-merge", json={})
    ids = {user: examples.USER_ID, other: examples.OTHER_USER_ID}
    for name, answer in (("merge_user", real), ("undo_merge", undone)):
        example, body = example_of(document, name), json_of(answer)
        assert example["user"]["id"] == ids[body["user"]["id"]]
        for role in ("user_id", "merged_user_id"):
            assert example["merges"][0][role] == ids[body["merges"][0][role]]
        (event,) = example["events"]
        assert event["subject"] == example["user"]["id"]
        assert event["action"] in {one["action"] for one in body["events"]}
    assert_fits(document, "undo_merge", undone)


def test_an_example_with_an_unknown_field_is_rejected() -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string", "example": "Ann"}}}
    assert composed(schema, {}, {"name": None}) == {"name": None}
    with pytest.raises(LookupError, match="nmae"):
        composed(schema, {}, {"nmae": None})
    assert json.dumps(composed({"type": "array", "items": schema}, {}, [{}, {"name": "Bo"}])) == (
        '[{"name": "Ann"}, {"name": "Bo"}]'
    )
