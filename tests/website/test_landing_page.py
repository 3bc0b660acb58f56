"""The landing page: version and state of the service, without further statements."""

import pytest
from flask.testing import FlaskClient

from app.errors import FAILURES, MigrationsMissing
from app.version import VERSION
from app.website import readiness
from tests.website.page_parts import Serve, text_of


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


@pytest.mark.parametrize(("language", "state"), [("en", "Not ready."), ("zh", "服务未就绪。")])
def test_the_landing_page_gives_the_reason_why_the_service_is_not_ready(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch, language: str, state: str
) -> None:
    def refuse() -> None:
        raise MigrationsMissing("a cause for the log")

    monkeypatch.setattr(readiness, "check_readiness", refuse)
    answer = browser.get("/", headers={"Accept-Language": language})
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert state in text
    assert "make migrate" in text
    assert (FAILURES["migrations_missing"].en in text) == (language == "en")
    assert "a cause for the log" not in text


def test_the_landing_page_is_shown_without_a_database(serve: Serve) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    answer = serve(database_url=away).test_client().get("/?lang=en")
    assert answer.status_code == 200
    assert "The database is not available right now." in text_of(answer.text)
