"""The `doctor` command with changed settings."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.doctor.findings import Deployment
from app.extensions import db
from config import Config

Findings = dict[str, dict[str, Any]]
Examine = Callable[..., Findings]


def findings_of(app: Flask, deployment: Deployment, *arguments: str) -> Findings:
    """Run `doctor --json`, and return the findings by code."""
    app.extensions["deployment"] = deployment
    done = app.test_cli_runner().invoke(args=["doctor", "--json", *arguments])
    report = json.loads(done.output)
    assert done.exit_code == (1 if report["errors"] else 0), done.exception
    return {finding["code"]: finding for finding in report["findings"]}


@pytest.fixture
def deployment(config: Config) -> Deployment:
    """The deployment of the tests."""
    return Deployment(dict(os.environ) | {"GUNICORN_BIND": "unix:/tmp/x"}, config)


@pytest.fixture
def examine(app: Flask, deployment: Deployment) -> Examine:
    """Return a function that runs `doctor` on the tests' database with changed settings."""

    def run(*arguments: str, environ: dict[str, str] | None = None, **settings: Any) -> Findings:
        config = replace(deployment.settings, **settings)
        changed = Deployment(dict(deployment.environ) | (environ or {}), config)
        return findings_of(app, changed, *arguments)

    return run


@pytest.fixture
def examine_new(deployment: Deployment) -> Iterator[Examine]:
    """Return a function that runs `doctor` in a new app with changed settings."""
    apps: list[Flask] = []

    def run(*arguments: str, **settings: Any) -> Findings:
        config = replace(deployment.settings, **settings)
        apps.append(create_app(config))
        return findings_of(apps[-1], replace(deployment, config=config), *arguments)

    yield run
    for app in apps:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
