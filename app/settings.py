"""Settings of Flask and its extensions, derived from `config.Config`."""

import hmac
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.connections import CONNECT_SECONDS, ReplicaPool, WaitingPool
from app.extensions import REPLICA
from app.version import VERSION
from config import Config

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
# A request gets 503 within 5 seconds if the database is slow, frozen or unreachable.
CONNECTION_OPTIONS = (
    "-c timezone=utc -c statement_timeout=4s -c idle_in_transaction_session_timeout=30s"
)
POOL_SECONDS = 2.5
# The connection fails if sent data is unacknowledged for 5 seconds, or if the peer is unreachable
# for about 16 seconds while the connection is idle.
TCP_OPTIONS = {
    "tcp_user_timeout": 5000,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
REPLICA_POOL_SIZE = 4
# A request that gets no connection to the replica within this time reads from the primary.
REPLICA_POOL_SECONDS = 0.5
BODY_LIMIT = 64 * 1024
# The audience of operators' JWTs. JWTs for an app's back ends have the appid as audience, so the
# admin API rejects them.
JWT_AUDIENCE = "urn:wxpass:service"


def flask_settings(config: Config) -> dict[str, Any]:
    """Return the values for Flask's `app.config`."""
    return {
        "WXPASS_PRODUCTION": config.production,
        "ALLOWED_HOSTS": config.allowed_hosts,
        "WXPASS_WEBSITE": config.website,
        "WXPASS_GUIDE_URL": config.guide_url,
        "DEMO_PHONE_URL": config.demo_phone_url,
        "WXPASS_PUBLIC_URL": config.public_url,
        "MAX_CONTENT_LENGTH": BODY_LIMIT,
        "MAX_FORM_MEMORY_SIZE": BODY_LIMIT,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(config),
        "DATABASE_POOLER": config.database_pooler,
        # For migrations, and for notifications, which Citus workers send too.
        "DIRECT_DATABASE_URL": config.direct_database_url,
        "WORKER_DATABASE_URLS": config.listen_urls[1:],
        "DIRECT_CONNECT_ARGS": _direct_connect_args(),
        "SQLALCHEMY_BINDS": _replica_bind(config),
        "JWT_PRIVATE_KEY": config.jwt_private_key,
        "JWT_ALGORITHM": config.jwt_algorithm,
        "JWT_DECODE_ALGORITHMS": [config.jwt_algorithm],
        "JWT_ENCODE_ISSUER": config.jwt_issuer,
        "JWT_DECODE_ISSUER": config.jwt_issuer,
        "JWT_ENCODE_AUDIENCE": JWT_AUDIENCE,
        "JWT_DECODE_AUDIENCE": JWT_AUDIENCE,
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(minutes=10),
        "JWT_TOKEN_LOCATION": ["headers"],
        # The console's cookie; app/admin/console/cookies.py chooses its name and path.
        "SECRET_KEY": hmac.new(config.pepper, b"console cookies", sha256).digest(),
        "SESSION_COOKIE_HTTPONLY": True,
        # Not Strict: an operator who follows a link from another site stays signed in.
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_CHECK_DEFAULT": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "API_TITLE": "wxpass",
        "API_VERSION": VERSION,
        "OPENAPI_VERSION": "3.0.3",
        "PROPAGATE_EXCEPTIONS": False,
    }


def _engine_options(config: Config) -> dict[str, Any]:
    return {
        "pool_size": config.database_pool_size,
        "max_overflow": 0,
        # LIFO reuses the connections that already have prepared statements.
        "pool_use_lifo": True,
        # Error messages would otherwise contain values such as phone numbers and tokens.
        "hide_parameters": True,
        "poolclass": WaitingPool,
        "pool_timeout": POOL_SECONDS,
        "connect_args": _pooled_connect_args()
        if config.database_pooler
        else _direct_connect_args(),
    }


def _direct_connect_args() -> dict[str, Any]:
    return {"connect_timeout": int(CONNECT_SECONDS), "options": CONNECTION_OPTIONS, **TCP_OPTIONS}


def _pooled_connect_args() -> dict[str, Any]:
    """Return the arguments for a transaction pooler, which changes the server between transactions.

    It refuses `options`, so the role has the timeouts (app/services/database/server_checks.py).
    psycopg gives prepared statements names that repeat in each process, so a process would run
    the statement of another.
    """
    return {"connect_timeout": int(CONNECT_SECONDS), "prepare_threshold": None, **TCP_OPTIONS}


def _replica_bind(config: Config) -> dict[str, Any]:
    """Return the engine options of the read replica by its key, or nothing without a replica."""
    if config.database_replica_url is None:
        return {}
    arguments = _direct_connect_args()
    arguments["options"] += " -c default_transaction_read_only=on"
    return {
        REPLICA: {
            **_engine_options(config),
            "url": config.database_replica_url,
            "pool_size": min(REPLICA_POOL_SIZE, config.database_pool_size),
            "poolclass": ReplicaPool,
            "pool_timeout": REPLICA_POOL_SECONDS,
            "connect_args": arguments,
        }
    }
