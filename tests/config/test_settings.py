"""`load_config`: validation of settings, and error messages without secret values."""

from base64 import b64encode, urlsafe_b64encode
from ipaddress import ip_network
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from config import ConfigError, load_config

KEY = bytes(range(32))
SECRET = "do-not-print-me"


def pem(key: object, encryption: KeySerializationEncryption | None = None) -> str:
    """Return a private key in PEM format."""
    return key.private_bytes(  # type: ignore[attr-defined, no-any-return]
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    ).decode()


def environ(**changes: str | None) -> dict[str, str]:
    """Return a valid environment of production with changes. None removes a variable."""
    valid = {
        "WXPASS_ENV": "production",
        "DATABASE_URL": "postgresql://me:pw@db.internal:5432/wxpass",
        "WXPASS_KEYS": f"k2:{b64encode(KEY).decode()},k1:{b64encode(KEY[::-1]).decode()}",
        "WXPASS_PEPPER": "p" * 32,
        "JWT_PRIVATE_KEY": pem(ed25519.Ed25519PrivateKey.generate()),
    }
    return {name: value for name, value in {**valid, **changes}.items() if value is not None}


def test_load_config_reads_the_settings_of_production() -> None:
    config = load_config(environ(PORT="9000", TRUSTED_PROXIES="2", DATABASE_POOL_SIZE="3"))

    assert config.production
    assert config.database_url == "postgresql+psycopg://me:pw@db.internal:5432/wxpass"
    assert config.keys == (("k2", KEY), ("k1", KEY[::-1]))
    assert config.pepper == b"p" * 32
    assert config.wechat_api_base_url == "https://api.weixin.qq.com"
    assert (config.port, config.trusted_proxies, config.database_pool_size) == (9000, 2, 3)


def test_optional_settings_have_defaults() -> None:
    config = load_config(environ(WXPASS_ENV=None))

    assert not config.production
    assert (config.port, config.trusted_proxies, config.database_pool_size) == (8000, 0, 10)


def test_trusted_proxies_accepts_a_number_or_networks() -> None:
    networks = load_config(environ(TRUSTED_PROXIES="10.0.0.0/8, ::1")).trusted_proxies
    assert networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    for wrong in ("all", "11", "-1", "10.0.0.1/8", "10.0.0.0/33", "1,", "proxy.internal"):
        with pytest.raises(ConfigError, match="TRUSTED_PROXIES"):
            load_config(environ(TRUSTED_PROXIES=wrong))


def test_allowed_hosts_accepts_only_host_names_and_domain_suffixes() -> None:
    hosts = load_config(environ(ALLOWED_HOSTS="Login.example.com, .example.cn,")).allowed_hosts
    assert hosts == ("login.example.com", ".example.cn")
    assert load_config(environ()).allowed_hosts == ()
    for wrong in ("https://x.example", "x.example/", "*", "a b"):
        with pytest.raises(ConfigError, match="ALLOWED_HOSTS"):
            load_config(environ(ALLOWED_HOSTS=wrong))


@pytest.mark.parametrize(
    "proxy", ["http://proxy.internal:3128", "http://me:p%40w@[::1]:3128", "http://10.0.0.1:80/"]
)
def test_wechat_proxy_accepts_an_http_proxy(proxy: str) -> None:
    assert load_config(environ(WECHAT_PROXY=proxy)).wechat_proxy == proxy
    assert load_config(environ(WECHAT_PROXY="")).wechat_proxy is None


@pytest.mark.parametrize(
    "wrong",
    [
        *("proxy.internal:3128", "https://proxy.internal:3128", "socks5://proxy.internal:1080"),
        *("http://proxy.internal", "http://:3128", "http://proxy:port", "http://proxy:3128/x"),
        *("http://me:secret-of-proxy@proxy:3128/?x=y", "http://proxy..internal:3128"),
    ],
)
def test_another_wechat_proxy_is_refused_without_showing_it(wrong: str) -> None:
    with pytest.raises(ConfigError, match="WECHAT_PROXY") as caught:
        load_config(environ(WECHAT_PROXY=wrong))
    assert "secret-of-proxy" not in str(caught.value)


def test_wechat_ca_file_accepts_only_a_file_with_certificates(tmp_path: Path) -> None:
    assert load_config(environ(WECHAT_CA_FILE=certifi.where())).wechat_ca_file == certifi.where()
    assert load_config(environ()).wechat_ca_file is None
    empty = tmp_path / "empty.pem"
    empty.touch()
    for wrong in (empty, tmp_path, tmp_path / "missing.pem", Path(__file__)):
        with pytest.raises(ConfigError, match="WECHAT_CA_FILE"):
            load_config(environ(WECHAT_CA_FILE=str(wrong)))


def test_session_cache_size_is_a_number_from_1_to_10_million() -> None:
    assert load_config(environ()).session_cache_size == 65_536
    assert load_config(environ(SESSION_CACHE_SIZE="10000000")).session_cache_size == 10_000_000
    for wrong in ("0", "10000001", "many", "-1"):
        with pytest.raises(ConfigError, match="SESSION_CACHE_SIZE"):
            load_config(environ(SESSION_CACHE_SIZE=wrong))


