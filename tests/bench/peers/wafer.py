"""wafer-node-session, the first WeChat SDK of Tencent for Node.js, with sessions in PostgreSQL."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha1, sha256
from http import HTTPStatus

import psycopg

from tests.bench.data import feeds
from tests.bench.data.people import Person, session_key_of
from tests.bench.data.rows import Row
from tests.bench.data.written_rows import Columns, Lines, line
from tests.bench.peers.compared_service import Api, ComparedService, Kind, label_of
from tests.bench.peers.filling import fill
from tests.bench.peers.servers import APP, PROCESSES, Servers
from tests.bench.progress import say

NAME, SCRIPT = "wafer-node-session", "wafer.mjs"
CHECK, LOGIN = "/check", "/login"
# The default of wafer-node-session.
VALID_FOR = timedelta(days=1)
# The table of the store connect-pg-simple, as in its file table.sql.
TABLE = """
    CREATE TABLE session (
        sid varchar NOT NULL PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL
    );
    CREATE INDEX "IDX_session_expire" ON session (expire)
"""
COLUMNS: Columns = {"session": ("sid", "sess", "expire")}
# People whose first login is measured. wafer-node-session has no users, so a login of the same
# person is no different later on.
NEW_PEOPLE = 20_000


@contextmanager
def running(servers: Servers, users: int) -> Iterator[list[ComparedService]]:
    """Run wafer-node-session inside the block, with 1 and 2 processes."""
    say(f"Filling the database of wafer-node-session with the sessions of {users:,} people")
    with servers.world.extra_database("wafer") as url, ExitStack() as stack:
        with psycopg.connect(url) as connection:
            connection.execute(TABLE)
        fill(url, COLUMNS, rows_of, users)
        services = []
        for processes in PROCESSES:
            service = stack.enter_context(servers.serving(SCRIPT, url, processes))
            rows = rows_with(label_of(NAME, processes), users)
            services.append(ComparedService(NAME, processes, service, url, API, rows))
        yield services


def session_id(person: Person, which: int) -> str:
    """Return the id of a session, which is as long as the ids of wafer-node-session."""
    return sha256(person.token(which).encode()).hexdigest()


def session_secret(person: Person) -> str:
    """Return the `skey` of a session, computed as wafer-node-session does."""
    text = APP.appid + APP.secret + session_key_of(person.openid)
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def user_info(person: Person) -> dict[str, object]:
    """Return the user data that WeChat encrypts for the mini-program."""
    return {
        "openId": person.openid,
        "nickName": "微信用户",
        "gender": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "avatarUrl": "https://thirdwx.qlogo.example/mmopen/vi_32/POgEwh4mIHO4nibH0KlMECNjjGxQUq24",
        "watermark": {"timestamp": 1_790_000_000, "appid": APP.appid},
    }


def rows_of(people: Iterable[Person]) -> Lines:
    """Return two sessions for each person."""
    expires_at = datetime.now(UTC) + VALID_FOR
    lines = []
    for person in people:
        for which in (0, 1):
            sid = session_id(person, which)
            session = {
                "id": sid,
                "skey": session_secret(person),
                "sessionKey": session_key_of(person.openid),
                "userInfo": user_info(person),
                "cookie": {
                    "originalMaxAge": 86_400_000,
                    "expires": expires_at.isoformat(),
                    "httpOnly": True,
                    "path": "/",
                },
            }
            lines.append(line(sid, json.dumps(session, ensure_ascii=False), expires_at))
    return {"session": lines}


def rows_with(label: str, users: int) -> dict[Kind, Row]:
    """Return the rows of wafer-node-session. The database has sessions of `users` people."""

    def checks(people: Sequence[Person]) -> list[str]:
        return [check(one, which) for which in (0, 1) for one in people]

    def known_logins(people: Sequence[Person]) -> list[str]:
        return [login(one) for one in people]

    def new_logins(_: Sequence[Person]) -> list[str]:
        return [login(Person(number)) for number in range(users, users + NEW_PEOPLE)]

    return {
        Kind.CHECK: Row(f"{Kind.CHECK}, {label}", checks, HTTPStatus.NO_CONTENT),
        Kind.KNOWN: Row(f"{Kind.KNOWN}, {label}", known_logins, asks_wechat=True),
        Kind.NEW: Row(f"{Kind.NEW}, {label}", new_logins, asks_wechat=True),
    }


def check(person: Person, which: int) -> str:
    """Return the request that checks the first session (0) or the second session (1)."""
    session = {"id": session_id(person, which), "skey": session_secret(person)}
    return feeds.request_with("GET", CHECK, headers_of({"session": session}))


def login(person: Person) -> str:
    """Return the request of a login. Codes may repeat, because neither side remembers them."""
    iv = md5(person.openid.encode(), usedforsecurity=False).digest()
    text, key = json.dumps(user_info(person)), session_key_of(person.openid)
    headers = {
        "X-WX-Code": f"k.{person.openid}.1",
        "X-WX-Encrypted-Data": feeds.encrypted(text, key, iv),
        "X-WX-IV": b64encode(iv).decode(),
    }
    return feeds.request_with("GET", LOGIN, headers)


def headers_of(login: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the headers of a check after a login."""
    session = login["session"]
    return {"X-WX-Id": session["id"], "X-WX-Skey": session["skey"]}


API = Api(CHECK, lambda person: person.openid, headers_of, sessions="session")
