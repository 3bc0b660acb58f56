"""The service with a database that was restored on a new server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from config import Config
from tests.fixtures.personas import Person, WeChat
from tests.fixtures.servers.debian_postgres import OWNER, SERVICE, url_of
from tests.fixtures.servers.gunicorn import serving
from tests.restore.conftest import Restored
from tests.restore.phone import code_of
from tests.restore.scripts import ROOT, restore
from tests.restore.story import ACCOUNT, OPERATOR_EMAIL, audit_events

UNKNOWN = (401, "token_invalid")
OTHER_PEPPER = "another pepper with 32 characters"
OTHER_KEY = "eHh4" * 10 + "eHg="


def test_the_service_is_ready_and_the_backup_does_not_contain_its_own_record(
    restored: Restored,
) -> None:
    assert requests.get(f"{restored.phone.url}/readyz", timeout=5).status_code == 200
    assert restored.server("SELECT job FROM job_runs") == []


def test_tokens_of_before_the_backup_work(restored: Restored) -> None:
    phone, logins = restored.phone, restored.story.logins
    for name in ("stays", "milton"):
        assert phone.me(logins[name]["token"]).json() == logins[name]["user"], name
    refreshed = phone.refresh(logins["stays"])
    assert refreshed.ok, refreshed.text
    assert phone.me(refreshed.json()["token"]).ok


def test_users_are_found_by_identity_phone_number_and_password(
    restored: Restored, wechat: WeChat
) -> None:
    phone, story = restored.phone, restored.story
    again = phone.log_in(story.people["stays"])
    assert (again["bound"], again["user"]["id"]) == (True, story.logins["stays"]["user"]["id"])
    # The same number on another WeChat account finds the user by the blind index.
    double = phone.bind(Person(wechat, "double", "13800138100"))
    assert double["user"]["id"] == story.logins["stays"]["user"]["id"]
    assert phone.post("password-login", **ACCOUNT).json()["bound"]


def test_new_people_register_with_new_ids(restored: Restored, wechat: WeChat) -> None:
    new = restored.phone.bind(Person(wechat, "new", "13800138111"))
    assert restored.phone.me(new["token"]).json()["phone"] == "+8613800138111"


def test_sessions_that_ended_before_the_backup_stay_ended(restored: Restored) -> None:
    refused = restored.phone.me(restored.story.logins["left"]["token"])
    assert code_of(refused) == (401, "session_ended")


def test_sessions_opened_after_the_backup_are_unknown(restored: Restored) -> None:
    phone, login = restored.phone, restored.story.logins["arrives"]
    assert code_of(phone.me(login["token"])) == UNKNOWN
    assert code_of(phone.refresh(login)) == (401, "refresh_token_invalid")
    assert not phone.log_in(restored.story.people["arrives"])["bound"]


@pytest.mark.parametrize("name", ["before", "after"])
def test_used_codes_cannot_be_used_again(restored: Restored, name: str) -> None:
    """WeChat refuses a code that was used after the backup.

    A code is made older, because a repeat within 30 seconds gets the same login.
    """
    restored.server("UPDATE code_exchanges SET asked_at = asked_at - interval '31 s' RETURNING 1")
    refused = restored.phone.post("login", code=restored.story.codes[name])
    assert code_of(refused) == (400, "code_used")


def test_a_refresh_token_issued_after_the_backup_is_refused(restored: Restored) -> None:
    phone, logins = restored.phone, restored.story.logins
    assert code_of(phone.me(logins["refreshed"]["token"])) == UNKNOWN
    assert code_of(phone.refresh(logins["refreshed"])) == (401, "refresh_token_reused")
    assert phone.log_in(restored.story.people["refreshes"])["bound"]


def test_operators_sign_in_and_see_the_audit_log(restored: Restored) -> None:
    phone, story = restored.phone, restored.story
    assert len(audit_events(phone, story)) >= story.events
    assert phone.sign_in(OPERATOR_EMAIL)["access_token"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("WXPASS_PEPPER", OTHER_PEPPER),
        ("WXPASS_KEYS", f"dev:{OTHER_KEY}"),
        ("WXPASS_KEYS", f"k2:{OTHER_KEY}"),
    ],
    ids=["pepper", "key", "key ring"],
)
def test_the_start_is_refused_with_another_pepper_or_key(
    restored: Restored, config: Config, tmp_path: Path, setting: str, value: str
) -> None:
    settings = {"DATABASE_URL": url_of(restored.server, SERVICE), setting: value}
    with serving(config, tmp_path, **settings) as service:
        assert service.process.wait(60) != 0
    log = (tmp_path / "gunicorn.log").read_text()
    assert f"{setting}: " in log, log


def test_a_restore_with_another_pepper_is_reported(restored: Restored) -> None:
    server = restored.server
    server(f"CREATE DATABASE other OWNER {OWNER}", database="postgres")
    failed = restore(server, restored.backup, "other", WXPASS_PEPPER=OTHER_PEPPER)

    assert failed.returncode == 1
    assert "pepper_wrong: WXPASS_PEPPER" in failed.stderr
    assert "restore failed: the database is restored, but" in failed.stderr


def test_sessions_that_the_restore_revived_end_with_the_documented_commands(
    restored: Restored,
) -> None:
    """The last test, because it ends all sessions."""
    phone, logins = restored.phone, restored.story.logins
    assert phone.me(logins["leaves"]["token"]).ok, "the logout happened after the backup"
    environ = os.environ | {"DATABASE_URL": url_of(restored.server, SERVICE)}
    for group in ("users", "operators"):
        command = [sys.executable, "-m", "flask", "--app", "wsgi", group, "end-sessions", "--yes"]
        subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=60)

    assert code_of(phone.me(logins["leaves"]["token"])) == (401, "session_revoked")
    assert code_of(phone.refresh(logins["leaves"])) == (401, "session_revoked")
    token = logins["operator"]["access_token"]
    assert phone.send("GET", "/v1/admin/me", token).status_code == 401
    assert phone.log_in(restored.story.people["leaves"])["bound"]
