"""Lists of a tenant with many users. `TENANT_USERS=100000 pytest -n0 -s` prints the times."""

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Executable, select, text

from app.clock import now
from app.extensions import db
from app.keyring import keyring
from app.models import AuditEvent
from app.models.columns import new_id
from app.services.database.paging import CursorPage
from app.services.tenant_admin.audit_log import AuditQuery, happened_since, list_audit
from app.services.tenant_admin.sessions import SessionQuery, list_tenant_sessions
from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.tenant_admin.users import UserQuery, find_users, show_user_page, users_of_openid
from app.services.users.phone_numbers import number_index, phone_number
from config import Config
from tests.admin.console.browser import TenantConsole
from tests.fixtures.operators import tenant_scope_of
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP

USERS = int(os.environ.get("TENANT_USERS", "300"))
REPEATED = 8 if "TENANT_USERS" in os.environ else 1
# Lists with a number of rows that grows with the number of users, and the rows per user.
LISTS = {"users": 1, "sessions": 2, "audit": 3}
pytestmark = [pytest.mark.real_commits, pytest.mark.slow]


def number_of(position: int) -> str:
    """Return the phone number of the user at a position."""
    return f"+86139{position:08}"


def copy(connection: psycopg.Connection, table: str, columns: str, rows: Iterator[tuple]) -> None:  # type: ignore[type-arg]
    """Insert rows into a table by COPY."""
    with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as written:
        for row in rows:
            written.write_row(row)


@pytest.fixture
def scope(app: Flask, config: Config) -> TenantScope:
    """Return the scope of acme. Each of its many users has one phone number, one identity, two
    sessions and three audit events.
    """
    scope = tenant_scope_of(app)
    url = config.database_url.replace("postgresql+psycopg", "postgresql")
    with app.app_context(), psycopg.connect(url) as connection:
        fill(connection, scope)
        connection.execute("ANALYZE")
    return scope


