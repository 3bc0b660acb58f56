"""How gunicorn serves wxpass: `gunicorn -c config/gunicorn.conf.py wsgi:app`.

Read from the environment, all optional:
  GUNICORN_BIND                host:port or unix:/path; else 127.0.0.1:$PORT. Containers set
                               0.0.0.0:8000
  GUNICORN_WORKERS             processes; else one a core, in development at most 4
  GUNICORN_WORKER_CONNECTIONS  concurrent requests of a process; else 1000
  GUNICORN_TIMEOUT             seconds a worker may be silent before it is replaced; else 30
  GUNICORN_GRACEFUL_TIMEOUT    seconds running requests get when the service stops; else 30
  GUNICORN_KEEPALIVE           seconds an idle connection stays open; else 5
"""

import logging
import os
from typing import Any

import structlog
from gevent import sleep

from config import ConfigError, load_config
from config.readers import read_environment_name, read_number, read_worker_connections

_DEVELOPMENT_WORKERS = 4  # times the pool, well within the 100 connections PostgreSQL starts with

try:
    _production = read_environment_name(os.environ) == "production"
    if _production:
        load_config(os.environ)  # here, before a worker is forked, to fail once and in words
    _port = read_number(os.environ, "PORT", 8000, range(1, 65536))
    _cores = os.cpu_count() or 1
    _workers = _cores if _production else min(_cores, _DEVELOPMENT_WORKERS)

    bind = os.environ.get("GUNICORN_BIND") or f"127.0.0.1:{_port}"
    workers = read_number(os.environ, "GUNICORN_WORKERS", _workers, range(1, 257))
    worker_connections = read_worker_connections(os.environ)
    timeout = read_number(os.environ, "GUNICORN_TIMEOUT", 30, range(1, 3601))
    graceful_timeout = read_number(os.environ, "GUNICORN_GRACEFUL_TIMEOUT", 30, range(1, 3601))
    keepalive = read_number(os.environ, "GUNICORN_KEEPALIVE", 5, range(1, 3601))
except ConfigError as error:
    raise SystemExit(str(error)) from None

worker_class = "config.worker.Worker"
control_socket_disable = True

# Who the client is and whether it spoke https is decided in one place, the app, which counts
# TRUSTED_PROXIES. So gunicorn trusts no forwarded headers, not even those of a local proxy.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# GitEgg's clients put a whole encrypted profile into the query.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190

# Its own few lines are JSON in production, as the app's are.
if _production:
    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "propagate": True, "handlers": []},
            "alembic.runtime.plugins": {"level": "WARNING"},  # tells of each at every boot
        },
    }


def _without_the_request(record: logging.LogRecord) -> bool:
    """Remove malformed requests from log lines: the query may hold a code or a bind key."""
    if isinstance(record.msg, str) and record.msg.startswith("Invalid request from"):
        record.msg, record.args = record.getMessage().partition(":")[0], None
    return True


logging.getLogger("gunicorn.error").addFilter(_without_the_request)
accesslog = None  # the app logs its requests itself, without what is secret in them
errorlog = "-"


def post_fork(server: Any, worker: Any) -> None:
    """Mark a replacement worker: wsgi.py skips the key checks, which could stop the service."""
    if worker.age > server.cfg.workers:
        os.environ["WXPASS_WORKER"] = "replacement"


def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
    """Yield to the other connections of the worker and to its background threads.

    A connection that always has a next request ready would keep the worker busy: the slowest
    hundredth of a thousand quick responses took ten times as long.
    """
    sleep(0)
