"""DATABASE_URL with several hosts, DATABASE_POOLER and DATABASE_LISTEN_URL."""

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from config import ConfigError, load_config
from config.database_tls import require_database_tls
from tests.config.test_settings import SECRET, environ

TWO = "postgresql://me:pw@db1:5432,db2:5433/wxpass"


def parameters_of(url: str) -> dict[str, str]:
    """Return the parameters that SQLAlchemy passes to psycopg for a DATABASE_URL."""
    parsed = make_url(load_config(environ(DATABASE_URL=url)).database_url)
    _, options = parsed.get_dialect()().create_connect_args(parsed)
    return {name: str(value) for name, value in options.items()}


@pytest.mark.parametrize(
    "url",
    [
        TWO,
        "postgresql://me:p%40%2Cw@db1,db2/wxpass",
        "postgresql://db1,db2,db3:7/wxpass",
        "postgresql://me@[::1]:5432,[fe80::1%25eth0],db:5/wxpass",
        "postgresql://me@/wxpass?host=db1,db2&port=5432,5433",
        "postgresql://me@db1,db2/wxpass?port=5432,5433",
        "postgresql://me@/wxpass?host=/run/a,/run/b",
        "postgresql://me@/wxpass?hostaddr=10.0.0.1,10.0.0.2",
        f"{TWO}?sslmode=verify-full&sslrootcert=/etc/ca.pem&application_name=a%26b",
        f"{TWO}?target_session_attrs=primary",
    ],
)
def test_a_url_with_several_hosts_has_the_same_parameters_as_in_libpq(url: str) -> None:
    """An omitted port is empty, or missing if all are omitted."""
    expected = conninfo_to_dict(url) | {"target_session_attrs": "read-write"}
    expected |= conninfo_to_dict(url)
    found = parameters_of(url)
    assert found.pop("port", "").strip(",") == expected.pop("port", "").strip(",")
    assert found == expected


@pytest.mark.parametrize("hosts", ["/wxpass?host=a,b&port=7", "a,b/wxpass?port=7"])
def test_one_port_applies_to_all_hosts(hosts: str) -> None:
    assert parameters_of(f"postgresql://{hosts}")["port"] == "7,7"


def test_a_url_with_one_host_gets_no_target_session_attrs() -> None:
    assert "target_session_attrs" not in parameters_of("postgresql://db/wxpass")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@db1,/wxpass",
        f"postgresql://me:{SECRET}@db1:x,db2/wxpass",
        f"postgresql://me:{SECRET}@db1:70000,db2/wxpass",
        f"postgresql://me:{SECRET}@db1:0,db2/wxpass",
        f"postgresql://me:{SECRET}@::1,db2/wxpass",
        f"postgresql://me:{SECRET}@[::1,db2/wxpass",
        f"postgresql://me:{SECRET}#pw@db1,db2/wxpass",
        f"postgresql://me:{SECRET}@pw@db1,db2/wxpass",
        f"postgresql://me:{SECRET}@db 1,db2/wxpass",
        f"postgresql://me:{SECRET}@/wxpass?host=a,b&port=1,2,3",
        f"postgresql://me:{SECRET}@/wxpass?host=a,b&port=1,x",
        f"postgresql://me:{SECRET}@db1,db2/wxpass?port=1,2,3",
        f"postgresql://me:{SECRET}@db1,db2/wxpass?target_session_attrs=standby",
        f"postgresql://me:{SECRET}@db1/wxpass?target_session_attrs=prefer-standby",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_LISTEN_URL"])
def test_an_invalid_url_is_explained_without_its_password(name: str, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(**{name: url}))
    assert caught.value.name == name
    assert SECRET not in str(caught.value)
    valid = str(caught.value).rpartition(f"export {name}=")[2].strip("'")
    load_config(environ(**{name: valid}))


def test_the_pooler_requires_a_listen_url_and_the_error_says_why() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(DATABASE_POOLER="transaction"))
    assert caught.value.name == "DATABASE_LISTEN_URL"
    assert "Notifications and migrations" in str(caught.value)
    config = load_config(environ(DATABASE_POOLER="transaction", DATABASE_LISTEN_URL=TWO))
    assert config.database_pooler == "transaction"
    assert config.direct_database_url == config.database_listen_url != config.database_url


