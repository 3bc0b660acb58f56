"""Key rotation during logins: real processes, threads and commits.

ROTATION_ROWS sets the number of encrypted rows. `make test-rotation` uses 200,000.
"""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from app.keyring import KeyRing, keyring
from app.models.columns import new_id
from app.models.sealed_columns import sealed_columns
from app.services.alerts.channels import NewChannel, add_channel
from app.services.alerts.owner import Owner
from app.services.apps.app_secrets import set_next_secret
from app.services.apps.apps import NewApp
from app.services.apps.claims import claim_app
from app.services.apps.tenants import tenant_id_of
from app.services.audit import OPERATOR
from app.services.encryption import key_rotation
from app.services.encryption.key_proofs import check_keys
from app.services.encryption.key_rotation import rotate_keys
from app.services.encryption.key_usage import count_key_usage
from app.services.signing.signing_keys import rotate_signing_key
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from config import Config
from tests.fixtures.operators import enable_one_time_codes, signed_in
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat
from tests.fixtures.portal import Portal, configure, event
from tests.fixtures.waiting import until
from tests.services.database.test_idempotency import DAVE, create
from tests.services.login.test_concurrency import run_concurrently

ROOT = Path(__file__).resolve().parents[3]
ROWS = int(os.environ.get("ROTATION_ROWS", "2000"))
NEW = ("k2", bytes(range(32)))
SESSION_KEY = "tiihtNczf5v6AKRyjwEUhQ=="

pytestmark = [pytest.mark.real_commits, pytest.mark.slow]


def url_of(config: Config) -> str:
    """Return the database URL in the form that psycopg accepts."""
    return config.database_url.replace("postgresql+psycopg", "postgresql")


