"""The landing page: version and state of the service, without further statements."""

import pytest
from flask.testing import FlaskClient

from app.errors import FAILURES, DatabaseUnavailable, MigrationsMissing
from app.version import VERSION
from app.website import readiness
from tests.website.page_parts import Serve, addresses, text_of


def test_the_landing_page_shows_a_ready_service_and_the_version(browser: FlaskClient) -> None:
    text = text_of(browser.get("/?lang=en").text)
    assert "The service is ready." in text
    assert f"Version {VERSION}" in text
    assert "服务正常" in text_of(browser.get("/?lang=zh").text)


def test_the_landing_page_sends_no_statement_besides_those_of_readyz(
    browser: FlaskClient, statements: list[str]
) -> None:
    assert browser.get("/readyz").status_code == 200
    of_readyz = list(statements)
    statements.clear()
    assert browser.get("/").status_code == 200
    assert statements == of_readyz


def refuse() -> None:
    """Fail as a readiness check of a database without migrations does."""
    raise MigrationsMissing("a cause for the log")


@pytest.mark.parametrize(("language", "state"), [("en", "Not ready."), ("zh", "服务未就绪。")])
def test_in_development_the_landing_page_gives_the_reason_why_the_service_is_not_ready(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch, language: str, state: str
) -> None:
    monkeypatch.setattr(readiness, "check_readiness", refuse)
    answer = browser.get("/", headers={"Accept-Language": language})
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert state in text
    assert "make migrate" in text
    assert (FAILURES["migrations_missing"].en in text) == (language == "en")
    assert "a cause for the log" not in text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Not ready. Operators: see /readyz. Version"),
        ("zh", "服务未就绪。 运维人员请查看 /readyz。 版本"),
    ],
)
def test_in_production_the_landing_page_gives_no_reason(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, language: str, text: str
) -> None:
    monkeypatch.setattr(readiness, "check_readiness", refuse)
    browser = serve(env="production", trusted_proxies=1).test_client()
    page = browser.get(f"/?lang={language}", headers={"X-Forwarded-Prefix": "/auth"}).text
    assert text in text_of(page)
    assert "/auth/readyz" in addresses(page)
    assert "migrat" not in page


def test_the_result_of_a_readiness_check_is_used_for_one_second_after_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, clock, checks = serve().test_client(), [100.0], []

    def check() -> None:
        checks.append(clock[0])
        clock[0] += 1.5
        if len(checks) == 1:
            raise DatabaseUnavailable("slow")

    monkeypatch.setattr(readiness, "check_readiness", check)
    monkeypatch.setattr(readiness, "monotonic", lambda: clock[0])
    states = []
    for moment in (100.0, 101.5, 102.4, 102.5, 104.9):
        clock[0] = moment
        states.append("The service is ready." in browser.get("/?lang=en").text)
    assert states == [False, False, False, True, True]
    assert checks == [100.0, 102.5]


def test_the_landing_page_is_shown_without_a_database(serve: Serve) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    answer = serve(database_url=away).test_client().get("/?lang=en")
    assert answer.status_code == 200
    assert "The database is not available right now." in text_of(answer.text)
