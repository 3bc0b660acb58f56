"""wxpass: WeChat mini-program login for many mini-programs, in one Flask service."""

from functools import partial

from flask import Flask

from app import (
    admin,
    api,
    cli,
    connections,
    dialects,
    failure_metrics,
    headers,
    keyring,
    languages,
    logs,
    monitoring,
    problems,
    proxies,
    tenancy,
    tracing,
    website,
)
from app.api.busy_apps import BusyApps
from app.extensions import api as openapi
from app.extensions import db, migrate
from app.identity_fast_path import IdentityFastPath
from app.keyring import KeyRing
from app.logs.sampling import Sampling
from app.notifications import Notifier, SmtpServer
from app.services.apps.call_limits import CallLimits
from app.services.cache.registry import Caches
from app.services.database.distribution import Distribution
from app.services.database.replica import Replica
from app.services.encryption.readiness import ReadinessCheck
from app.services.login.code_failures import CodeFailures
from app.services.login.code_flights import CodeFlights
from app.services.metrics.counts import Counts, count_answer
from app.services.operators.failed_sign_ins import OperatorFailures
from app.services.passwords.hashing_queue import HashingQueue
from app.services.runtime.rate_limits import RateLimits
from app.services.sessions.last_seen import LastSeen
from app.settings import MIGRATIONS, flask_settings
from config import Config


def create_app(config: Config) -> Flask:
    """Return a new Flask app with its middleware, extensions, blueprints and process state."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]  # no view is async
    app.config.update(flask_settings(config))
    tracing.init_app(app, config)
    _attach_state(app, config)
    keyring.init_app(app, KeyRing(config.keys, config.pepper))

    sampling = Sampling(config.log_success_sample, config.pepper)
    logs.init_app(app, as_json=config.production, sampling=sampling)
    headers.init_app(app)
    languages.init_app(app)
    tenancy.init_app(app)
    db.init_app(app)
    connections.init_app(app)
    migrate.init_app(app, db, directory=MIGRATIONS)
    openapi.init_app(app)
    problems.init_app(app)
    failure_metrics.init_app(app)
    monitoring.init_app(app, config)

    api.register(app, openapi)
    dialects.register(app)
    admin.register(app, openapi)
    website.register(app)
    cli.register(app)

    app.wsgi_app = BusyApps(app)  # type: ignore[method-assign]
    app.wsgi_app = IdentityFastPath(app)  # type: ignore[method-assign]
    tracing.trace_requests(app)
    proxies.init_app(app, config.trusted_proxies)
    return app


def _attach_state(app: Flask, config: Config) -> None:
    """Attach the state of this process: caches, queues, limits and clients."""
    app.extensions["counts"] = Counts()
    app.extensions["caches"] = Caches(config.session_cache_size)
    app.extensions["hashing_queue"] = HashingQueue()
    app.extensions["rate_limits"] = limiter = RateLimits(config.rate_limit_storage_url)
    app.extensions["code_failures"] = CodeFailures(limiter, config.failed_codes_per_minute)
    app.extensions["code_flights"] = CodeFlights()
    app.extensions["last_seen"] = LastSeen()
    app.extensions["distribution"] = Distribution()
    app.extensions["operator_failures"] = OperatorFailures()
    app.extensions["call_limits"] = limits = CallLimits(
        config.wechat_calls_per_app, in_total=config.worker_connections * 6 // 10
    )
    new_wechat_client = partial(
        tracing.wechat_client_class(app),
        config.wechat_api_base_url,
        proxy_url=config.wechat_proxy,
        ca_file=config.wechat_ca_file,
    )
    app.extensions["wechat_client"] = new_wechat_client(count_answer, limits.watch)
    app.extensions["wechat_proof_client"] = new_wechat_client()
    app.extensions["notifier"] = Notifier(_smtp_server(config))
    app.extensions["readiness"] = ReadinessCheck()
    app.extensions["replica"] = Replica() if config.database_replica_url else None


def _smtp_server(config: Config) -> SmtpServer | None:
    if config.smtp_url is None or config.smtp_from is None:
        return None
    return SmtpServer(
        host=config.smtp_url.host,
        port=config.smtp_url.port,
        sender=config.smtp_from,
        implicit_tls=config.smtp_url.implicit_tls,
        user=config.smtp_url.user,
        password=config.smtp_url.password,
    )
