"""Lost keys are told at boot, by name, before anybody logs in."""

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

Put = Callable[[KeyRing], None]


@pytest.fixture
def put(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """Boot the service with other keys."""
    with app.app_context():

        def put(ring: KeyRing) -> None:
            monkeypatch.setitem(app.extensions, "keyring", ring)
            monkeypatch.delitem(app.extensions, "keys_fit", raising=False)
            check_keys()

        put(keyring())
        yield put


def with_first(ring: KeyRing, key_id: str, key: bytes = KEY) -> KeyRing:
    """Put a new key first."""
    return KeyRing(((key_id, key), *ring.keys), ring.pepper)


def test_a_second_boot_with_the_same_keys_changes_nothing(put: Put, rows: Reader) -> None:
    """Otherwise nobody can restart."""
    put(keyring())
    put(with_first(keyring(), "k2"))
    put(keyring())
    assert rows.count("key_proofs") == 3


def test_a_lost_key_is_told_at_boot(put: Put, client: Client, alice: Person) -> None:
    """Otherwise a boot that looks well ends in failing logins."""
    before = keyring()
    put(with_first(before, "k2"))
    client.log_in(alice)
    with pytest.raises(EncryptionKeyMissing) as lost:
        put(before)
    assert lost.value.about == "WXPASS_KEYS: k2"


def test_the_lost_keys_are_named_and_no_others(put: Put, client: Client, alice: Person) -> None:
    """Otherwise an operator mends one key a boot."""
    ((key_id, _),) = keyring().keys
    put(with_first(keyring(), "k2"))
    client.log_in(alice)
    with pytest.raises(EncryptionKeyMissing) as lost:
        put(KeyRing((("k3", KEY),), keyring().pepper))
    assert lost.value.about == f"WXPASS_KEYS: {key_id}, k2"


def test_a_key_that_encrypted_nothing_is_not_missed(put: Put) -> None:
    """Otherwise whoever takes a new key back before its first use cannot boot."""
    before = keyring()
    put(with_first(before, "unused"))
    put(before)


def test_a_key_that_a_forgotten_process_wrote_with_after_the_rotation_is_missed(
    put: Put, client: Client, alice: Person, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the key goes as soon as `keys rotate` ends well, with what was written since."""
    before, both = keyring(), with_first(keyring(), "k2")
    put(both)
    assert app.test_cli_runner().invoke(args=["keys", "rotate"]).exit_code == 0
    monkeypatch.setitem(app.extensions, "keyring", KeyRing(both.keys[::-1], before.pepper))
    client.log_in(alice)
    with pytest.raises(EncryptionKeyMissing) as lost:
        put(KeyRing((("k2", KEY),), before.pepper))
    assert lost.value.about == f"WXPASS_KEYS: {before.first}"
    put(both)
    assert app.test_cli_runner().invoke(args=["keys", "rotate"]).exit_code == 0
    put(KeyRing((("k2", KEY),), before.pepper))


def test_rows_are_not_looked_at_for_ever_for_a_key_that_has_gone(put: Put, rows: Reader) -> None:
    """Otherwise each boot reads every row; or a key that is just being brought in is forgotten."""
    before = keyring()
    put(with_first(before, "unused"))
    put(before)
    assert rows.count("key_proofs", "name = 'unused'") == 1, "another may be about to encrypt"
    rows("UPDATE key_proofs SET created_at = created_at - interval '25 hours'")
    put(before)
    assert rows("SELECT name FROM key_proofs ORDER BY name") == [
        ("WXPASS_PEPPER",),
        (before.first,),
    ]


def test_another_key_under_the_same_id_is_refused(put: Put) -> None:
    """Otherwise nothing opens, and nothing says why."""
    (key_id, _), pepper = keyring().keys[0], keyring().pepper
    for ring in (
        KeyRing(((key_id, KEY),), pepper),
        KeyRing((("k2", KEY), (key_id, KEY[::-1])), pepper),
    ):
        with pytest.raises(EncryptionKeyWrong) as wrong:
            put(ring)
        assert wrong.value.about == f"WXPASS_KEYS: {key_id}"


def test_another_pepper_is_told_at_boot(put: Put) -> None:
    """Otherwise everybody's phone belongs to nobody, and is registered a second time."""
    with pytest.raises(PepperWrong):
        put(KeyRing(keyring().keys, b"another pepper, long enough to be"))


def test_another_pepper_than_the_phones_were_kept_with_stays_the_wrong_one(
    put: Put, app: Flask, rows: Reader
) -> None:
    """Otherwise a database from before there were proofs is given to the first who comes."""
    right = keyring()
    enter_user(app, phone="13800138001")
    rows("DELETE FROM key_proofs")
    with pytest.raises(PepperWrong):
        put(KeyRing(right.keys, b"another pepper, long enough to be"))
    put(right)


def test_a_refused_boot_leaves_no_proof_of_its_wrong_keys(put: Put, rows: Reader) -> None:
    """Otherwise the right keys are refused afterwards."""
    before, proofs = keyring(), rows("SELECT * FROM key_proofs ORDER BY name")
    for ring in (
        KeyRing((("k9", KEY),), before.pepper),
        KeyRing((("k9", KEY), *before.keys), b"another pepper, long enough to be"),
    ):
        with pytest.raises(Failure):
            put(ring)
    assert rows("SELECT * FROM key_proofs ORDER BY name") == proofs
    put(before)


def test_a_database_from_before_there_were_proofs_takes_its_own_keys_only(
    put: Put, rows: Reader
) -> None:
    """Otherwise the first boot after the upgrade misses what later ones do not."""
    ((key_id, key),), pepper = keyring().keys, keyring().pepper
    rows("DELETE FROM key_proofs")
    with pytest.raises(EncryptionKeyMissing) as lost:
        put(KeyRing((("k2", KEY),), pepper))
    assert lost.value.about == f"WXPASS_KEYS: {key_id}"
    put(KeyRing((("k2", KEY), (key_id, key)), pepper))
    assert {name for (name,) in rows("SELECT name FROM key_proofs")} == {
        *("WXPASS_PEPPER", "k2", key_id)
    }


def test_a_key_that_was_given_up_is_not_asked_for_again(put: Put, app: Flask, rows: Reader) -> None:
    """Otherwise the next new key stops the boot; and a key that is found again stays lost."""
    ((key_id, key),), pepper = keyring().keys, keyring().pepper
    with pytest.raises(EncryptionKeyMissing):
        put(KeyRing((("k2", KEY),), pepper))
    forget_key(key_id)
    put(KeyRing((("k2", KEY),), pepper))
    put(KeyRing((("k3", KEY), ("k2", KEY)), pepper))
    put(KeyRing(((key_id, key), ("k3", KEY)), pepper))
    assert rows.count("key_proofs", "proof IS NULL") == 0


def test_readiness_asks_for_the_keys_when_boot_could_not(
    put: Put, client: Client, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a service that was up before its database takes requests without its keys."""
    right = keyring()
    assert client.send("GET", "/readyz").status_code == 200
    monkeypatch.setitem(app.extensions, "keyring", KeyRing((("k2", KEY),), right.pepper))
    assert client.send("GET", "/readyz").status_code == 200, "asked once, not at every probe"
    monkeypatch.delitem(app.extensions, "keys_fit")
    refused = client.send("GET", "/readyz")
    assert failure(refused) == (503, "encryption_key_missing")
    monkeypatch.setitem(app.extensions, "keyring", right)
    assert client.send("GET", "/readyz").status_code == 200


def test_no_command_works_with_the_wrong_keys_but_those_that_mend_them(
    put: Put, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an operator's shell encrypts what the service cannot open, or is stuck."""
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
    assert rows.count("audit_events", "action = 'encryption_key.forgotten'") == 1


def test_an_app_whose_secret_was_given_up_is_told_and_mended(
    put: Put, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an operator who looks what is left to do gets a traceback."""
    ((lost, _),) = keyring().keys
    monkeypatch.setitem(app.extensions, "keyring", KeyRing((("k2", KEY),), keyring().pepper))

    def run(*command: str) -> tuple[int, str]:
        ended = app.test_cli_runner().invoke(args=command, input="e1" * 16)
        return ended.exit_code, ended.output

    assert run("keys", "forget", lost, "--yes")[0] == 0
    stdin = (ACME_SHOP.appid, "--secret-stdin")
    for command in (("apps", "verify", ACME_SHOP.appid), ("apps", "set-next-secret", *stdin)):
        code, told = run(*command)
        assert (code, f"encryption_key_missing: no key '{lost}' in" in told) == (1, True)
    assert run("apps", "set-secret", *stdin)[0] == 0
    assert "40125" in run("apps", "verify", ACME_SHOP.appid)[1]


@pytest.mark.real_commits
@pytest.mark.parametrize("differs", ["key", "pepper"])
def test_of_two_that_boot_first_and_differ_one_is_refused(
    app: Flask, config: Config, rows: Reader, differs: str
) -> None:
    """Otherwise two processes encrypt under one id with two keys, or index with two peppers."""
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


# Real processes


def boot(config: Config, command: list[str], **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run a process that imports wsgi, in development with given settings."""
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


def spelt(key_id: str, key: bytes) -> str:
    """Write a key as WXPASS_KEYS has it."""
    return f"{key_id}:{b64encode(key).decode()}"


@pytest.mark.real_commits
def test_a_service_with_lost_keys_does_not_start(app: Flask, config: Config) -> None:
    """Otherwise an operator hears of it from people who cannot log in."""
    with app.app_context():
        check_keys()
    ((key_id, key),) = config.keys
    only_new, pepper = spelt("k2", KEY), "another pepper, long enough to be"
    cases = [
        (GUNICORN, {"WXPASS_KEYS": only_new}, f"WXPASS_KEYS: {key_id}: "),
        (WSGI, {"WXPASS_KEYS": spelt(key_id, KEY)}, f"WXPASS_KEYS: {key_id}: "),
        (FLASK_RUN, {"WXPASS_KEYS": only_new}, f"WXPASS_KEYS: {key_id}: "),
        (WSGI, {"WXPASS_PEPPER": pepper}, "WXPASS_PEPPER: "),
    ]
    with ThreadPoolExecutor() as pool:
        boots = [pool.submit(boot, config, command, **changes) for command, changes, _ in cases]
    for one, (_, _, told) in zip(boots, cases, strict=True):
        refused = one.result()
        assert refused.returncode == 3, refused
        assert told in refused.stderr
        assert "请" in refused.stderr
        assert "Traceback" not in refused.stderr
        for secret in (b64encode(KEY).decode(), b64encode(key).decode(), pepper):
            assert secret not in refused.stderr


@pytest.mark.real_commits
def test_a_worker_that_replaces_another_does_not_stop_the_service(
    app: Flask, config: Config
) -> None:
    """Otherwise a new key elsewhere turns one crashed worker into an outage."""
    with app.app_context():
        check_keys()
    lost = {"WXPASS_KEYS": spelt("k2", KEY), "WXPASS_WORKER": "replacement"}
    assert boot(config, WSGI, **lost).stdout == "200 OK\n"


@pytest.mark.real_commits
def test_a_database_that_is_away_at_boot_does_not_stop_the_service(config: Config) -> None:
    """Otherwise the service cannot be started before its database."""
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}
    started = boot(config, WSGI, **away)
    assert (started.returncode, started.stdout) == (0, "503 SERVICE UNAVAILABLE\n")
