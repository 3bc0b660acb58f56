"""Gauges of a worker, values of the service, and what happens while the database fails."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Flask

from app.metrics import recording
from app.metrics.definitions import (
    BUILD_INFO,
    DATABASE_CONNECTIONS,
    DATABASE_POOL_SIZE,
    DATABASE_POOL_WAITING,
    LOGINS,
    OTHER,
    PASSWORD_QUEUE_WAITING,
    WECHAT_CIRCUIT_OPEN,
    WECHAT_IN_FLIGHT,
    WORKER_MEMORY,
    WORKERS,
)
from app.monitoring import service_values
from app.monitoring.samples import Sampler
from app.monitoring.service_values import find_busiest_apps, read_values
from app.monitoring.worker import WorkerMetrics
from app.services.database.transactions import transaction
from app.services.job_runs import record_job
from app.services.metrics.counts import today
from app.services.runtime import background
from app.services.signing.signing_keys import rotate_signing_key
from config import Config
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, GLOBEX_LIFE, Reader
from tests.metrics.recorded import RecordedMetrics


@pytest.mark.real_commits
def test_state_of_the_worker_is_sampled(app: Flask, recorded: RecordedMetrics) -> None:
    limits = app.extensions["call_limits"]
    sampler = Sampler(app, recorded.store)
    with app.app_context(), limits.slot(ACME_SHOP.appid), limits.slot(ACME_SHOP.appid):
        with transaction() as session:
            session.connection()
            sampler.sample()
            in_use = recorded.of(DATABASE_CONNECTIONS)["primary", "in_use"]
        assert in_use >= 1
        assert recorded.of(WECHAT_IN_FLIGHT) == {(ACME_SHOP.appid,): 2.0}
    with app.app_context():
        sampler.sample()
    assert recorded.of(WORKERS) == {(): 1.0}
    assert recorded.of(WORKER_MEMORY)[()] > 10_000_000
    assert recorded.of(DATABASE_POOL_SIZE) == {("primary",): 30.0}
    assert recorded.of(DATABASE_POOL_WAITING) == {("primary",): 0.0}
    assert recorded.of(WECHAT_IN_FLIGHT) == {(ACME_SHOP.appid,): 0.0}
    assert recorded.of(WECHAT_CIRCUIT_OPEN) == {}
    lanes = {("operators",): 0.0, ("known",): 0.0, ("others",): 0.0}
    assert recorded.of(PASSWORD_QUEUE_WAITING) == lanes


@pytest.fixture
def worker(
    app: Flask, config: Config, recorded: RecordedMetrics, monkeypatch: pytest.MonkeyPatch
) -> WorkerMetrics:
    """The metrics of a worker without background threads."""
    monkeypatch.setattr(background, "begin", lambda *_: None)
    monkeypatch.setattr("atexit.register", lambda *_: None)
    return WorkerMetrics(app, replace(config, metrics_apps=1))


def test_worker_exports_its_first_values_when_it_begins(
    worker: WorkerMetrics, tmp_path: Path
) -> None:
    worker.begin(tmp_path)
    recording.count(LOGINS, ACME_SHOP.appid, "code", "ok")
    worker.write()
    read = RecordedMetrics()
    read.store = worker._store
    assert read.of(WORKERS) == {(): 1.0}
    assert set(read.of(BUILD_INFO).values()) == {1.0}
    assert read.of(LOGINS) == {(ACME_SHOP.appid, "code", "ok"): 1.0}


def test_metrics_continue_after_an_error(
    worker: WorkerMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither thread may end, for example because the disk is full or the database fails."""

    def fail(*_: object) -> None:
        raise OSError

    worker.begin(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(worker._sampler, "sample", fail)
        patch.setattr("app.monitoring.worker.find_busiest_apps", fail)
        worker.write()
        worker.read_service(tmp_path)
    assert worker._busiest_due == 0.0


def test_busiest_apps_of_seven_days_are_named(
    app: Flask, rows: Reader, worker: WorkerMetrics, tmp_path: Path
) -> None:
    add_logins(rows, ACME_SHOP.appid, 5, days_ago=0)
    add_logins(rows, GLOBEX_LIFE.appid, 3, days_ago=6)
    add_logins(rows, GLOBEX_LIFE.appid, 3, days_ago=5)
    add_logins(rows, ACME_CLUB.appid, 99, days_ago=7)
    with app.app_context():
        assert list(find_busiest_apps(10)) == [GLOBEX_LIFE.appid, ACME_SHOP.appid]
        worker.read_service(tmp_path)
    names = [worker._labels.label(one.appid) for one in (GLOBEX_LIFE, ACME_SHOP, ACME_CLUB)]
    assert names == [GLOBEX_LIFE.appid, OTHER, OTHER]


def test_the_busiest_apps_are_exported_with_their_tenants(
    app: Flask, config: Config, rows: Reader
) -> None:
    add_logins(rows, ACME_SHOP.appid, 5, days_ago=0)
    add_logins(rows, GLOBEX_LIFE.appid, 3, days_ago=0)
    add_logins(rows, ACME_CLUB.appid, 1, days_ago=0)
    with app.app_context():
        values = read_values(config, find_busiest_apps(2))
    tenants = [one.labels for one in values if one.name == "wxpass_app_info"]
    assert sorted(tenants, key=lambda labels: labels["tenant"]) == [
        {"app": ACME_SHOP.appid, "tenant": "acme"},
        {"app": GLOBEX_LIFE.appid, "tenant": "globex"},
    ]


def add_logins(rows: Reader, appid: str, logins: int, days_ago: int) -> None:
    """Insert a row of counts. A third of the logins is by password."""
    by_password = logins // 3
    rows(
        "INSERT INTO daily_counts (tenant_id, day, appid, logged_in, logged_in_by_password)"
        " SELECT tenant_id, :day, appid, :by_code, :by_password FROM wechat_apps"
        " WHERE appid = :appid RETURNING 1",
        day=today() - timedelta(days=days_ago),
        by_code=logins - by_password,
        by_password=by_password,
        appid=appid,
    )


def values_of(app: Flask, config: Config) -> dict[tuple[str, ...], float]:
    """Return the values of the service by name and label values."""
    with app.app_context():
        return {(one.name, *one.labels.values()): one.value for one in read_values(config, {})}


def test_values_of_the_service(app: Flask, config: Config, rows: Reader) -> None:
    proof = "INSERT INTO key_proofs (name, created_at) VALUES ('k0', now() - interval '3 days')"
    rows(f"{proof} RETURNING 1")
    rows("DELETE FROM job_runs RETURNING 1")
    estimates = "SELECT reltuples::float FROM pg_class WHERE oid = to_regclass('users')"
    (estimate,) = rows(estimates)[0]
    values = values_of(app, config)
    assert values.get(("wxpass_users",), -1) == estimate
    assert ("wxpass_job_last_success_timestamp_seconds", "backup") not in values
    assert values["wxpass_signing_key_age_seconds",] == pytest.approx(3 * 86400, abs=60)

    with app.app_context():
        record_job("backup")
        rotate_signing_key()
    values = values_of(app, config)
    now = datetime.now(UTC).timestamp()
    assert values["wxpass_job_last_success_timestamp_seconds", "backup"] == pytest.approx(
        now, abs=60
    )
    # The next key is published, but does not sign yet.
    assert values["wxpass_signing_key_age_seconds",] == pytest.approx(3 * 86400, abs=60)
    rows("UPDATE signing_keys SET signs_from = now() - interval '1 hour' RETURNING 1")
    assert values_of(app, config)["wxpass_signing_key_age_seconds",] == pytest.approx(3600, abs=60)


def test_estimates_do_not_use_functions_of_citus_on_plain_postgresql(
    app: Flask, config: Config, statements: list[str]
) -> None:
    values_of(app, config)
    assert not any("run_command_on_all_nodes" in one for one in statements)


def certificate(days: int, subject: str = "test") -> str:
    """Return a certificate in PEM that expires in some days."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=days))
    return builder.sign(key, None).public_bytes(Encoding.PEM).decode()


def test_certificates_are_exported_by_setting_while_the_database_fails(
    app: Flask, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be read hides only its own value."""
    (tmp_path / "wechat.pem").write_text(certificate(30) + certificate(3, "b") + certificate(90))
    (tmp_path / "database.pem").write_text(certificate(7))
    url = f"postgresql+psycopg://x/x?sslmode=verify-full&sslrootcert={tmp_path}"
    settings = replace(
        config,
        wechat_ca_file=str(tmp_path / "wechat.pem"),
        database_url=f"{url}/database.pem",
        database_listen_url=f"{url}/missing.pem",
        database_replica_url="postgresql+psycopg://x/x?sslrootcert=system",
    )

    def fail(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(service_values, "transaction", fail)
    monkeypatch.setattr(service_values, "last_runs", fail)
    monkeypatch.setattr(service_values, "read_key_age", fail)
    monkeypatch.setattr(service_values, "read_replica_lag", fail)
    now, name = datetime.now(UTC).timestamp(), "wxpass_certificate_expiry_timestamp_seconds"
    assert values_of(app, settings) == {
        (name, "WECHAT_CA_FILE"): pytest.approx(now + 3 * 86400, abs=60),
        (name, "DATABASE_URL"): pytest.approx(now + 7 * 86400, abs=60),
    }


def test_successor_in_the_same_file_replaces_a_certificate(config: Config, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(certificate(3) + certificate(900) + certificate(-9))
    settings = replace(config, wechat_ca_file=str(tmp_path / "ca.pem"))
    (one,) = service_values._certificates(settings)
    assert one.value == pytest.approx(datetime.now(UTC).timestamp() + 900 * 86400, abs=60)


def test_bundle_of_public_authorities_has_no_expiry(config: Config) -> None:
    """Certificates of some of its authorities expire each year, without effect."""
    settings = replace(config, wechat_ca_file=certifi.where())
    assert [*service_values._certificates(settings)] == []


def test_earliest_certificate_of_several_listen_urls_counts(config: Config, tmp_path: Path) -> None:
    for days in (900, 30, 400):
        (tmp_path / f"{days}.pem").write_text(certificate(days))
    url = f"postgresql+psycopg://x/x?sslrootcert={tmp_path}"
    urls = " ".join(f"{url}/{days}.pem" for days in (900, 30, 400))
    (one,) = service_values._certificates(replace(config, database_listen_url=urls))
    assert one.value == pytest.approx(datetime.now(UTC).timestamp() + 30 * 86400, abs=60)
