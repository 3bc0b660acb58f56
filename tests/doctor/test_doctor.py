"""`doctor`: exit codes, output, deadlines, and settings."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.doctor import catalogue, running, settings
from app.doctor.findings import Deployment, Finding, Text, ok, warning
from app.doctor.running import Group, run_check
from tests.config.test_settings import environ
from tests.doctor.conftest import Examine
from tests.fixtures.personas import ACME_SHOP

ROOT = Path(__file__).resolve().parents[2]
SECRET = "do-not-print-me-do-not-print-me-1"


def run_process(settings: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `flask --app wsgi doctor` with these settings only."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "doctor", *arguments]
    environ = {"PATH": os.environ["PATH"], **settings}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120
    )


def test_deployment_of_the_tests_has_only_the_findings_of_development(examine: Examine) -> None:
    found = examine()
    errors = {code for code, finding in found.items() if finding["level"] == "error"}
    assert errors == {"environment_not_production", "role_superuser"}
    assert {
        *("settings_valid", "database_reachable", "database_version", "connection_direct"),
        *("database_local", "clock_database", "connections_suffice", "archiver_fine"),
        *("role_owns_tables", "migrations_applied", "keys_fit", "wechat_reachable"),
        *("clock_wechat", "app_secret_right", "disk_free", "rate_limits_own"),
        *("backup_missing", "retention_missing", "hosts_unlimited", "public_address_unknown"),
    } <= set(found)


def test_json_has_a_stable_shape(app: Flask, deployment: Deployment) -> None:
    app.extensions["deployment"] = deployment
    report = json.loads(app.test_cli_runner().invoke(args=["doctor", "--json"]).output)
    assert set(report) == {"version", "errors", "warnings", "findings"}
    for finding in report["findings"]:
        assert set(finding) == {"group", "level", "code", "what", "remedy"}
        assert finding["level"] in ("ok", "warning", "error")
        assert (finding["remedy"] is None) == (finding["level"] == "ok")
        for text in (finding["what"], finding["remedy"] or finding["what"]):
            assert set(text) == {"en", "zh"}
            assert all(text.values())
    levels = [finding["level"] for finding in report["findings"]]
    counted = (levels.count("error"), levels.count("warning"))
    assert counted == (report["errors"], report["warnings"])


def test_text_shows_each_problem_with_its_remedy_in_both_languages(
    app: Flask, deployment: Deployment
) -> None:
    app.extensions["deployment"] = deployment
    shown = app.test_cli_runner().invoke(args=["doctor"]).output
    for text in ("is a superuser", "是超级用户", "→ ALTER ROLE", "→ 执行 ALTER ROLE", "Database"):
        assert text in shown
    assert "The database answers." in shown
    quiet = app.test_cli_runner().invoke(args=["doctor", "--quiet"]).output
    assert "is a superuser" in quiet
    assert "The database answers." not in quiet


def groups_of(*findings: Finding) -> tuple[Group, ...]:
    """Return a group with one check that has these findings."""

    def check_all(_: Deployment) -> Iterator[Finding]:
        yield from findings

    return (Group(Text("Test", "测试"), (check_all,)),)


@pytest.mark.parametrize(
    ("level", "arguments", "exit_code"),
    [
        ("ok", [], 0),
        ("warning", [], 0),
        ("warning", ["--strict"], 1),
        ("error", [], 1),
        ("ok", ["--url", "login.example.com"], 2),
        ("ok", ["--hosts", "0"], 2),
    ],
)
def test_exit_code_depends_on_the_worst_finding(
    level: str,
    arguments: list[str],
    exit_code: int,
    app: Flask,
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finding = Finding(level, "test", Text("a", "b"), Text("c", "d"))  # type: ignore[arg-type]
    monkeypatch.setattr(catalogue, "GROUPS", groups_of(finding))
    app.extensions["deployment"] = deployment
    assert app.test_cli_runner().invoke(args=["doctor", *arguments]).exit_code == exit_code


def test_a_remedy_that_is_a_command_is_shown_once(
    app: Flask, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding("error", "test", Text("a", "b"), Text("export X=1", "export X=1"))
    monkeypatch.setattr(catalogue, "GROUPS", groups_of(finding))
    app.extensions["deployment"] = deployment
    assert app.test_cli_runner().invoke(args=["doctor"]).output.count("export X=1") == 1


def test_output_contains_no_secret(app: Flask, deployment: Deployment) -> None:
    app.extensions["deployment"] = deployment
    config = deployment.settings
    shown = app.test_cli_runner().invoke(args=["doctor", "--json"]).output
    for secret in (config.pepper.decode(), ACME_SHOP.secret, config.database_url):
        assert secret not in shown
    assert config.jwt_private_key.splitlines()[1] not in shown


def test_slow_and_failing_checks_do_not_stop_the_others(app: Flask, deployment: Deployment) -> None:
    def check_slowly(_: Deployment) -> Iterator[Finding]:
        yield ok("first", "a", "b")
        time.sleep(5)

    def check_wrongly(_: Deployment) -> Iterator[Finding]:
        yield ok("first", "a", "b")
        raise RuntimeError(SECRET)

    slow = run_check(app, check_slowly, deployment, 0.2)
    assert [finding.code for finding in slow] == ["first", "check_timed_out"]
    failed = run_check(app, check_wrongly, deployment, 5)
    assert [finding.code for finding in failed] == ["first", "check_failed"]
    assert SECRET not in str(failed)
    assert "RuntimeError" in failed[1].what.en


def test_invalid_configuration_is_reported_setting_by_setting() -> None:
    settings = environ(WXPASS_PEPPER=SECRET[:20], PORT="many", WXPASS_KEYS=None)
    done = run_process(settings, "--json")
    assert done.returncode == 1, done.stderr
    found = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "error"]
    assert {one["code"] for one in found} == {"setting_invalid"}
    assert [one["what"]["en"].partition(":")[0] for one in found] == [
        *("WXPASS_KEYS", "WXPASS_PEPPER", "PORT"),
    ]
    assert "export WXPASS_KEYS=" in found[0]["remedy"]["en"]
    assert SECRET[:20] not in done.stdout + done.stderr


def test_database_that_is_down_leaves_the_other_checks(deployment: Deployment) -> None:
    url = f"postgresql://me:{SECRET}@127.0.0.1:1/wxpass"
    settings = environ(DATABASE_URL=url, ALLOWED_HOSTS="login.example.com")
    settings |= {"WECHAT_API_BASE_URL": "https://127.0.0.1:1"}
    done = run_process(settings, "--json")
    assert done.returncode == 1, done.stderr
    found = {one["code"]: one for one in json.loads(done.stdout)["findings"]}
    assert "Connection refused" in found["database_unreachable"]["what"]["en"]
    assert "ConnectionRefusedError" in found["wechat_unreachable"]["what"]["en"]
    assert found["hosts_limited"]["level"] == "ok"
    assert "checks_skipped" in found
    assert SECRET not in done.stdout + done.stderr


def test_secret_files_that_others_can_read_are_reported(examine: Examine, tmp_path: Path) -> None:
    (file := tmp_path / "pepper").write_text("p" * 32)
    file.chmod(0o644)
    found = examine(environ={"WXPASS_PEPPER_FILE": str(file)})
    assert "mode 0644" in found["secret_file_exposed"]["what"]["en"]
    file.chmod(0o440)
    found = examine(environ={"WXPASS_PEPPER_FILE": str(file)})
    assert "secret_file_exposed" not in found
    assert "secret_file_protected" in found


def test_a_mounted_secret_that_all_can_read_is_not_reported(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker Compose mounts each secret as a file of its own, with the mode that it has outside."""
    monkeypatch.setattr(settings, "is_mounted_alone", lambda _: True)
    (file := tmp_path / "pepper").write_text("p" * 32)
    file.chmod(0o644)
    environ = {"WXPASS_PEPPER_FILE": str(file)}
    assert "secret_file_exposed" not in examine(environ=environ)
    file.chmod(0o666)
    assert "secret_file_exposed" in examine(environ=environ)


def test_check_names_in_messages_are_readable(app: Flask, deployment: Deployment) -> None:
    def check_of_something(_: Deployment) -> Iterator[Finding]:
        yield warning("x", ("a", "b"), ("c", "d"))
        raise ValueError

    found = running.run_check(app, check_of_something, deployment, 5)
    assert "“of something”" in found[1].what.en
