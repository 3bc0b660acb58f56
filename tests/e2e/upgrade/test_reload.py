"""`make reload` and SIGHUP: new processes take over without a gap in service."""

import os
import signal
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from config import load_config
from config.development import fill
from tests.e2e.upgrade.conftest import Gunicorn, running
from tests.fixtures.load import count_refused, under_load
from tests.fixtures.personas import WeChat, service_of
from tests.fixtures.waiting import until

LONGEST_GAP_SECONDS = 0.5


@pytest.fixture(scope="module")
def service(
    environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gunicorn]:
    settings = os.environ | environ
    fill(settings)
    with service_of(load_config(settings)):
        pass
    with running(environ, tmp_path_factory.mktemp("gunicorn")) as gunicorn:
        yield gunicorn


def test_make_reload_under_load_causes_no_failure_and_no_gap(
    service: Gunicorn, wechat: WeChat
) -> None:
    first = service.pid
    with under_load(service.url, wechat) as load:
        until(lambda: len(load.success_times) > 50)
        done = service.reload()
        reached = len(load.success_times)
        until(lambda: len(load.success_times) > reached + 50)

    assert done.returncode == 0, done.stderr + service.log
    assert f"new master process is {service.pid}" in done.stdout
    assert service.pid != first
    assert load.failures == []
    assert load.longest_gap() < LONGEST_GAP_SECONDS
    assert count_refused(service.url, load.tokens) == 0


def test_sighup_replaces_the_processes_as_make_reload_does(
    service: Gunicorn, wechat: WeChat
) -> None:
    first = service.pid
    assert first
    with under_load(service.url, wechat) as load:
        os.kill(first, signal.SIGHUP)
        until(lambda: service.pid not in (first, None), 60)

    assert load.failures == []
    assert load.longest_gap() < LONGEST_GAP_SECONDS


def test_processes_that_are_not_ready_do_not_replace_running_ones(
    service: Gunicorn, environ: dict[str, str], wechat: WeChat
) -> None:
    """The new release needs a migration that was not run."""
    first = service.pid
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0020'")
        try:
            with under_load(service.url, wechat) as load:
                done = service.reload()
        finally:
            connection.execute("UPDATE alembic_version SET version_num = %s", [_head()])

    assert done.returncode == 1
    assert "The old processes continue to serve" in done.stderr
    assert "migrations_missing" in service.log
    assert service.pid == first
    assert load.failures == []
    assert load.longest_gap() < LONGEST_GAP_SECONDS


def test_reload_command_explains_a_missing_pidfile(service: Gunicorn, tmp_path: Path) -> None:
    unknown = Gunicorn(service.url, tmp_path, service.python)
    done = unknown.reload()

    assert done.returncode == 1
    assert f"{unknown.pidfile} names no running gunicorn" in done.stderr


def test_reload_command_refuses_a_gunicorn_that_runs_in_another_folder(
    service: Gunicorn, tmp_path: Path
) -> None:
    """It would load the release in that folder again, and report success."""
    first = service.pid
    done = service.reload(folder=tmp_path)

    assert done.returncode == 1
    assert f"gunicorn runs in {Path.cwd()} and would load that release again" in done.stderr
    assert service.pid == first


def _head() -> str:
    return sorted(Path("migrations/versions").glob("0*.py"))[-1].name[:4]


def test_make_reload_reads_secret_files_again(environ: dict[str, str], tmp_path: Path) -> None:
    """Running processes keep the values that they have read."""
    fill(settings := dict(environ))
    del settings["JWT_PRIVATE_KEY"]
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    (file := tmp_path / "jwt.pem").write_bytes(pem_of(keys[0]))
    with running(settings | {"JWT_PRIVATE_KEY_FILE": str(file)}, tmp_path / "run") as gunicorn:
        file.write_bytes(pem_of(keys[1]))
        assert public_keys_of(gunicorn) == {public_part(keys[0])}
        assert gunicorn.reload().returncode == 0, gunicorn.log
        assert public_keys_of(gunicorn) == {public_part(keys[1])}
        file.unlink()
        assert gunicorn.reload().returncode == 1
        assert f"JWT_PRIVATE_KEY_FILE: cannot read {file}" in gunicorn.log
        assert public_keys_of(gunicorn) == {public_part(keys[1])}


def pem_of(key: Ed25519PrivateKey) -> bytes:
    """Return a private key in PEM format."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_part(key: Ed25519PrivateKey) -> str:
    """Return the public key as a JWKS has it."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return urlsafe_b64encode(public).decode().rstrip("=")


def public_keys_of(gunicorn: Gunicorn) -> set[str]:
    """Return the public keys of the service."""
    answer = requests.get(f"{gunicorn.url}/.well-known/jwks.json", timeout=20)
    return {key["x"] for key in answer.json()["keys"]}
