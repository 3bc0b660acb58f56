"""The check of encryption keys and pepper when the service starts."""

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.errors import EncryptionKeyMissing, EncryptionKeyWrong, Failure, PepperWrong
from app.extensions import db
from app.keyring import KeyRing, keyring
from app.services.encryption.key_proofs import check_keys, forget_key
from config import Config
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader, enter_user, failure
from tests.services.login.test_concurrency import run_concurrently

ROOT = Path(__file__).resolve().parents[3]
KEY = bytes(range(32))
WSGI = [sys.executable, "-c", "import wsgi; print(wsgi.app.test_client().get('/readyz').status)"]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"]
FLASK_RUN = [sys.executable, "-m", "flask", "--app", "wsgi", "run", "--port", "0"]

StartWithKeys = Callable[[KeyRing], None]


@pytest.fixture
def start_with(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartWithKeys]:
    """Return a function that starts the service with a given key ring."""
    with app.app_context():

        def start_with(ring: KeyRing) -> None:
            monkeypatch.setitem(app.extensions, "keyring", ring)
            monkeypatch.delitem(app.extensions, "keys_fit", raising=False)
            check_keys()

        start_with(keyring())
        yield start_with


def with_first(ring: KeyRing, key_id: str, key: bytes = KEY) -> KeyRing:
    """Return the key ring with another key before the existing keys."""
    return KeyRing(((key_id, key), *ring.keys), ring.pepper)


def test_restart_with_the_same_encryption_keys_succeeds(
    start_with: StartWithKeys, rows: Reader
) -> None:
    start_with(keyring())
    start_with(with_first(keyring(), "k2"))
    start_with(keyring())
    assert rows.count("key_proofs") == 3


def test_startup_fails_if_an_encryption_key_in_use_is_missing(
    start_with: StartWithKeys, client: Client, alice: Person
) -> None:
    before = keyring()
    start_with(with_first(before, "k2"))
    client.log_in(alice)
    with pytest.raises(EncryptionKeyMissing) as lost:
        start_with(before)
    assert lost.value.about == "WXPASS_KEYS: k2"


def test_startup_error_names_all_missing_encryption_keys(
    start_with: StartWithKeys, client: Client, alice: Person
) -> None:
    ((key_id, _),) = keyring().keys
    start_with(with_first(keyring(), "k2"))
    client.log_in(alice)
    with pytest.raises(EncryptionKeyMissing) as lost:
        start_with(KeyRing((("k3", KEY),), keyring().pepper))
    assert lost.value.about == f"WXPASS_KEYS: {key_id}, k2"


def test_unused_encryption_key_can_be_removed(start_with: StartWithKeys) -> None:
    """A new key can be removed from WXPASS_KEYS as long as no value is encrypted with it."""
    before = keyring()
    start_with(with_first(before, "unused"))
    start_with(before)