def fill(connection: psycopg.Connection, scope: TenantScope) -> None:  # type: ignore[type-arg]
    """Insert the rows of USERS users into the tables."""
    tenant, moment = scope.tenant_id, now()
    users = [new_id() for _ in range(USERS)]
    identities, sessions = ([new_id() for _ in range(USERS * n)] for n in (1, 2))
    phones, numbers = [new_id() for _ in range(USERS)], range(USERS)
    copy(
        connection,
        "users",
        "id, tenant_id, account, nickname, status",
        (
            (users[n], tenant, f"user{n}", f"Nick {n}", "disabled" if n % 1000 == 7 else "active")
            for n in numbers
        ),
    )
    copy(
        connection,
        "phones",
        "id, tenant_id, user_id, number_index, number_sealed, country_code, verified_at",
        (
            (
                phones[n],
                tenant,
                users[n],
                number_index(tenant, phone_number(number_of(n))),
                keyring().seal(number_of(n), f"phones.number_sealed:{phones[n]}"),
                86,
                moment,
            )
            for n in numbers
        ),
    )
    copy(
        connection,
        "social_accounts",
        "id, tenant_id, appid, openid, user_id, last_login_at",
        ((identities[n], tenant, ACME_SHOP.appid, f"o{n}", users[n], moment) for n in numbers),
    )
    ended, until = moment - timedelta(hours=1), moment + timedelta(days=20)
    copy(
        connection,
        "login_sessions",
        "id, tenant_id, appid, social_account_id, user_id, token_hash, refresh_hash,"
        " refresh_expires_at, expires_at, seen_at, ended_at, end_reason",
        (
            (
                one,
                tenant,
                ACME_SHOP.appid,
                identities[n // 2],
                users[n // 2],
                one.bytes,
                one.bytes,
                until,
                moment,
                moment,
                *((None, None) if n % 50 == 0 else (ended, "logged_out")),
            )
            for n, one in enumerate(sessions)
        ),
    )
    copy(
        connection,
        "audit_events",
        "id, tenant_id, actor_kind, actor_id, action, subject",
        (
            (new_id(), tenant, "user", users[n // 3], f"test.action_{n % 3}", str(users[n // 3]))
            for n in range(3 * USERS)
        ),
    )


def measure(name: str, call: Callable[[], object]) -> None:
    """Call a function once, then call it REPEATED times and print median and maximum duration."""
    call()
    took = []
    for _ in range(REPEATED):
        began = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - began))
    median = sorted(took)[REPEATED // 2]
    print(f"{USERS} users: {name}: median {median:.1f} ms, most {max(took):.1f} ms")


def test_every_list_of_a_tenant_with_many_users_can_be_read(app: Flask, scope: TenantScope) -> None:
    last = USERS - 1
    plain = CursorPage(limit=50)
    with app.app_context():
        (newest,) = find_users(scope, UserQuery(), CursorPage(limit=1)).items
        lists = {
            "users": lambda: find_users(scope, UserQuery(), plain),
            "users, 200": lambda: find_users(scope, UserQuery(), CursorPage(limit=200)),
            "users, counted": lambda: find_users(scope, UserQuery(), CursorPage(counted=True)),
            "users, account u%": lambda: find_users(scope, UserQuery(account="u"), plain),
            "users, account rare": lambda: find_users(
                scope, UserQuery(account=f"user{last}"), plain
            ),
            "users, nickname rare": lambda: find_users(
                scope, UserQuery(nickname=f"nick {last}"), plain
            ),
            "users, nickname none": lambda: find_users(scope, UserQuery(nickname="zz"), plain),
            "users, phone": lambda: find_users(scope, UserQuery(phone=number_of(5)), plain),
            "users, openid": lambda: find_users(scope, UserQuery(openid="o5"), plain),
            "users, disabled": lambda: find_users(scope, UserQuery(status="disabled"), plain),
            "users, merged": lambda: find_users(scope, UserQuery(status="merged"), plain),
            "user page": lambda: show_user_page(scope, newest.id),
            "sessions": lambda: list_tenant_sessions(scope, SessionQuery(), plain),
            "sessions, active": lambda: list_tenant_sessions(
                scope, SessionQuery(living=True), plain
            ),
            "sessions, counted": lambda: list_tenant_sessions(
                scope, SessionQuery(living=True), CursorPage(counted=True)
            ),
            "sessions, ended": lambda: list_tenant_sessions(
                scope, SessionQuery(living=False), plain
            ),
            "sessions, user": lambda: list_tenant_sessions(
                scope, SessionQuery(user_id=newest.id), plain
            ),
            "sessions, other app": lambda: list_tenant_sessions(
                scope, SessionQuery(appid=ACME_CLUB.appid), plain
            ),
            "audit": lambda: list_audit(scope, AuditQuery(), plain),
            "audit, action": lambda: list_audit(scope, AuditQuery(action="test.action_1"), plain),
            "audit, none": lambda: list_audit(scope, AuditQuery(action="nothing"), plain),
            "audit, subject": lambda: list_audit(scope, AuditQuery(subject=str(newest.id)), plain),
            "audit, operators'": lambda: list_audit(
                scope, AuditQuery(actor_kind="operator"), plain
            ),
            "audit, long ago": lambda: list_audit(
                scope, AuditQuery(until=now() - timedelta(days=9)), plain
            ),
        }
        for name, call in lists.items():
            measure(name, call)
        rare = find_users(scope, UserQuery(account=f"user{last}"), plain).items
    assert [one.account for one in rare] == [f"user{last}"]


@pytest.mark.parametrize("wanted", ["account", "lower(nickname)"])
def test_prefix_search_for_accounts_and_nicknames_uses_an_index(
    app: Flask, scope: TenantScope, wanted: str
) -> None:
    """The index is also used in a database with a collation other than C."""
    plan = (
        "EXPLAIN SELECT id FROM users WHERE tenant_id = CAST(:tenant AS uuid)"
        f" AND {wanted} LIKE lower(:text) ESCAPE '\\'"
    )
    values = {"tenant": str(scope.tenant_id), "text": "Nick 17%"}
    with app.app_context():
        # A sequential scan of a small table is faster.
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        result = db.session.execute(text(plan), values).all()
        db.session.rollback()
    assert "_prefix" in str(result)


def plan_of(app: Flask, statement: Executable) -> str:
    """Return the query plan of a statement. A sequential scan of a small table is faster."""
    with app.app_context():
        literal = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        result = db.session.connection().exec_driver_sql(f"EXPLAIN {literal}").scalars().all()
        db.session.rollback()
    return "\n".join(result)


def test_search_for_an_openid_reads_the_index_of_the_unique_constraint(
    app: Flask, scope: TenantScope
) -> None:
    """The openid is looked up in each app of the tenant."""
    plan = plan_of(app, users_of_openid(scope.tenant_id, "o5"))
    assert "using uq_social_accounts_tenant_id_appid_openid" in plan, plan
    assert "((appid)::text = ANY" in plan, plan


def test_events_since_a_time_are_found_by_their_ids(app: Flask, scope: TenantScope) -> None:
    recent = happened_since(AuditEvent, now() - timedelta(minutes=1))
    of_tenant = AuditEvent.tenant_id == scope.tenant_id
    plan = plan_of(app, select(AuditEvent.action).where(of_tenant, *recent))
    assert re.search(r"Index Cond: .*\bid >= ", plan), plan


def test_every_console_page_of_a_tenant_with_many_users_can_be_read(
    app: Flask, scope: TenantScope
) -> None:
    browser = TenantConsole(app)
    last = {name: str(USERS * many // 50 - 1) for name, many in LISTS.items()}
    pages: list[tuple[str, dict[str, str]]] = [("/", {}), ("/apps/", {})]
    for name in LISTS:
        pages += [(f"/{name}/", {}), (f"/{name}/", {"page": last[name]})]
    pages += [("/users/", {"sort": sort, "desc": "1", "page": "3"}) for sort in ("4", "5")]
    pages += [("/users/", {"name": text}) for text in ("u", "nick", f"user{USERS - 1}", "nobody")]
    pages += [("/users/", {"phone": number_of(5)}), ("/users/", {"openid": "o5"})]
    pages += [("/users/", {"status": status}) for status in ("active", "disabled")]
    pages += [("/sessions/", {"living": living}) for living in ("yes", "no")]
    pages += [("/sessions/", {"app": ACME_SHOP.appid, "sort": "5", "page": "3"})]
    pages += [("/audit/", {"actor": "user"}), ("/audit/", {"action": "test.action_1"})]
    for path, query in pages:
        measure(f"{path} {query}", lambda path=path, query=query: browser.read(path, **query))