@pytest.mark.parametrize("separator", [" ", "\n", "  \t"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_several_listen_urls_are_separated_by_white_space(separator: str, quote: str) -> None:
    """The first one is that of the database. The others are those of Citus workers."""
    urls = [TWO, "postgresql://me:pw@w1:5433/wxpass", "postgres://me@w2/wxpass?sslmode=require"]
    text = quote + separator.join(urls) + quote
    config = load_config(environ(DATABASE_LISTEN_URL=text))
    first, *workers = config.listen_urls
    assert first == load_config(environ(DATABASE_LISTEN_URL=TWO)).database_listen_url
    assert config.direct_database_url == first
    assert workers == [
        "postgresql+psycopg://me:pw@w1:5433/wxpass",
        "postgresql+psycopg://me@w2/wxpass?sslmode=require",
    ]


@pytest.mark.parametrize("wrong", [f"mysql://me:{SECRET}@db/wxpass", f"{SECRET}"])
def test_an_invalid_one_of_several_listen_urls_is_explained_without_its_password(
    wrong: str,
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(DATABASE_LISTEN_URL=f"postgresql://me:{SECRET}@db/wxpass {wrong}"))
    assert caught.value.name == "DATABASE_LISTEN_URL"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", ["session", "statement", "yes"])
def test_other_poolers_are_refused(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(DATABASE_POOLER=value, DATABASE_LISTEN_URL=TWO))
    assert caught.value.name == "DATABASE_POOLER"


def test_the_listen_url_is_not_shown_in_the_repr_of_the_config() -> None:
    url = f"postgresql://me:{SECRET}@db/wxpass"
    assert SECRET not in repr(load_config(environ(DATABASE_LISTEN_URL=url)))


@pytest.mark.parametrize(
    ("hosts", "is_accepted"),
    [
        ("localhost:5432,127.0.0.1:5433", True),
        ("[::1]:5432,localhost", True),
        ("localhost,db2", False),
        ("db1,localhost", False),
        ("[::1],[2001:db8::1]", False),
    ],
)
def test_tls_is_required_if_one_of_the_hosts_is_another_machine(
    hosts: str, is_accepted: bool
) -> None:
    url = f"postgresql://me:{SECRET}@{hosts}/wxpass"
    config = load_config(environ(DATABASE_URL=url))
    if is_accepted:
        require_database_tls(config, {})
    else:
        with pytest.raises(ConfigError) as caught:
            require_database_tls(config, {})
        assert SECRET not in str(caught.value)
    require_database_tls(load_config(environ(DATABASE_URL=f"{url}?sslmode=require")), {})


def test_tls_is_required_for_the_listen_url_too() -> None:
    local = {"DATABASE_URL": "postgresql://localhost:6432/wxpass"}
    url = f"postgresql://me:{SECRET}@db.internal/wxpass"
    with pytest.raises(ConfigError) as caught:
        require_database_tls(load_config(environ(**local, DATABASE_LISTEN_URL=url)), {})
    assert caught.value.name == "DATABASE_LISTEN_URL"
    assert SECRET not in str(caught.value)
    strict = load_config(environ(**local, DATABASE_LISTEN_URL=f"{url}?sslmode=verify-full"))
    require_database_tls(strict, {})


def test_tls_is_required_for_each_of_several_listen_urls() -> None:
    first = "postgresql://me@db.internal/wxpass?sslmode=verify-full"
    worker = f"postgresql://me:{SECRET}@w1.internal/wxpass"
    given = {"DATABASE_URL": first, "DATABASE_LISTEN_URL": f"{first} {worker}"}
    with pytest.raises(ConfigError) as caught:
        require_database_tls(load_config(environ(**given)), {})
    assert caught.value.name == "DATABASE_LISTEN_URL"
    assert SECRET not in str(caught.value)
    given["DATABASE_LISTEN_URL"] += "?sslmode=require"
    require_database_tls(load_config(environ(**given)), {})
