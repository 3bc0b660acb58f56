"""Read and validate the settings of the database connection from the environment.

libpq accepts several hosts as `host1:port1,host2:port2` before the path, which SQLAlchemy cannot
parse. The readers move them into the parameters `host` and `port`, which both accept.
"""

import re
from collections.abc import Mapping
from typing import Literal, NoReturn, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

from config.readers import read_number, read_text, refuse, required, split_url

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
# The user with its password, the hosts, the path and the parameters.
ADDRESS = re.compile(r"(?P<user>[^/?#]*@)?(?P<hosts>[^/?#@]*)(?P<path>[^?]*)\??(?P<query>.*)")
HOST_AND_PORT = re.compile(r"(?:\[(?P<ip>[^\[\]]+)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]*))?")
PORTS = range(1, 65536)
TARGET = "target_session_attrs"
# Values for which libpq would choose a server that accepts no writes.
READ_ONLY_TARGETS = ("read-only", "standby", "prefer-standby")
# `keys generate` and deploy/postgresql/roles.sql write it where a password belongs.
PLACEHOLDER = "CHANGE_ME"
WHY_PLACEHOLDER = (
    f"still contains {PLACEHOLDER}. Write the password of the role and the address of PostgreSQL",
    f"仍含有 {PLACEHOLDER}，请填写数据库角色的密码和 PostgreSQL 的地址",
)
EXAMPLE = "postgresql://wxpass:password@localhost/wxpass"
WHY_LISTEN_URL = (
    "is required with DATABASE_POOLER=transaction. Notifications and migrations need a connection "
    "to PostgreSQL itself: a pooler lends it to another client after each transaction",
    "在 DATABASE_POOLER=transaction 时必须设置：通知与数据库迁移须直连 PostgreSQL，"
    "因为连接池在每个事务之后会把连接交给其他客户端",
)


def read_database_url(environ: Mapping[str, str]) -> str:
    """Read DATABASE_URL in SQLAlchemy's format for psycopg 3."""
    return translate("DATABASE_URL", required(environ, "DATABASE_URL"))


def read_database_pool_size(environ: Mapping[str, str]) -> int:
    """Read DATABASE_POOL_SIZE, the number of connections of a process."""
    return read_number(environ, "DATABASE_POOL_SIZE", 10, range(1, 1001))


def read_database_pooler(environ: Mapping[str, str]) -> Literal["transaction"] | None:
    """Read DATABASE_POOLER: how the pooler behind DATABASE_URL lends its connections."""
    value = read_text(environ, "DATABASE_POOLER")
    if value not in ("", "transaction"):
        refuse(
            "DATABASE_POOLER",
            f"is {value!r}; it must be transaction, or unset without a pooler",
            "只能是 transaction，不使用连接池时不要设置",
        )
    return cast(Literal["transaction"], value) or None


def read_database_listen_url(environ: Mapping[str, str]) -> str | None:
    """Read DATABASE_LISTEN_URL: addresses of the database that bypass the pooler.

    Return them separated by one space. Those after the first lead to Citus workers.
    """
    text = read_text(environ, "DATABASE_LISTEN_URL")
    if text:
        # Docker keeps the quotes of an .env file.
        text = re.sub(r"^'([^']*)'$", r"\1", text)
        return " ".join(translate("DATABASE_LISTEN_URL", one) for one in text.split())
    if read_text(environ, "DATABASE_POOLER"):
        refuse("DATABASE_LISTEN_URL", *WHY_LISTEN_URL)
    return None


def read_database_replica_url(environ: Mapping[str, str]) -> str | None:
    """Read DATABASE_REPLICA_URL, a server for reads that may be stale. It may refuse writes."""
    text = read_text(environ, "DATABASE_REPLICA_URL")
    return translate("DATABASE_REPLICA_URL", text, writes=False) if text else None


def read_database_tls(environ: Mapping[str, str]) -> Literal["required", "trusted-network"]:
    """Read DATABASE_TLS: whether production requires TLS for a database on another machine."""
    value = read_text(environ, "DATABASE_TLS") or "required"
    if value not in ("required", "trusted-network"):
        refuse(
            "DATABASE_TLS",
            f"is {value!r}; it must be required or trusted-network",
            "只能是 required 或 trusted-network",
        )
    return cast(Literal["required", "trusted-network"], value)


