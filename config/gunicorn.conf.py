"""Configuration of gunicorn: `gunicorn -c config/gunicorn.conf.py wsgi:app`.

Optional environment variables:
  GUNICORN_BIND                host:port or unix:/path. Default: 127.0.0.1:$PORT. Containers set
                               0.0.0.0:8000
  GUNICORN_WORKERS             number of processes. Default: one per CPU that the process may use,
                               in development at most 4
  GUNICORN_WORKER_CONNECTIONS  concurrent requests per process. Default: 1000
  GUNICORN_TIMEOUT             seconds until an unresponsive worker is replaced. Default: 30
  GUNICORN_GRACEFUL_TIMEOUT    seconds for running requests when the service stops. Default: 30
  GUNICORN_KEEPALIVE           seconds an idle connection stays open. Default: 5
  GUNICORN_PIDFILE             file for the id of the master process, which `make reload` needs
"""

import logging
import os
from typing import Any

import structlog
from gevent import sleep

from config import ConfigError, handover, load_config
from config.cpu_limit import usable_cpus
from config.metrics import child as metrics
from config.metrics.readers import read_metrics_bind
from config.readers import read_environment_name, read_number, read_worker_connections
from config.secret_files import load_environment

_DEVELOPMENT_WORKERS = 4  # times the pool size, below PostgreSQL's default of 100 connections

try:
    # Reads the secret files, before the workers are forked.
    _environ = load_environment()
    _production = read_environment_name(os.environ) == "production"
    if _production:
        load_config(_environ)  # before workers are forked, to fail once with a clear message
    _port = read_number(os.environ, "PORT", 8000, range(1, 65536))
    _cpus = usable_cpus()
    _workers = _cpus if _production else min(_cpus, _DEVELOPMENT_WORKERS)

    bind = os.environ.get("GUNICORN_BIND") or f"127.0.0.1:{_port}"
    workers = read_number(os.environ, "GUNICORN_WORKERS", _workers, range(1, 257))
    worker_connections = read_worker_connections(os.environ)
    timeout = read_number(os.environ, "GUNICORN_TIMEOUT", 30, range(1, 3601))
    graceful_timeout = read_number(os.environ, "GUNICORN_GRACEFUL_TIMEOUT", 30, range(1, 3601))
    keepalive = read_number(os.environ, "GUNICORN_KEEPALIVE", 5, range(1, 3601))
    read_metrics_bind(os.environ)
except ConfigError as error:
    raise SystemExit(str(error)) from None

worker_class = "config.worker.Worker"
control_socket_disable = True
pidfile = os.environ.get("GUNICORN_PIDFILE") or None

# Only the app evaluates forwarded headers, according to TRUSTED_PROXIES. gunicorn trusts none, not
# even those of a local proxy.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# GitEgg's clients send a whole encrypted profile in the query.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190

# In production, gunicorn's own log lines are JSON, like those of the app.
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
            "alembic.runtime.plugins": {"level": "WARNING"},  # logs every plugin at boot
        },
    }


def _without_the_request(record: logging.LogRecord) -> bool:
    """Remove malformed requests from log lines: the query may hold a code or a bind key."""
    if isinstance(record.msg, str) and record.msg.startswith("Invalid request from"):
        record.msg, record.args = record.getMessage().partition(":")[0], None
    return True


logging.getLogger("gunicorn.error").addFilter(_without_the_request)
accesslog = None  # the app logs the requests itself, without secrets
errorlog = "-"


_handover: handover.Handover | None = None
_exporter: metrics.ExporterChild | None = None


def on_starting(server: Any) -> None:
    """Prepare the folder of the metrics before workers are forked."""
    global _exporter
    _exporter = metrics.prepare(server, as_json=_production)


def when_ready(server: Any) -> None:
    """Prepare the replacement of the processes on SIGHUP and SIGUSR2, and serve the metrics."""
    global _handover
    _handover = handover.prepare(server)
    if _exporter is not None:
        metrics.watch(_exporter, server)


def post_fork(server: Any, worker: Any) -> None:
    """Mark a replacement worker: wsgi.py skips the key checks, which could stop the service."""
    if worker.age > server.cfg.workers:
        os.environ["WXPASS_WORKER"] = "replacement"
    else:
        os.environ.pop("WXPASS_WORKER", None)


def post_worker_init(worker: Any) -> None:
    """Begin the metrics of this worker, and report that it has loaded the service."""
    if _exporter is not None:
        worker.wsgi.extensions["monitoring"].begin(_exporter.folder)
    if _handover is not None:
        _handover.report_ready()


def child_exit(server: Any, worker: Any) -> None:
    """Delete the state of an ended worker from the metrics."""
    if _exporter is not None:
        metrics.forget_worker(_exporter, worker.pid)


def on_exit(server: Any) -> None:
    """End the metrics."""
    if _exporter is not None:
        metrics.end(_exporter, server)


def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
    """Yield to the other connections of the worker and to its background threads.

    Otherwise a connection with pipelined requests would occupy the worker. The p99 of a thousand
    quick responses was ten times as long.
    """
    sleep(0)
