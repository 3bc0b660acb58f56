"""Values of the whole service: estimates, jobs, keys, certificates, and the busiest apps.

A group of values is left out if it cannot be read.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from heapq import nsmallest
from pathlib import Path

import structlog
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Name, load_pem_x509_certificate
from sqlalchemy import select, text
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
from app.models import Tenant
from app.services.database.stale_reads import read_replica_lag
from app.services.database.tenant_reads import read_per_tenant
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
# The last column is true if the database has Citus. A table that was never analysed has the
# estimate -1.
ESTIMATES = text(
    "SELECT relname, reltuples, EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
    " FROM pg_class WHERE oid IN (to_regclass('users'), to_regclass('login_sessions'))"
)
# The coordinator has no estimate for a distributed table. Each node has estimates for its shards.
ON_A_NODE = """
SELECT coalesce(json_object_agg(name, number), '{}')
FROM (SELECT logicalrelid::text AS name, sum(reltuples) AS number
      FROM pg_dist_shard JOIN pg_class ON oid = to_regclass(shard_name(logicalrelid, shardid))
      WHERE reltuples >= 0 GROUP BY 1) AS estimates
"""
ON_ALL_NODES = text(
    "SELECT name, sum(number::float) FROM run_command_on_all_nodes(:command),"
    " json_each_text(result::json) AS estimates (name, number)"
    " WHERE success AND name = ANY(:names) GROUP BY name"
)
BUSIEST_OF_TENANT = """
SELECT appid, sum(logged_in + logged_in_by_password) AS logins FROM daily_counts
WHERE tenant_id = %(tenant_id)s AND day > %(after)s
GROUP BY appid ORDER BY logins DESC, appid LIMIT %(most)s
"""
ESTIMATED = {"users": USERS, "login_sessions": SESSIONS}


def find_busiest_apps(most: int) -> Mapping[str, str]:
    """Return the apps with the most logins in the last seven days, the busiest first.

    The keys are appids, the values are the slugs of their tenants.
    """
    with transaction() as db:
        slugs = dict(db.execute(select(Tenant.id, Tenant.slug)).all())
        values = {"after": today() - BUSIEST_DAYS, "most": most}
        found = [
            (-logins, appid, slugs[tenant_id])
            for tenant_id, rows in read_per_tenant(db, BUSIEST_OF_TENANT, slugs, **values)
            for appid, logins in rows
        ]
    return {appid: slug for _, appid, slug in nsmallest(most, found)}


def read_values(config: Config, tenants: Mapping[str, str]) -> Sequence[Value]:
    """Return the values that can be read. `tenants` is the result of `find_busiest_apps`."""
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
        found = db.execute(ESTIMATES).all()
        estimates = {table: rows for table, rows, _ in found if rows >= 0}
        if any(has_citus for _, _, has_citus in found):
            values = {"command": ON_A_NODE, "names": list(ESTIMATED)}
            estimates |= dict(db.execute(ON_ALL_NODES, values).all())
    for table, rows in estimates.items():
        yield _value(ESTIMATED[table], float(rows))


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
