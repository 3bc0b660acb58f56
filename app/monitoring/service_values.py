"""Values of the whole service: estimates, jobs, keys, certificates, and the busiest apps.

A group of values is left out if it cannot be read.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Name, load_pem_x509_certificate
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from app.metrics.definitions import (
    APP_INFO,
    CERTIFICATE_EXPIRY,
    JOB_LAST_SUCCESS,
    REPLICA_LAG,
    SESSIONS,
    SIGNING_KEY_AGE,
    USERS,
    Gauge,
)
from app.models import DailyCount, Tenant
from app.services.database.stale_reads import read_replica_lag
from app.services.database.transactions import transaction
from app.services.job_runs import last_runs
from app.services.metrics.counts import today
from app.services.signing.signing_keys import read_key_age
from config import Config
from config.metrics.snapshot import Value

log = structlog.get_logger()

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# Files with more are those of public authorities. An expired one among them does no harm.
MOST_AUTHORITIES = 20
BUSIEST_DAYS = timedelta(days=7)
# -1 is the estimate of a table that was never analysed.
ESTIMATES = text(
    "SELECT relname, reltuples FROM pg_class WHERE reltuples >= 0"
    " AND oid IN (to_regclass('users'), to_regclass('login_sessions'))"
)
ESTIMATED = {"users": USERS, "login_sessions": SESSIONS}


def find_busiest_apps(most: int) -> Mapping[str, str]:
    """Return the tenants of the apps with the most logins of the last seven days, by appid.

    The values are slugs. The busiest app is the first.
    """
    logins = func.sum(DailyCount.logged_in + DailyCount.logged_in_by_password)
    busiest = (
        select(DailyCount.appid, Tenant.slug)
        .join(Tenant, Tenant.id == DailyCount.tenant_id)
        .where(DailyCount.day > today() - BUSIEST_DAYS)
        .group_by(DailyCount.appid, Tenant.slug)
        .order_by(logins.desc(), DailyCount.appid)
        .limit(most)
    )
    with transaction() as db:
        return dict(db.execute(busiest).all())


def read_values(config: Config, tenants: Mapping[str, str]) -> Sequence[Value]:
    """Return the values that can be read. `tenants` are those of `find_busiest_apps`."""
    groups: tuple[Callable[[Config], Iterator[Value]], ...] = (
        *(_certificates, _estimates, _jobs, _signing_key, _replica),
    )
    values = [_value(APP_INFO, 1.0, appid, tenant) for appid, tenant in tenants.items()]
    for group in groups:
        try:
            values += group(config)
        except Exception as error:
            name = group.__name__.removeprefix("_")
            log.warning("metrics_left_out", values=name, error=type(error).__name__)
    return values


def _value(gauge: Gauge, value: float, *labels: str) -> Value:
    return Value(gauge.name, gauge.help, dict(zip(gauge.labels, labels, strict=True)), value)


def _estimates(_config: Config) -> Iterator[Value]:
    with transaction() as db:
        rows = db.execute(ESTIMATES).all()
    for table, rows_estimated in rows:
        yield _value(ESTIMATED[table], float(rows_estimated))


def _jobs(_config: Config) -> Iterator[Value]:
    for job, finished_at in last_runs().items():
        yield _value(JOB_LAST_SUCCESS, finished_at.timestamp(), job)


def _signing_key(_config: Config) -> Iterator[Value]:
    age = read_key_age()
    if age is not None:
        yield _value(SIGNING_KEY_AGE, age.total_seconds())


def _replica(config: Config) -> Iterator[Value]:
    if config.database_replica_url is not None:
        yield _value(REPLICA_LAG, read_replica_lag().total_seconds())


def _certificates(config: Config) -> Iterator[Value]:
    expiries: dict[str, datetime] = {}
    for setting, file in _certificate_files(config):
        try:
            expiry = _earliest_expiry(file)
        except (OSError, ValueError) as error:
            log.warning("metrics_left_out", values=setting, error=type(error).__name__)
        else:
            if expiry is not None:
                expiries[setting] = min(expiry, expiries.get(setting, expiry))
    for setting, expiry in expiries.items():
        yield _value(CERTIFICATE_EXPIRY, expiry.timestamp(), setting)


def _certificate_files(config: Config) -> Iterator[tuple[str, Path]]:
    """Yield the settings that name a file of certificates, with the file."""
    if config.wechat_ca_file:
        yield "WECHAT_CA_FILE", Path(config.wechat_ca_file)
    urls = [
        ("DATABASE_URL", config.database_url),
        *(("DATABASE_LISTEN_URL", url) for url in config.listen_urls),
        ("DATABASE_REPLICA_URL", config.database_replica_url),
    ]
    for setting, url in urls:
        file = make_url(url).query.get("sslrootcert") if url else None
        # `system` stands for the certificates of the operating system.
        if isinstance(file, str) and file != "system":
            yield setting, Path(file)


def _earliest_expiry(file: Path) -> datetime | None:
    """Return the earliest expiry, or None for a file of public authorities.

    Of several certificates of one subject, the newest counts, so that an appended successor is
    enough. Raise OSError, or ValueError without a valid certificate.
    """
    expiries: dict[Name, datetime] = {}
    with warnings.catch_warnings():
        # Files of public authorities contain certificates that a future release will reject.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for text in CERTIFICATE.findall(file.read_bytes()):
            with suppress(ValueError):
                certificate = load_pem_x509_certificate(text)
                subject, expiry = certificate.subject, certificate.not_valid_after_utc
                expiries[subject] = max(expiry, expiries.get(subject, expiry))
    return min(expiries.values()) if len(expiries) <= MOST_AUTHORITIES else None