def test_the_repr_of_the_settings_contains_no_secret() -> None:
    proxy = "http://me:secret-of-proxy@proxy.internal:3128"
    shown = repr(load_config(environ(WECHAT_PROXY=proxy)))

    for secret in ("secret-of-proxy", "pw@", "p" * 32, "PRIVATE KEY", repr(KEY)[2:20]):
        assert secret not in shown


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_scheme_of_a_postgresql_url_becomes_postgresql_psycopg(scheme: str) -> None:
    url = f"{scheme}://postgres@/wxpass?host=/var/run"
    config = load_config(environ(DATABASE_URL=url))

    assert config.database_url == "postgresql+psycopg://postgres@/wxpass?host=/var/run"


def test_wxpass_keys_accepts_url_safe_base64() -> None:
    key = b"\xfb\xff" * 16
    config = load_config(environ(WXPASS_KEYS=f"k1:{urlsafe_b64encode(key).decode()}"))

    assert config.keys == (("k1", key),)


def test_jwt_private_key_accepts_escaped_newlines() -> None:
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    config = load_config(environ(JWT_PRIVATE_KEY=key.strip().replace("\n", "\\n")))

    assert config.jwt_private_key == key


def test_development_accepts_http_for_the_wechat_url() -> None:
    url = "http://127.0.0.1:8001"
    config = load_config(environ(WXPASS_ENV="development", WECHAT_API_BASE_URL=url))

    assert config.wechat_api_base_url == url


@pytest.mark.parametrize("env", ["production", "development"])
@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "WXPASS_KEYS", "WXPASS_PEPPER", "JWT_PRIVATE_KEY"]
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_startup_fails_if_a_required_secret_is_missing(
    name: str, env: str, value: str | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(WXPASS_ENV=env) | {name: value or ""})

    assert caught.value.name == name
    assert "is not set" in str(caught.value)
    assert "未设置" in str(caught.value)
    assert f"export {name}=" in str(caught.value)


BAD = [
    ("WXPASS_ENV", "prod"),
    ("DATABASE_URL", f"mysql://me:{SECRET}@db/wxpass"),
    ("DATABASE_URL", f"postgresql:me:{SECRET}"),
    ("DATABASE_URL", f"postgresql://me:{SECRET}#pw@db/wxpass"),
    ("DATABASE_URL", "postgresql://"),
    ("DATABASE_REPLICA_URL", f"mysql://me:{SECRET}@db/wxpass"),
    ("DATABASE_REPLICA_URL", f"postgresql://me:{SECRET}#pw@db/wxpass"),
    ("WXPASS_KEYS", SECRET),
    ("WXPASS_KEYS", f"K1:{b64encode(KEY).decode()}"),
    ("WXPASS_KEYS", f"{'k' * 17}:{b64encode(KEY).decode()}"),
    ("WXPASS_KEYS", f"k1:{SECRET}"),
    ("WXPASS_KEYS", f"k1:{b64encode(KEY[:16]).decode()}"),
    ("WXPASS_KEYS", f"k1:{b64encode(KEY).decode()},"),
    ("WXPASS_KEYS", f"k1:{b64encode(KEY).decode()},k1:{b64encode(KEY[::-1]).decode()}"),
    ("WXPASS_PEPPER", SECRET),
    ("JWT_ISSUER", f"two words {SECRET}"),
    ("JWT_PRIVATE_KEY", SECRET),
    ("JWT_PRIVATE_KEY", pem(ec.generate_private_key(ec.SECP384R1()))),
    ("JWT_PRIVATE_KEY", pem(rsa.generate_private_key(65537, 2048))),
    ("JWT_PRIVATE_KEY", pem(ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x"))),
    ("WECHAT_API_BASE_URL", "api.weixin.qq.com"),
    ("WECHAT_API_BASE_URL", "https://api.weixin.qq.com/"),
    ("WECHAT_API_BASE_URL", "https://api.weixin.qq.com?x=1"),
    ("WECHAT_API_BASE_URL", f"https://me:{SECRET}@api.weixin.qq.com"),
    ("WECHAT_API_BASE_URL", "https://api.weixin.qq.com:https"),
    ("WECHAT_API_BASE_URL", "http://api.weixin.qq.com"),
    ("WECHAT_API_BASE_URL", "https://api..weixin.qq.com"),
    ("WECHAT_API_BASE_URL", "https://api.weixin.qq.com/前缀"),
    ("DATABASE_POOL_SIZE", "0"),
    ("TRUSTED_PROXIES", "-1"),
    ("TRUSTED_PROXIES", "yes"),
    ("DATABASE_TLS", "off"),
    ("PORT", "65536"),
    ("PORT", "８０００"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_the_error_of_an_invalid_setting_contains_its_name_and_not_its_value(
    name: str, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(**{name: value}))

    assert caught.value.name == name
    assert str(caught.value).startswith(f"{name}: ")
    assert SECRET not in str(caught.value)
    assert b64encode(KEY).decode() not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_all_invalid_settings_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"WXPASS_ENV": "production", "PORT": "x"})

    named = caught.value.name.split(", ")
    assert named == ["DATABASE_URL", "WXPASS_KEYS", "WXPASS_PEPPER", "JWT_PRIVATE_KEY", "PORT"]