def fill(config: Config, rows: int) -> None:
    """Insert a number of session keys, three per identity, which is the maximum per identity."""
    ring = KeyRing(config.keys, config.pepper)
    with psycopg.connect(url_of(config)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id FROM wechat_apps WHERE appid = %s", [ACME_SHOP.appid])
        (tenant,) = cursor.fetchone() or ()
        accounts = [new_id() for _ in range(-(-rows // 3))]
        social = "social_accounts (id, tenant_id, appid, openid, last_login_at)"
        with cursor.copy(f"COPY {social} FROM STDIN") as copy:
            for account in accounts:
                copy.write_row((account, tenant, ACME_SHOP.appid, f"o{account}", "now"))
        connection.commit()
        cursor.execute(
            "ANALYZE social_accounts"
        )  # Without statistics, each foreign key check below scans the table.
        kept = "id, tenant_id, social_account_id, key_index, session_key_sealed, asked_at"
        with cursor.copy(f"COPY session_keys ({kept}) FROM STDIN") as copy:
            for number in range(rows):
                account = accounts[number // 3]
                sealed = ring.seal(SESSION_KEY, f"session_keys.session_key_sealed:{account}")
                index = bytes([number % 3]) * 32
                copy.write_row((new_id(), tenant, account, index, sealed, "now"))


@contextmanager
def serving(config: Config, *keys: tuple[str, bytes]) -> Iterator[Flask]:
    """Yield a second Flask app with the given keys, as in another process."""
    service = create_app(replace(config, keys=keys))
    with service.app_context():
        check_keys()
    yield service
    with service.app_context():
        db.engine.dispose()


@pytest.fixture
def new_first(config: Config, app: Flask) -> Iterator[Flask]:
    """Yield a Flask app with a new key before the old one."""
    with serving(config, NEW, *config.keys) as service:
        yield service


@pytest.fixture
def new_only(config: Config, app: Flask) -> Iterator[Flask]:
    """Yield a Flask app with the new key only. Its keys are not checked."""
    service = create_app(replace(config, keys=(NEW,)))
    yield service
    with service.app_context():
        db.engine.dispose()


def start_rotation(config: Config, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    """Start `flask keys rotate` in a process, with a new key before the old one."""
    key_setting = ",".join(
        f"{key_id}:{b64encode(key).decode()}" for key_id, key in (NEW, *config.keys)
    )
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "keys", "rotate"],
        cwd=ROOT,
        env=dict(os.environ)
        | {"WXPASS_KEYS": key_setting, "DATABASE_URL": config.database_url}
        | {"WECHAT_API_BASE_URL": config.wechat_api_base_url},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def count_rows_by_key(service: Flask) -> dict[str | None, int]:
    """Return the number of encrypted rows by the id of their key."""
    with service.app_context():
        usage = count_key_usage()
    return {
        one: sum(use.rows for use in usage if use.key_id == one)
        for one in {use.key_id for use in usage}
    }


@dataclass
class Logins:
    """Threads that log in new users until the context ends, and record the responses."""

    service: Flask
    wechat: WeChat
    statuses: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._log_in_repeatedly, args=(one,)) for one in range(3)
        ]
        for thread in threads:
            thread.start()
        yield
        self._over.set()
        for thread in threads:
            thread.join()

    def _log_in_repeatedly(self, lane: int) -> None:
        """Log in one new user after another: first login, profile, phone number, second login."""
        for number in count():
            if self._over.wait(0.2):
                return
            person = Person(self.wechat, f"p{lane}-{number}", f"138{lane}{number:07}")
            client = Client(self.service)
            try:
                token = self._record(client.post("login", code=person.wx_login()))["token"]
                self._record(client.post("profile", token, **person.tap_user_info()))
                self._record(client.post("phone", token, **person.tap_phone_new()))
                self._record(client.post("login", code=person.wx_login()))
            except Exception as error:
                self.failures.append(repr(error))

    def _record(self, answer: object) -> dict[str, str]:
        self.statuses.append(answer.status_code)  # type: ignore[attr-defined]
        if self.statuses[-1] != 200:
            self.failures.append(answer.text)  # type: ignore[attr-defined]
        return dict(answer.json)  # type: ignore[attr-defined]


def test_logins_succeed_during_key_rotation(
    config: Config, app: Flask, new_first: Flask, new_only: Flask, wechat: WeChat
) -> None:
    fill(config, ROWS)
    logins = Logins(new_first, wechat)
    began = time.perf_counter()
    with logins.running():
        rotating = start_rotation(config)
        out, err = rotating.communicate(timeout=300)
        took = time.perf_counter() - began
    print(f"{ROWS} rows in {took:.1f} s beside {len(logins.statuses)} requests")

    assert logins.failures == []
    assert len(logins.statuses) > 10
    assert (rotating.returncode, err) == (0, ""), out
    assert set(count_rows_by_key(new_only)) == {"k2"}
    assert count_rows_by_key(new_only)["k2"] > ROWS
    with new_only.app_context():
        check_keys()
    person = Person(wechat, "p0-0", "13800000000")
    assert Client(new_only).me(Client(new_only).log_in(person)["token"]).json["phone"]


def test_key_rotation_encrypts_every_encrypted_column_with_the_new_key(
    app: Flask, new_first: Flask, new_only: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    configure(app)
    Portal(client).push(event("debug_demo"))
    create(signed_in(app, "ops@wxpass.example", "platform"), "/tenants/acme/users", DAVE)
    enable_one_time_codes(app, "ops@wxpass.example")
    with app.app_context():
        rotate_signing_key()
        set_next_secret(ACME_SHOP.appid, "e1" * 16)
        preview_import(OPERATOR, tenant_id_of("acme"), read_user_file(b"account\ncarol\n"))
        secrets = ("c2" * 16, "PushToken12345", "Q" * 43)
        claim = NewApp("wxcccc000000000002", "x", "closed", "json", *secrets)
        claim_app(OPERATOR, tenant_id_of("acme"), claim)
        robot = "https://oapi.dingtalk.com/robot/send?access_token=" + "a1" * 32
        channel = NewChannel("dingtalk", "On call", "en", robot, "SEC" + "b2" * 32)
        add_channel(Owner(OPERATOR, tenant_id_of("acme")), channel)
        before = {(use.column, use.rows) for use in count_key_usage()}
    assert {column for column, _ in before} == {one.name for one in sealed_columns()}
    with new_first.app_context():
        assert sum(rotate_keys()) == sum(count for _, count in before)
        assert sum(rotate_keys()) == 0
        assert {(use.column, use.rows) for use in count_key_usage()} == before
    with new_only.app_context():
        assert {use.state for use in count_key_usage()} == {"current"}
        for model in {one.model for one in sealed_columns()}:
            for row in db.session.query(model):
                for one in sealed_columns():
                    if one.model is model and getattr(row, one.sealed.column):
                        assert one.sealed.__get__(row, model)


def test_keys_rotate_command_shows_its_progress_in_a_terminal(
    config: Config, new_first: Flask
) -> None:
    fill(config, 1600)
    screen, terminal = pty.openpty()
    rotating = start_rotation(config, terminal)
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # Reading a closed terminal raises OSError.
        while part := os.read(screen, 1024):
            shown += part
    os.close(screen)
    assert rotating.wait(60) == 0
    percentages = re.findall(r"k2  \[[#-]{36}\] +(\d+)%", shown.decode())
    steps = [int(percent) for percent in percentages]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0, 100)
    assert len(set(steps)) >= 4, "the percentage grows with each batch"
    assert rotating.communicate()[0].startswith("Re-encrypted 16")


def test_concurrent_key_rotations_change_every_row_once(
    config: Config, new_first: Flask, new_only: Flask
) -> None:
    fill(config, 2000)
    total = sum(count_rows_by_key(new_first).values())

    def rotate() -> int:
        with new_first.app_context():
            return sum(rotate_keys())

    assert sum(run_concurrently([rotate, rotate])) == total
    assert count_rows_by_key(new_only) == {"k2": total}


def test_key_rotation_after_a_killed_one_changes_only_the_remaining_rows(
    config: Config, new_first: Flask, new_only: Flask
) -> None:
    fill(config, 8000)
    total = sum(count_rows_by_key(new_first).values())
    killed = start_rotation(config)
    until(lambda: count_rows_by_key(new_first).get("k2", 0) > 0 or killed.poll() is not None)
    assert killed.poll() is None, killed.communicate()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    left = count_rows_by_key(new_first)
    assert set(left) == {"k2", config.keys[0][0]}, "the rotation was killed before its end"

    again = start_rotation(config)
    out, err = again.communicate(timeout=60)
    assert (again.returncode, err) == (0, ""), out
    assert f"Re-encrypted {total - left['k2']} rows with k2." in out
    assert count_rows_by_key(new_only) == {"k2": total}


def test_key_rotation_keeps_a_value_written_by_a_concurrent_login(
    config: Config, new_first: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(config, 3)
    written = "k9:" + "A" * 40
    original = key_rotation._resealed

    def reseal_after_a_login(*batch: object) -> object:
        rows("UPDATE session_keys SET session_key_sealed = :new", new=written)
        return original(*batch)  # type: ignore[arg-type]

    monkeypatch.setattr(key_rotation, "_resealed", reseal_after_a_login)
    monkeypatch.setattr(key_rotation, "PAUSE_SECONDS", 0)
    with new_first.app_context():
        list(rotate_keys())
    assert rows("SELECT DISTINCT session_key_sealed FROM session_keys") == [(written,)]


def test_key_rotation_skips_locked_rows_and_changes_them_later(
    config: Config, new_first: Flask, new_only: Flask
) -> None:
    """Waiting for a row that a login has locked could cause a deadlock."""
    fill(config, 600)
    held = psycopg.connect(url_of(config))
    held.execute("UPDATE session_keys SET asked_at = now() WHERE key_index = %s", [bytes(32)])
    with new_first.app_context():
        rotating = rotate_keys()
        assert sum(next(rotating) for _ in range(2)) == 400
        held.commit()
        held.close()
        list(rotating)
    assert set(count_rows_by_key(new_only)) == {"k2"}


def test_key_rotation_does_not_wait_for_logins_that_lock_the_app_for_key_share(
    config: Config, new_first: Flask, rows: Reader
) -> None:
    with psycopg.connect(url_of(config)) as login:
        login.execute("SELECT FROM wechat_apps FOR KEY SHARE")
        with new_first.app_context():
            assert sum(rotate_keys()) == rows.count("wechat_apps")


def test_key_rotation_reports_values_that_cannot_be_decrypted_and_changes_the_others(
    app: Flask, config: Config, new_first: Flask, rows: Reader
) -> None:
    with app.app_context():
        check_keys()
    fill(config, 1200)
    rows(
        "UPDATE session_keys SET session_key_sealed = CASE key_index"
        " WHEN :one THEN 'k7' || substr(session_key_sealed, strpos(session_key_sealed, ':'))"
        " WHEN :two THEN overlay(session_key_sealed PLACING 'AAAA' FROM 20)"
        " ELSE session_key_sealed END",
        one=bytes(32),
        two=bytes([1]) * 32,
    )
    result = new_first.test_cli_runner().invoke(args=["keys", "rotate"])
    old = config.keys[0][0]

    assert result.exit_code == 1
    assert "Re-encrypted 404 rows" in result.output
    assert "k7\tsession_keys.session_key_sealed\t400\tmissing" in result.output
    assert f"{old}\tsession_keys.session_key_sealed\t400\told" in result.output
    assert rows.count("key_proofs", f"name = '{old}'") == 1
    with new_first.app_context():
        assert keyring().first == "k2"


def test_keys_check_command_does_not_print_a_value_that_was_never_encrypted(
    app: Flask, rows: Reader
) -> None:
    rows("UPDATE wechat_apps SET push_token_sealed = 'a-secret:that-was-never-encrypted'")
    checked = app.test_cli_runner().invoke(args=["keys", "check"])
    assert checked.exit_code == 1
    assert "-\twechat_apps.push_token_sealed\t4\tno ciphertext" in checked.output
    assert "a-secret" not in checked.output


def test_keys_check_command_reports_a_key_that_is_no_longer_needed(
    new_first: Flask, config: Config, rows: Reader
) -> None:
    run, old = new_first.test_cli_runner().invoke, config.keys[0][0]
    checked = run(args=["keys", "check"])
    assert (checked.exit_code, f"{old}\twechat_apps.secret_sealed\t4\told" in checked.output) == (
        0,
        True,
    )
    assert run(args=["keys", "rotate"]).exit_code == 0
    checked = run(args=["keys", "check"])
    assert f"{old}\t-\t0\tnot needed" in checked.output
    assert "k2\twechat_apps.secret_sealed\t4\tencrypts" in checked.output
    assert rows.count("key_proofs", f"name = '{old}'") == 1, (
        "the proof is kept while WXPASS_KEYS contains the key"
    )


def test_error_of_one_tenant_does_not_prevent_the_rotation_of_other_rows(
    app: Flask, new_first: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The command then fails, and the next rotation changes only the remaining rows."""
    client.log_in(alice, ACME_SHOP)
    client.log_in(alice, GLOBEX_LIFE)
    with app.app_context():
        acme = tenant_id_of("acme")
    original = key_rotation._write

    def fail_for_acme(part: key_rotation.Part, fresh: Any) -> int:
        if part.tenant_id == acme:
            raise ZeroDivisionError
        return original(part, fresh)

    with new_first.app_context(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_rotation, "_write", fail_for_acme)
        rotating = rotate_keys()
        assert sum(count for count in iter_until(rotating, ZeroDivisionError)) >= 5
    left = "SELECT tenant_id FROM session_keys WHERE NOT starts_with(session_key_sealed, 'k2:')"
    assert rows(left) == [(acme,)]
    assert set(rows("SELECT split_part(secret_sealed, ':', 1) FROM wechat_apps")) == {("k2",)}
    with new_first.app_context():
        assert sum(rotate_keys()) == 1
    assert rows(left) == []


def iter_until(steps: Iterator[int], error: type[Exception]) -> Iterator[int]:
    """Yield until the expected error is raised."""
    with pytest.raises(error):
        yield from steps
