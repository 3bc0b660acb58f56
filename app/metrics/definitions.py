"""Every metric: name, labels and meaning. `docs/monitoring.md` lists them all."""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["livesum", "livemin", "livemax", "liveall"]

# The default buckets of prometheus_client, and two below for responses from memory.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Label values for what has no name of its own.
OTHER = "other"
UNMATCHED = "unmatched"
UNANSWERED, UNREADABLE, SUCCESS = "none", "invalid", "0"
OK, REFUSED, FAILED = "ok", "refused", "failed"


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """A number of events that only grows. The name ends with `_total`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Durations in seconds, counted by upper bounds."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = SECONDS


@dataclass(frozen=True, slots=True, eq=False)
class Gauge:
    """A value of each process. `mode` says how the values of the live processes are combined.

    `liveall` exports each value with the label `pid`.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    mode: Mode = "livesum"


Metric = Counter | Histogram | Gauge

HTTP_SECONDS = Histogram(
    "wxpass_http_request_duration_seconds",
    "Time until the response was made, by route template, method and status.",
    ("route", "method", "status"),
)
LOGINS = Counter(
    "wxpass_logins_total",
    "Logins by method (code, password, phone, account, bind_key) and result (ok, refused).",
    ("app", "method", "result"),
)
FAILURES = Counter(
    "wxpass_failures_total", "Failed requests by stable error code.", ("app", "code")
)

WECHAT_SECONDS = Histogram(
    "wxpass_wechat_call_duration_seconds",
    "Duration of calls to WeChat, by API (login, phone, token).",
    ("call",),
)
WECHAT_CALLS = Counter(
    "wxpass_wechat_calls_total",
    "Calls to WeChat by API and errcode; 0 is success, none an unanswered call.",
    ("app", "call", "errcode"),
)
WECHAT_IN_FLIGHT = Gauge(
    "wxpass_wechat_calls_in_flight", "Calls to WeChat that wait for an answer.", ("app",)
)
WECHAT_REJECTED = Counter(
    "wxpass_wechat_calls_rejected_total",
    "Calls not made because of a bound, by reason (app_limit, process_limit, circuit_open).",
    ("app", "reason"),
)
WECHAT_CIRCUIT_OPEN = Gauge(
    "wxpass_wechat_circuit_open", "Number of processes whose circuit is open.", ("app",)
)

DATABASE_CONNECTIONS = Gauge(
    "wxpass_database_connections",
    "Open connections by pool (primary, replica) and state (in_use, idle).",
    ("pool", "state"),
)
DATABASE_POOL_SIZE = Gauge(
    "wxpass_database_pool_size", "Most connections that the pools may open.", ("pool",)
)
DATABASE_POOL_WAITING = Gauge(
    "wxpass_database_pool_waiting", "Requests that wait for a connection.", ("pool",)
)
DATABASE_POOL_WAIT_SECONDS = Histogram(
    "wxpass_database_pool_wait_seconds", "Waiting time for a pooled connection.", ("pool",)
)
DATABASE_POOL_TIMEOUTS = Counter(
    "wxpass_database_pool_timeouts_total", "Requests that got no connection in time.", ("pool",)
)

CACHE_LOOKUPS = Counter(
    "wxpass_cache_lookups_total",
    "Lookups by cache (sessions, apps, profiles) and result (hit, miss).",
    ("cache", "result"),
)
CACHES_ON = Gauge(
    "wxpass_caches_on",
    "1 if the caches of every process that uses them are complete, else 0.",
    mode="livemin",
)

PASSWORD_QUEUE_WAITING = Gauge(
    "wxpass_password_queue_waiting", "Requests that wait for password hashing.", ("lane",)
)
PASSWORD_QUEUE_REJECTED = Counter(
    "wxpass_password_queue_rejected_total", "Requests refused by the password queue.", ("lane",)
)
PASSWORD_QUEUE_WAIT_SECONDS = Histogram(
    "wxpass_password_queue_wait_seconds", "Waiting time for password hashing.", ("lane",)
)

BACKGROUND_JOB_RUNS = Counter(
    "wxpass_background_job_runs_total",
    "Runs of background jobs by result (ok, failed).",
    # Prometheus itself adds the label `job` to each series.
    ("task", "result"),
)
ALERTS_SENT = Counter(
    "wxpass_alerts_sent_total", "Alert messages by channel and result.", ("channel", "result")
)

WORKERS = Gauge("wxpass_workers", "Running worker processes.")
WORKER_MEMORY = Gauge(
    "wxpass_worker_memory_bytes", "Resident memory of each worker.", mode="liveall"
)
BUILD_INFO = Gauge(
    "wxpass_build_info", "Always 1. Version of wxpass and Python.", ("version", "python"), "livemax"
)

OF_PROCESSES: tuple[Metric, ...] = (
    *(HTTP_SECONDS, LOGINS, FAILURES),
    *(WECHAT_SECONDS, WECHAT_CALLS, WECHAT_IN_FLIGHT, WECHAT_REJECTED, WECHAT_CIRCUIT_OPEN),
    *(DATABASE_CONNECTIONS, DATABASE_POOL_SIZE, DATABASE_POOL_WAITING),
    *(DATABASE_POOL_WAIT_SECONDS, DATABASE_POOL_TIMEOUTS),
    *(CACHE_LOOKUPS, CACHES_ON),
    *(PASSWORD_QUEUE_WAITING, PASSWORD_QUEUE_REJECTED, PASSWORD_QUEUE_WAIT_SECONDS),
    *(BACKGROUND_JOB_RUNS, ALERTS_SENT, WORKERS, WORKER_MEMORY, BUILD_INFO),
)

# Values of the service, which one worker of each host reads once per minute.
USERS = Gauge("wxpass_users", "Users, as estimated by PostgreSQL.")
SESSIONS = Gauge("wxpass_sessions", "Stored sessions, as estimated by PostgreSQL.")
REPLICA_LAG = Gauge("wxpass_replica_lag_seconds", "Age of the newest change that the replica has.")
JOB_LAST_SUCCESS = Gauge(
    "wxpass_job_last_success_timestamp_seconds",
    "Time of the last successful run of a job (retention, backup).",
    ("task",),
)
SIGNING_KEY_AGE = Gauge("wxpass_signing_key_age_seconds", "Time since the key signs JWTs.")
APP_INFO = Gauge(
    "wxpass_app_info",
    "Always 1. The tenant of each app with the most logins.",
    ("app", "tenant"),
)
CERTIFICATE_EXPIRY = Gauge(
    "wxpass_certificate_expiry_timestamp_seconds",
    "Earliest expiry of the certificates in the file of a setting.",
    ("setting",),
)
OF_SERVICE: tuple[Gauge, ...] = (
    *(USERS, SESSIONS, REPLICA_LAG, JOB_LAST_SUCCESS, SIGNING_KEY_AGE, CERTIFICATE_EXPIRY),
    APP_INFO,
)