def translate(name: str, url: str, *, writes: bool = True) -> str:
    """Return a libpq URL in SQLAlchemy's format for psycopg 3. Raise ConfigError about `name`.

    `writes` says whether the server must accept writes.
    """
    if PLACEHOLDER in url:
        refuse(name, *WHY_PLACEHOLDER)
    # Docker keeps the quotes of an .env file.
    url = url[1:-1] if url[:1] == url[-1:] == "'" else url
    scheme, separator, rest = url.partition("://")
    parts = ADDRESS.fullmatch(rest)
    if scheme not in SCHEMES or not separator or not rest or parts is None:
        _refuse_address(name)
    query = parse_qsl(parts["query"], keep_blank_values=True)
    if writes:
        _refuse_read_only_target(name, query)
    if "," in parts["hosts"] or _names_several_hosts(query):
        return _translate_several_hosts(name, parts, query, writes=writes)
    if split_url(f"{scheme}://{rest}") is None:
        _refuse_address(name)
    return f"postgresql+psycopg://{rest}"


def _translate_several_hosts(
    name: str, parts: re.Match[str], query: list[tuple[str, str]], *, writes: bool
) -> str:
    user, hosts, path = parts["user"] or "", parts["hosts"], parts["path"]
    is_readable = split_url(f"postgresql://{user}host{path}") and not re.search(r"\s", parts[0])
    if not is_readable or "#" in path or "@" in user[:-1]:
        _refuse_address(name)
    if "," in hosts:
        query = [*_as_parameters(name, hosts), *query]
    if _is_of_libpq(query):
        query = _with_a_port_for_each_host(name, query)
    if writes and TARGET not in dict(query):
        query.append((TARGET, "read-write"))
    parameters = urlencode(query, quote_via=quote, safe=":,/@[]")
    return f"postgresql+psycopg://{user}{path or '/'}?{parameters}"


def _names_several_hosts(query: list[tuple[str, str]]) -> bool:
    """Return whether the parameters name several hosts, in libpq's or in SQLAlchemy's form."""
    hosts = [value for name, value in query if name in ("host", "hostaddr")]
    return any("," in host for host in hosts) or [name for name, _ in query].count("host") > 1


def _is_of_libpq(query: list[tuple[str, str]]) -> bool:
    """Return whether the hosts are in one parameter. SQLAlchemy has one parameter per host."""
    return [name for name, _ in query].count("host") <= 1


def _as_parameters(name: str, hosts: str) -> list[tuple[str, str]]:
    """Return the parameters `host` and `port` for the hosts of a URL."""
    found = [HOST_AND_PORT.fullmatch(host) for host in hosts.split(",")]
    if not all(found):
        _refuse_address(name)
    several = [one for one in found if one]
    names = [unquote(one["ip"] or one["name"]) for one in several]
    ports = [one["port"] or "" for one in several]
    if not all(names) or not all(_is_port(port) for port in ports):
        _refuse_address(name)
    parameters = [("host", ",".join(names))]
    return [*parameters, ("port", ",".join(ports))] if any(ports) else parameters


def _is_port(text: str) -> bool:
    return not text or (len(text) <= 5 and int(text) in PORTS)


def _with_a_port_for_each_host(name: str, query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the parameters with as many ports as hosts. libpq also accepts one port for all."""
    given = dict(query)
    hosts = (given.get("host") or given.get("hostaddr") or "").split(",")
    ports = given.get("port", "").split(",")
    valid = all(re.fullmatch("[0-9]*", port) and _is_port(port) for port in ports)
    if not valid or len(ports) not in (1, len(hosts)):
        refuse(
            name,
            "has an invalid port, or neither one port for all hosts nor one for each",
            "端口无效，或端口数既不是一个也不等于主机数",
            _several_hosts(name),
        )
    if not given.get("port") or "host" not in given:
        return query
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [*((key, value) for key, value in query if key != "port"), ("port", ",".join(ports))]


def _refuse_read_only_target(name: str, query: list[tuple[str, str]]) -> None:
    """Raise ConfigError if the URL asks for a server that accepts no writes."""
    if dict(query).get(TARGET) in READ_ONLY_TARGETS:
        refuse(
            name,
            f"asks for a server without writes; {TARGET} must be read-write or primary",
            f"{TARGET} 须为 read-write 或 primary，不能指向只读服务器",
            _several_hosts(name),
        )


def _refuse_address(name: str) -> NoReturn:
    """Raise ConfigError: the value is no address of a PostgreSQL database."""
    refuse(
        name,
        "is not a PostgreSQL address; it must begin with postgresql://, and a special character of "
        "the password must be percent-encoded",
        "不是 PostgreSQL 地址，须以 postgresql:// 开头，密码中的特殊字符须使用百分号编码",
        None if name == "DATABASE_URL" else f"export {name}={EXAMPLE}",
    )


def _several_hosts(name: str) -> str:
    """Return a command that sets a valid address of two servers."""
    return f"export {name}='postgresql://wxpass:password@db1:5432,db2:5432/wxpass'"
