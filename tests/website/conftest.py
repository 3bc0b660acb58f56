"""Fixtures of the website: browsers of services with different settings."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.extensions import db
from app.website.readiness import RecentReadiness
from config import Config, documentation
from tests.website.page_parts import PHONE, Serve


@pytest.fixture(autouse=True)
def guide_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home page of the documentation site, which is not built here."""
    home = tmp_path / "guide" / "index.html"
    monkeypatch.setattr(documentation, "SITE", home.parent)
    monkeypatch.setattr(documentation, "HOME", home)
    return home


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A browser that has no cookie yet, of a process without a recent readiness check."""
    app.extensions["recent_readiness"] = RecentReadiness()
    return app.test_client()


@pytest.fixture
def serve(config: Config) -> Iterator[Serve]:
    """A function that returns a service with changed settings."""
    services: list[Flask] = []

    def start(**changes: Any) -> Flask:
        services.append(create_app(replace(config, **changes)))
        return services[-1]

    yield start
    for service in services:
        with service.app_context():
            db.engine.dispose()


@pytest.fixture
def demo(serve: Serve) -> FlaskClient:
    """A browser on the machine where `make run` serves the demo phone."""
    return serve(demo_phone_url=PHONE).test_client()
