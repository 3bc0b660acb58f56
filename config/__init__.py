"""The settings of the service, read once from the environment and validated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from config.alert_readers import Smtp, read_public_url, read_smtp, read_smtp_from
from config.database_readers import (
    read_database_listen_url,
    read_database_pool_size,
    read_database_pooler,
    read_database_replica_url,
    read_database_tls,
    read_database_url,
)
from config.metrics.readers import read_metrics_apps, read_metrics_bind
from config.readers import (
    ConfigError,
    Network,
    algorithm_of,
    read_allowed_hosts,
    read_environment_name,
    read_failed_codes_per_minute,
    read_issuer,
    read_keys,
    read_number,
    read_pepper,
    read_private_key,
    read_rate_limit_storage_url,
    read_session_cache_size,
    read_share,
    read_trusted_proxies,
    read_worker_connections,
)
from config.tracing_readers import Tracing, read_tracing
from config.website_readers import read_demo_phone_url, read_guide_url, read_website
from config.wechat_readers import (
    read_wechat_api_base_url,
    read_wechat_ca_file,
    read_wechat_calls_per_app,
    read_wechat_proxy,
)

__all__ = ["Config", "ConfigError", "load_config"]


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of the service. Secrets are omitted from the repr."""

    env: Literal["development", "production"]
    database_url: str = field(repr=False)
    keys: tuple[tuple[str, bytes], ...] = field(repr=False)  # (id, key); the first one encrypts
    pepper: bytes = field(repr=False)
    jwt_private_key: str = field(repr=False)
    jwt_issuer: str
    wechat_api_base_url: str
    wechat_proxy: str | None = field(repr=False)
    wechat_ca_file: str | None
    database_pool_size: int
    database_pooler: Literal["transaction"] | None
    database_listen_url: str | None = field(repr=False)  # several are separated by spaces
    database_replica_url: str | None = field(repr=False)
    database_tls: Literal["required", "trusted-network"]
    trusted_proxies: int | tuple[Network, ...]
    allowed_hosts: tuple[str, ...]
    port: int
    wechat_calls_per_app: int
    worker_connections: int
    session_cache_size: int
    failed_codes_per_minute: int
    rate_limit_storage_url: str | None = field(repr=False)
    log_success_sample: float
    tracing: Tracing | None
    website: bool
    guide_url: str | None
    demo_phone_url: str | None
    public_url: str | None
    smtp_url: Smtp | None = field(repr=False)
    smtp_from: str | None
    metrics_bind: tuple[str, int] | None
    metrics_apps: int

    @property
    def jwt_algorithm(self) -> Literal["EdDSA", "ES256"]:
        """The algorithm of JWT_PRIVATE_KEY."""
        return algorithm_of(self.jwt_private_key)

    @property
    def listen_urls(self) -> tuple[str, ...]:
        """The URLs in DATABASE_LISTEN_URL. Those after the first lead to Citus workers."""
        return tuple((self.database_listen_url or "").split())

    @property
    def direct_database_url(self) -> str:
        """The URL for notifications and migrations, which bypasses a pooler."""
        return self.listen_urls[0] if self.listen_urls else self.database_url

    @property
    def production(self) -> bool:
        """Return whether WXPASS_ENV is production."""
        return self.env == "production"


def load_config(environ: Mapping[str, str]) -> Config:
    """Return the settings in `environ`. Raise one ConfigError that names all invalid ones."""
    values: dict[str, Any] = {}
    errors: list[ConfigError] = []
    for setting, read in _readers(environ).items():
        try:
            values[setting] = read()
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise ConfigError.together(errors)
    return Config(**values)


def _readers(environ: Mapping[str, str]) -> dict[str, Callable[[], Any]]:
    """Return a function per field of Config that reads its setting."""
    return {
        "env": lambda: read_environment_name(environ),
        "database_url": lambda: read_database_url(environ),
        "keys": lambda: read_keys(environ),
        "pepper": lambda: read_pepper(environ),
        "jwt_private_key": lambda: read_private_key(environ),
        "jwt_issuer": lambda: read_issuer(environ),
        "wechat_api_base_url": lambda: read_wechat_api_base_url(environ),
        "wechat_proxy": lambda: read_wechat_proxy(environ),
        "wechat_ca_file": lambda: read_wechat_ca_file(environ),
        "database_pool_size": lambda: read_database_pool_size(environ),
        "database_pooler": lambda: read_database_pooler(environ),
        "database_listen_url": lambda: read_database_listen_url(environ),
        "database_replica_url": lambda: read_database_replica_url(environ),
        "database_tls": lambda: read_database_tls(environ),
        "trusted_proxies": lambda: read_trusted_proxies(environ),
        "allowed_hosts": lambda: read_allowed_hosts(environ),
        "port": lambda: read_number(environ, "PORT", 8000, range(1, 65536)),
        "wechat_calls_per_app": lambda: read_wechat_calls_per_app(environ),
        "failed_codes_per_minute": lambda: read_failed_codes_per_minute(environ),
        "session_cache_size": lambda: read_session_cache_size(environ),
        "rate_limit_storage_url": lambda: read_rate_limit_storage_url(environ),
        "worker_connections": lambda: read_worker_connections(environ),
        "log_success_sample": lambda: read_share(environ, "LOG_SUCCESS_SAMPLE", 1.0),
        "tracing": lambda: read_tracing(environ),
        "website": lambda: read_website(environ),
        "guide_url": lambda: read_guide_url(environ),
        "demo_phone_url": lambda: read_demo_phone_url(environ),
        "public_url": lambda: read_public_url(environ),
        "smtp_url": lambda: read_smtp(environ),
        "smtp_from": lambda: read_smtp_from(environ),
        "metrics_bind": lambda: read_metrics_bind(environ),
        "metrics_apps": lambda: read_metrics_apps(environ),
    }
