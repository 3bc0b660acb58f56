"""Authentication for business code: `login_required` in the same process, and /v1/verify."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import pytest
from flask import Blueprint, Flask, jsonify
from flask.typing import ResponseReturnValue

from app import create_app
from app.auth import current_user, login_required
from app.extensions import db
from config import Config
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    failure,
)

TOKEN_HEADERS = {"Authorization": "Bearer ", "X-Litemall-Token": "", "X-OA-Token": ""}
shop = Blueprint("orders", __name__)


@shop.get("/orders")
@login_required
def show_orders() -> ResponseReturnValue:
    """Return the current user."""
    return jsonify(asdict(current_user()))


@shop.get("/apps/<appid>/orders")
@login_required
def show_orders_of_app() -> ResponseReturnValue:
    """Return the current user, with the app in the path."""
    with pytest.raises(FrozenInstanceError):
        current_user().user_id = None  # type: ignore[misc, assignment]
    return jsonify(asdict(current_user()))


@shop.get("/acme-only")
@login_required(tenant="acme")
def show_orders_of_acme() -> ResponseReturnValue:
    """Return the current user, for users of one tenant."""
    return jsonify(asdict(current_user()))


@shop.get("/shop-only")
@login_required(appid=ACME_SHOP.appid, tenant="acme")
def show_orders_of_shop() -> ResponseReturnValue:
    """Return the current user, for users of one app."""
    return jsonify(asdict(current_user()))


@shop.get("/everyone")
@login_required()
def show_orders_of_all() -> ResponseReturnValue:
    """Return the current user, for every user."""
    return jsonify(asdict(current_user()))


@pytest.fixture(scope="module")
def with_shop(app: Flask, config: Config) -> Iterator[Flask]:
    """Return an instance of the service with a business blueprint."""
    monolith = create_app(config)
    monolith.register_blueprint(shop, url_prefix="/shop")
    yield monolith
    with monolith.app_context():
        db.engine.dispose()


@pytest.fixture
def business(with_shop: Flask, app: Flask) -> Iterator[Client]:
    """Return a client of the service with the business blueprint.

    The service uses the database connection of the test, and thus its transaction.
    """
    with app.app_context():
        connection = db.engines[None]
    with with_shop.app_context():
        engine, db.engines[None] = db.engines[None], connection
    yield Client(with_shop)
    with with_shop.app_context():
        db.engines[None] = engine


def session_owner(rows: Reader) -> dict[str, str]:
    """Return the ids of the only bound session."""
    found = rows("SELECT user_id, tenant_id, appid, id FROM login_sessions WHERE user_id NOTNULL")
    return dict(
        zip(("user_id", "tenant_id", "appid", "session_id"), map(str, found[0]), strict=True)
    )


@pytest.mark.parametrize("header", TOKEN_HEADERS)
def test_current_user_returns_the_user_of_the_token_in_a_business_view(
    header: str, client: Client, business: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    headers = {header: TOKEN_HEADERS[header] + token}
    answer = business.send("GET", "/shop/orders", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json == session_owner(rows)


def test_a_business_view_rejects_requests_without_a_user_of_the_app_in_the_path(
    client: Client, business: Client, alice: Person, bob: Person
) -> None:
    assert failure(business.send("GET", "/shop/orders")) == (401, "token_missing")
    unbound = client.log_in(bob)["token"]
    assert failure(business.send("GET", "/shop/orders", unbound)) == (401, "no_user")
    token = client.bind(alice)["token"]
    own, sister = (f"/shop/apps/{app.appid}/orders" for app in (ACME_SHOP, ACME_CLUB))
    assert business.send("GET", own, token).status_code == 200
    assert failure(business.send("GET", sister, token)) == (403, "token_of_another_app")


def test_a_business_view_accepts_only_users_of_its_tenant_or_app(
    client: Client, business: Client, alice: Person
) -> None:
    """A view without an audience admits the users of every tenant."""
    own, sister, foreign = (
        client.bind(alice, app)["token"] for app in (ACME_SHOP, ACME_CLUB, GLOBEX_LIFE)
    )
    another_app, another_tenant = (403, "token_of_another_app"), (403, "token_of_another_tenant")
    expected: dict[str, list[tuple[int, str] | int]] = {
        "/shop/orders": [200, 200, 200],
        "/shop/everyone": [200, 200, 200],
        "/shop/acme-only": [200, 200, another_tenant],
        "/shop/shop-only": [200, another_app, another_tenant],
    }
    for path, statuses in expected.items():
        for token, response in zip((own, sister, foreign), statuses, strict=True):
            answer = business.send("GET", path, token)
            actual = answer.status_code if answer.status_code == 200 else failure(answer)
            assert (path, actual) == (path, response)
        assert failure(business.send("GET", path)) == (401, "token_missing")


@pytest.mark.parametrize(
    "audience",
    [
        {"tenant": None},
        {"tenant": ""},
        {"tenant": 7},
        {"tennant": "acme"},
        {"appid": None, "tenant": "acme"},
    ],
)
def test_login_required_raises_type_error_for_an_invalid_audience(audience: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        login_required(**audience)
    with pytest.raises(TypeError):
        login_required("acme")  # type: ignore[call-overload]


@pytest.mark.parametrize("header", TOKEN_HEADERS)
def test_verify_returns_the_user_in_headers(
    header: str, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    answer = client.send("GET", "/v1/verify", headers={header: TOKEN_HEADERS[header] + token})
    assert (answer.status_code, answer.data) == (204, b"")
    user = session_owner(rows)
    for name in ("user", "tenant", "session"):
        assert answer.headers[f"X-{name.title()}-Id"] == user[f"{name}_id"]
    assert answer.headers["X-App-Id"] == user["appid"] == ACME_SHOP.appid


def test_verify_rejects_every_invalid_session_with_401(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    def refusal(token: str | None = None, **headers: str) -> tuple[int, str]:
        answer = client.send("GET", "/v1/verify", token, headers=headers)
        id_headers = {name for name, _ in answer.headers if name.endswith("-Id")}
        assert id_headers == {"X-Request-Id"}
        return failure(answer)

    assert refusal() == (401, "token_missing")
    assert refusal(Authorization="Basic YTpi") == (401, "token_missing")
    assert refusal("wxp_made-up") == (401, "token_invalid")
    assert refusal(**{"X-OA-Token": "wxp_made-up"}) == (401, "token_invalid")
    assert refusal(client.log_in(bob)["token"]) == (401, "no_user")
    login = client.bind(alice)
    assert refusal(login["refresh_token"]) == (401, "token_invalid")
    rows("UPDATE users SET status = 'disabled'")
    assert refusal(login["token"]) == (401, "switched_off")
    rows("UPDATE users SET status = 'active'")
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert refusal(login["token"]) == (401, "session_expired")
    assert client.post("logout", login["token"]).status_code == 204
    assert refusal(login["token"]) == (401, "session_ended")