def test_old_key_with_which_a_process_encrypts_after_rotation_cannot_be_removed(
    start_with: StartWithKeys,
    client: Client,
    alice: Person,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that was not restarted still encrypts with the old key after `keys rotate`."""
    before, both = keyring(), with_first(keyring(), "k2")
    start_with(both)
    assert app.test_cli_runner().invoke(args=["keys", "rotate"]).exit_code == 0
    monkeypatch.setitem(app.extensions, "keyring", KeyRing(both.keys[::-1], before.pepper))
    client.log_in(alice)
    with pytest.raises(EncryptionKeyMissing) as lost:
        start_with(KeyRing((("k2", KEY),), before.pepper))
    assert lost.value.about == f"WXPASS_KEYS: {before.first}"
    start_with(both)
    assert app.test_cli_runner().invoke(args=["keys", "rotate"]).exit_code == 0
    start_with(KeyRing((("k2", KEY),), before.pepper))


def test_key_proof_of_a_removed_unused_key_is_deleted_after_a_day(
    start_with: StartWithKeys, rows: Reader
) -> None:
    """During that day another process may still encrypt values with the key."""
    before = keyring()
    start_with(with_first(before, "unused"))
    start_with(before)
    assert rows.count("key_proofs", "name = 'unused'") == 1, (
        "another process may be about to encrypt"
    )
    rows("UPDATE key_proofs SET created_at = created_at - interval '25 hours'")
    start_with(before)
    assert rows("SELECT name FROM key_proofs ORDER BY name") == [
        ("WXPASS_PEPPER",),
        (before.first,),
    ]


def test_startup_fails_if_a_key_id_has_a_different_key_than_before(
    start_with: StartWithKeys,
) -> None:
    (key_id, _), pepper = keyring().keys[0], keyring().pepper
    for ring in (
        KeyRing(((key_id, KEY),), pepper),
        KeyRing((("k2", KEY), (key_id, KEY[::-1])), pepper),
    ):
        with pytest.raises(EncryptionKeyWrong) as wrong:
            start_with(ring)
        assert wrong.value.about == f"WXPASS_KEYS: {key_id}"


def test_startup_fails_if_the_pepper_is_different(start_with: StartWithKeys) -> None:
    """With another pepper, no stored phone number would be found."""
    with pytest.raises(PepperWrong):
        start_with(KeyRing(keyring().keys, b"another pepper, long enough to be"))


def test_pepper_is_checked_against_stored_phone_numbers_if_there_is_no_key_proof(
    start_with: StartWithKeys, app: Flask, rows: Reader
) -> None:
    """A database of an earlier release has no key proofs."""
    right = keyring()
    enter_user(app, phone="13800138001")
    rows("DELETE FROM key_proofs")
    with pytest.raises(PepperWrong):
        start_with(KeyRing(right.keys, b"another pepper, long enough to be"))
    start_with(right)


def test_failed_startup_stores_no_key_proof(start_with: StartWithKeys, rows: Reader) -> None:
    before, proofs = keyring(), rows("SELECT * FROM key_proofs ORDER BY name")
    for ring in (
        KeyRing((("k9", KEY),), before.pepper),
        KeyRing((("k9", KEY), *before.keys), b"another pepper, long enough to be"),
    ):
        with pytest.raises(Failure):
            start_with(ring)
    assert rows("SELECT * FROM key_proofs ORDER BY name") == proofs
    start_with(before)


def test_startup_without_key_proofs_requires_the_keys_of_the_encrypted_rows(
    start_with: StartWithKeys, rows: Reader
) -> None:
    """A database of an earlier release has no key proofs."""
    ((key_id, key),), pepper = keyring().keys, keyring().pepper
    rows("DELETE FROM key_proofs")
    with pytest.raises(EncryptionKeyMissing) as lost:
        start_with(KeyRing((("k2", KEY),), pepper))
    assert lost.value.about == f"WXPASS_KEYS: {key_id}"
    start_with(KeyRing((("k2", KEY), (key_id, key)), pepper))
    assert {name for (name,) in rows("SELECT name FROM key_proofs")} == {
        *("WXPASS_PEPPER", "k2", key_id)
    }


def test_key_removed_by_forget_key_is_no_longer_required(
    start_with: StartWithKeys, app: Flask, rows: Reader
) -> None:
    """The key can be added again later."""
    ((key_id, key),), pepper = keyring().keys, keyring().pepper
    with pytest.raises(EncryptionKeyMissing):
        start_with(KeyRing((("k2", KEY),), pepper))
    forget_key(key_id)
    start_with(KeyRing((("k2", KEY),), pepper))
    start_with(KeyRing((("k3", KEY), ("k2", KEY)), pepper))
    start_with(KeyRing(((key_id, key), ("k3", KEY)), pepper))
    assert rows.count("key_proofs", "proof IS NULL") == 0


def test_readiness_check_checks_the_keys_if_startup_could_not(
    start_with: StartWithKeys, client: Client, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was unavailable when the service started."""
    right = keyring()
    assert client.send("GET", "/readyz").status_code == 200
    monkeypatch.setitem(app.extensions, "keyring", KeyRing((("k2", KEY),), right.pepper))
    assert client.send("GET", "/readyz").status_code == 200, (
        "the keys are checked once, not at every readiness check"
    )
    monkeypatch.delitem(app.extensions, "keys_fit")
    refused = client.send("GET", "/readyz")
    assert failure(refused) == (503, "encryption_key_missing")
    monkeypatch.setitem(app.extensions, "keyring", right)
    assert client.send("GET", "/readyz").status_code == 200


def test_commands_fail_with_wrong_keys_except_keys_check_and_keys_forget(
    start_with: StartWithKeys, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, run = keyring(), app.test_cli_runner().invoke
    ((lost, _),) = right.keys
    monkeypatch.setitem(app.extensions, "keyring", KeyRing((("k2", KEY),), right.pepper))

    for command in (["apps", "list"], ["keys", "rotate"], ["demo"]):
        refused = run(args=command)
        assert refused.exit_code == 1
        assert f"encryption_key_missing: WXPASS_KEYS: {lost}: " in refused.output
    checked = run(args=["keys", "check"])
    assert checked.exit_code == 1
    assert f"{lost}\twechat_apps.secret_sealed\t4\tmissing" in checked.output
    assert run(args=["keys", "forget", "k2", "--yes"]).exit_code == 1
    assert run(args=["keys", "forget", "nobody", "--yes"]).exit_code == 1
    assert run(args=["keys", "forget", "WXPASS_PEPPER", "--yes"]).exit_code == 1
    assert run(args=["keys", "forget", lost], input="n\n").exit_code == 1
    assert run(args=["keys", "forget", lost, "--yes"]).exit_code == 0
    assert run(args=["apps", "list"]).exit_code == 0
    assert rows.count("platform_audit_events", "action = 'encryption_key.forgotten'") == 1


def test_app_secret_encrypted_with_a_forgotten_key_is_reported_and_can_be_replaced(
    start_with: StartWithKeys, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((lost, _),) = keyring().keys
    monkeypatch.setitem(app.extensions, "keyring", KeyRing((("k2", KEY),), keyring().pepper))

    def run(*command: str) -> tuple[int, str]:
        result = app.test_cli_runner().invoke(args=command, input="e1" * 16)
        return result.exit_code, result.output

    assert run("keys", "forget", lost, "--yes")[0] == 0
    stdin = (ACME_SHOP.appid, "--secret-stdin")
    for command in (("apps", "verify", ACME_SHOP.appid), ("apps", "set-next-secret", *stdin)):
        code, output = run(*command)
        assert (code, f"encryption_key_missing: no key '{lost}' in" in output) == (1, True)
    assert run("apps", "set-secret", *stdin)[0] == 0
    assert "40125" in run("apps", "verify", ACME_SHOP.appid)[1]


@pytest.mark.real_commits
@pytest.mark.parametrize("differs", ["key", "pepper"])
def test_only_one_of_two_concurrent_first_starts_with_different_keys_succeeds(
    app: Flask, config: Config, rows: Reader, differs: str
) -> None:
    rows("DELETE FROM key_proofs")
    other = replace(
        config,
        keys=(("k2", KEY[:: -1 if differs == "key" else 1]), *config.keys),
        pepper=b"another pepper, long enough to be" if differs == "pepper" else config.pepper,
    )
    services = [create_app(replace(config, keys=(("k2", KEY), *config.keys))), create_app(other)]

    def start(service: Flask) -> bool:
        with service.app_context():
            try:
                check_keys()
            except (EncryptionKeyWrong, PepperWrong):
                return False
            finally:
                db.engine.dispose()
        return True

    started = run_concurrently([lambda one=one: start(one) for one in services])  # type: ignore[misc]
    assert sorted(started) == [False, True]


# Processes


def start_process(
    config: Config, command: list[str], **changes: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end in a process with the given environment variables."""
    environ = {
        "DATABASE_URL": config.database_url,
        "WECHAT_API_BASE_URL": config.wechat_api_base_url,
        "GUNICORN_BIND": "127.0.0.1:0",
        "GUNICORN_WORKERS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env=dict(os.environ) | environ | changes,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def key_setting(key_id: str, key: bytes) -> str:
    """Return a key in the format of WXPASS_KEYS."""
    return f"{key_id}:{b64encode(key).decode()}"


@pytest.mark.real_commits
@pytest.mark.slow
def test_service_process_with_missing_keys_or_another_pepper_exits_with_code_3(
    app: Flask, config: Config
) -> None:
    with app.app_context():
        check_keys()
    ((key_id, key),) = config.keys
    only_new, pepper = key_setting("k2", KEY), "another pepper, long enough to be"
    cases = [
        (GUNICORN, {"WXPASS_KEYS": only_new}, f"WXPASS_KEYS: {key_id}: "),
        (WSGI, {"WXPASS_KEYS": key_setting(key_id, KEY)}, f"WXPASS_KEYS: {key_id}: "),
        (FLASK_RUN, {"WXPASS_KEYS": only_new}, f"WXPASS_KEYS: {key_id}: "),
        (WSGI, {"WXPASS_PEPPER": pepper}, "WXPASS_PEPPER: "),
    ]
    with ThreadPoolExecutor() as pool:
        processes = [
            pool.submit(start_process, config, command, **changes) for command, changes, _ in cases
        ]
    for one, (_, _, expected) in zip(processes, cases, strict=True):
        refused = one.result()
        assert refused.returncode == 3, refused
        assert expected in refused.stderr
        assert "请" in refused.stderr
        assert "Traceback" not in refused.stderr
        for secret in (b64encode(KEY).decode(), b64encode(key).decode(), pepper):
            assert secret not in refused.stderr


@pytest.mark.real_commits
@pytest.mark.slow
def test_worker_that_replaces_a_crashed_one_starts_with_missing_keys(
    app: Flask, config: Config
) -> None:
    """Otherwise a key added by another server would turn one crashed worker into an outage."""
    with app.app_context():
        check_keys()
    lost = {"WXPASS_KEYS": key_setting("k2", KEY), "WXPASS_WORKER": "replacement"}
    assert start_process(config, WSGI, **lost).stdout == "200 OK\n"


@pytest.mark.real_commits
@pytest.mark.slow
def test_service_starts_while_the_database_is_unavailable(config: Config) -> None:
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}
    started = start_process(config, WSGI, **away)
    assert (started.returncode, started.stdout) == (0, "503 SERVICE UNAVAILABLE\n")
