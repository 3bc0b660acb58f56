"""Who may do what at the console: readers only read, and neighbours are not there."""

import re
from dataclasses import dataclass

import pytest
from flask import Flask

from app.extensions import db
from app.services.apps.tenants import tenant_id_of
from app.services.audit import OPERATOR
from app.services.operators.listed_operators import find_operator_id
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from tests.admin.console.browser import Browser, TenantConsole, signed_in
from tests.fixtures.passwords import OTHER_PASSWORD
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, enter_user
from tests.fixtures.user_files import csv_of

LISTS = ("/apps/", "/users/", "/sessions/", "/audit/")
EVIL = "<script>alert(1)</script>\"'>&"


@dataclass(frozen=True)
class Theirs:
    """What there is of Alice at one tenant."""

    user: str
    other: str
    identity: str
    session: str
    openid: str
    appid: str
    preview: str

    def posts(self) -> list[tuple[str, dict[str, str]]]:
        """List every form that changes something of theirs."""
        app, user = f"/apps/{self.appid}", f"/users/{self.user}"
        settings = {"name": "x", "registration": "closed", "data_format": "xml"}
        return [
            (f"{app}/change", settings),
            (f"{app}/disable", {}),
            (f"{app}/enable", {}),
            (f"{app}/secrets", {"push_token": "Stolen"}),
            (f"{app}/secrets/push_token/remove", {}),
            (f"{app}/test", {}),
            (f"{app}/remove", {}),
            (f"{user}/disable", {}),
            (f"{user}/enable", {}),
            (f"{user}/end-sessions", {}),
            (f"{user}/sessions/{self.session}/end", {}),
            (f"/sessions/{self.session}/end", {}),
            (f"{user}/identities/{self.identity}/unbind", {}),
            (f"{user}/password", {"password": OTHER_PASSWORD}),
            (f"{user}/release-phone", {}),
            (f"{user}/merge", {"into_id": self.other, "confirmed": "yes"}),
            (f"{user}/undo-merge", {}),
            (f"/people/{self.preview}/confirm", {}),
        ]


NEW = {
    "appid": "wxaaaa000000000009",
    "name": "x",
    "registration": "closed",
    "data_format": "xml",
    "secret": "d9" * 16,
}
CREATIONS = [("/apps/add", NEW), ("/users/enter", {"account": "mallory"})]


@pytest.fixture
def theirs(app: Flask, client: Client, alice: Person, rows: Reader) -> Theirs:
    """Alice at globex: a number, an identity, a session."""
    login = client.bind(alice, GLOBEX_LIFE)
    user = login["user"]["id"]
    identity, session = rows(
        "SELECT s.id, l.id FROM social_accounts s, login_sessions l WHERE l.user_id = :user"
        " AND l.ended_at IS NULL AND s.user_id = :user",
        user=user,
    )[0]
    other = enter_user(app, "globex", account="alice2", phone="13800138009")
    ids = (user, other, str(identity), str(session))
    return Theirs(*ids, login["openid"], GLOBEX_LIFE.appid, previewed(app, "globex"))


def previewed(app: Flask, tenant: str) -> str:
    """Let a file of people wait for its confirmation."""
    with app.app_context():
        file = read_user_file(csv_of(["account"], [f"erin-of-{tenant}"]))
        return str(preview_import(OPERATOR, tenant_id_of(tenant), file).import_id)


def content(rows: Reader) -> list[object]:
    """Read what the forms could change."""
    tables = ("users", "phones", "social_accounts", "wechat_apps", "audit_events", "merges")
    tables += ("people_imports",)
    sessions = rows("SELECT id, user_id, ended_at FROM login_sessions ORDER BY id")
    return [sessions, *(rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables)]


def test_a_neighbour_with_the_right_ids_finds_nothing(
    app: Flask, theirs: Theirs, rows: Reader
) -> None:
    """Otherwise an id that leaked opens another tenant."""
    console = TenantConsole(app, "acme")
    before = content(rows)
    for path in (f"/apps/{theirs.appid}/show", f"/users/{theirs.user}/show", "/apps/%00/show"):
        assert console.get(path).status_code == 404
    assert console.post("/apps/%00/disable").status_code == 404
    for path, fields in theirs.posts():
        answer = console.post(path, **fields)
        assert answer.status_code == 404, (path, answer.status_code)
    assert content(rows) == before


def tenant_rules(app: Flask, method: str) -> list[str]:
    """List the addresses of all tenant pages that take a method."""
    return [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/console/t/<string:slug>/") and method in (rule.methods or ())
    ]


@pytest.mark.parametrize("role", ["tenant_admin", "tenant_reader"])
def test_every_page_of_another_tenant_is_not_found(
    app: Flask, theirs: Theirs, rows: Reader, role: str
) -> None:
    """The slug of the other tenant and all its ids are known, and the CSRF token is right."""
    console = TenantConsole(app, "acme", role)
    token, before = console.token(), content(rows)
    ids = {
        "slug": "globex",
        "app": theirs.appid,
        "user_id": theirs.user,
        "identity_id": theirs.identity,
        "session_id": theirs.session,
        "import_id": theirs.preview,
    }
    for method in ("GET", "POST"):
        rules = tenant_rules(app, method)
        assert len(rules) > 10
        for rule in rules:
            path = re.sub(r"<(?:[^>]*:)?(\w+)>", lambda name: ids.get(name[1], "push_token"), rule)
            answer = console.open(path, method, data={"csrf_token": token, "account": "mallory"})
            assert answer.status_code == 404, (method, path)
            assert "Life" not in answer.text
    assert content(rows) == before


def test_a_head_request_changes_nothing(app: Flask, theirs: Theirs, rows: Reader) -> None:
    """Flask adds HEAD to every GET route, and a HEAD request carries no CSRF token."""
    console, root = TenantConsole(app, "globex"), signed_in(app, "root@wxpass.example", "platform")
    with app.app_context():
        own = find_operator_id(console.email)
    actions = ("role", "reset", "remove-codes", "disable", "enable")
    operators = [f"/operators/{own}/{action}" for action in actions]
    account = ["/account/recovery-codes", "/account/sessions/end", "/account/codes/remove"]
    before = content(rows), rows("SELECT id, status, password_hash, role FROM operators ORDER BY 1")
    for path, fields in [*theirs.posts(), *CREATIONS]:
        # A question about what cannot be done is refused with 409.
        answer = console.open(path, "HEAD", query_string=fields)
        assert answer.status_code in (200, 404, 405, 409), path
    for path in [*operators, *account, "/operators/invite", "/tenants/add"]:
        assert root.open(path, "HEAD").status_code in (200, 404, 405), path
    after = content(rows), rows("SELECT id, status, password_hash, role FROM operators ORDER BY 1")
    assert after == before


FIELD = re.compile(r'<(?:input|select|button|textarea)[^>]* name="(\w+)"')
# What forms do not have, and columns do.
COLUMNS = ("id", "user_id", "tenant_id", "tenant", "slug", "operator_id")


def of_tenant(rows: Reader, slug: str) -> dict[str, list[tuple[object, ...]]]:
    """Read whatever is a tenant's."""
    return {
        name: rows(
            f"SELECT x.* FROM {name} x JOIN tenants t ON t.id = tenant_id WHERE slug = :slug"
            " ORDER BY 1",
            slug=slug,
        )
        for name, table in db.metadata.tables.items()
        if "tenant_id" in table.columns
    }


def test_no_field_of_a_form_reaches_the_neighbour(
    app: Flask, client: Client, bob: Person, theirs: Theirs, rows: Reader
) -> None:
    """Otherwise a field, or one that no form has, names what is another tenant's."""
    login = client.bind(bob)
    ((identity,),) = rows("SELECT id FROM social_accounts WHERE openid = :o", o=login["openid"])
    user, other = login["user"]["id"], enter_user(app, account="carol")
    ((session,),) = rows(
        "SELECT id FROM login_sessions WHERE user_id = :user AND ended_at IS NULL", user=user
    )
    ours = Theirs(
        user, other, str(identity), str(session), login["openid"], ACME_SHOP.appid, theirs.preview
    )
    console = TenantConsole(app, "acme")
    # The merge first, and with nobody whom it may: else there is nobody left to merge.
    forms = {f"/users/{user}/merge": {}, f"/users/{other}/merge": {}, "/people/export": {}}
    forms = dict([*ours.posts(), *CREATIONS]) | forms
    forms = dict(sorted(forms.items(), key=lambda form: "merge" not in form[0]))
    pages = [*LISTS, f"/apps/{ours.appid}/show", f"/users/{user}/show", "/people/export"]
    pages.append("/account/")
    pages += [f"/users/{other}/show", f"/users/{other}/password"]
    shown = {name for page in pages for name in FIELD.findall(console.read(page))}
    assert shown > {"into_id", "password", "registration", "status", "query"}
    token, before = console.token(), of_tenant(rows, "globex")
    ((globex,),) = rows("SELECT id FROM tenants WHERE slug = 'globex'")
    values = (theirs.user, theirs.identity, theirs.session, theirs.appid, str(globex), "globex")
    for path, fields in forms.items():
        every = dict.fromkeys({*shown, *COLUMNS} - {"csrf_token"}, "") | fields
        for value in values:
            alone = [fields | {name: value} for name in {*fields, "into_id", "tenant_id"}]
            for sent in (*alone, dict.fromkeys(every, value)):
                answer = console.post_bare(path, **sent | {"csrf_token": token})
                assert answer.status_code < 500, (path, sent)
                for known in (theirs.other, "alice2", theirs.openid):
                    assert known not in answer.text, (path, sent)
    assert of_tenant(rows, "globex") == before


def test_a_neighbour_is_in_no_list_however_it_is_searched(app: Flask, theirs: Theirs) -> None:
    """Otherwise a filter goes round the wall."""
    own = TenantConsole(app, "globex")
    assert theirs.user in own.read("/users/", phone="13800138001"), "it would be found"
    console = TenantConsole(app, "acme")
    queries: list[dict[str, str]] = [
        {},
        {"phone": "13800138001"},
        {"openid": theirs.openid},
        {"name": "alice2"},
        {"search": theirs.appid},
        {"app": theirs.appid},
        {"subject": theirs.user},
        {"user": theirs.user},
        {"tenant_id": "globex", "flt0_tenant_id_equals": "globex", "tenant": "globex"},
        {"status": "active", "sort": "4", "desc": "1"},
    ]
    for path in LISTS:
        for query in queries:
            page = console.read(path, **query)
            body = page.split("<tbody>")[1]
            for known in (theirs.user, theirs.other, theirs.session, theirs.appid, "globex"):
                assert known not in body, (path, query, known)
            assert theirs.appid in query.values() or theirs.appid not in page, (path, query)
            if path in ("/users/", "/sessions/"):
                assert "<small>0</small>" in page, "how many they are is theirs to know"
    for stock in ("export/csv/", "details/", "edit/", "delete/", "new/", "action/", "ajax/lookup/"):
        for path in LISTS:
            answer = console.get(f"{path}{stock}", id=theirs.user)
            assert answer.status_code in (302, 404, 405), (path, stock)
            assert theirs.session not in answer.text


def test_who_may_only_read_sees_no_buttons_and_is_refused(
    app: Flask, theirs: Theirs, rows: Reader
) -> None:
    """Otherwise hiding a button is all that keeps a reader from pressing it."""
    console = TenantConsole(app, "globex", "tenant_reader")
    before = content(rows)
    pages = [*LISTS, f"/apps/{theirs.appid}/show", f"/users/{theirs.user}/show"]
    for path in pages:
        main = console.read(path).split('<main id="content"')[1]
        assert '<form method="post"' not in main, path
        assert 'href="/console/t/globex/apps/add"' not in main, path
    for path, fields in [*theirs.posts(), *CREATIONS]:
        answer = console.post(path, **fields)
        assert answer.status_code == 403, path
        assert "role_too_low" in answer.text, path
    for path, _ in CREATIONS:
        assert console.get(path).status_code == 403
    assert content(rows) == before


def test_a_form_of_another_site_is_refused(app: Flask, theirs: Theirs, rows: Reader) -> None:
    """Otherwise any page that an admin opens can press their buttons."""
    console = TenantConsole(app, "globex")
    before = content(rows)
    for path, fields in [*theirs.posts(), *CREATIONS]:
        for token in ({}, {"csrf_token": "guessed"}):
            answer = console.post_bare(path, **fields, **token)
            assert answer.status_code == 400, path
    for path, _ in theirs.posts():
        # A question about what cannot be done is refused with 409.
        assert console.get(path).status_code in (200, 404, 405, 409), "a link changes nothing"
    assert content(rows) == before


def test_actions_that_cannot_be_undone_ask_for_a_confirmation(
    app: Flask, theirs: Theirs, rows: Reader
) -> None:
    """A GET request shows a page that names the object. Only its form changes something."""
    console = TenantConsole(app, "globex")
    console.press(f"/apps/{theirs.appid}/secrets", push_token="Token123")
    mini_program, user = f"/apps/{theirs.appid}", f"/users/{theirs.user}"
    before = content(rows)
    for path, about in (
        (f"{mini_program}/disable", theirs.appid),
        (f"{mini_program}/secrets/push_token/remove", theirs.appid),
        (f"{user}/disable", theirs.user),
        (f"{user}/end-sessions", theirs.user),
        (f"{user}/release-phone", "138****8001"),
        (f"{user}/identities/{theirs.identity}/unbind", theirs.user),
    ):
        page = console.read(path)
        assert about in page, path
        assert '<form method="post" class="fields">' in page, path
        shown = console.read(f"{'/'.join(path.split('/')[:3])}/show")
        assert f'href="{console.address(path)}"' in shown, path
    asked = console.post(f"{user}/merge", into_id=theirs.other)
    assert theirs.user in asked.text
    assert "alice2" in asked.text
    assert "alice2" in console.read(f"/users/{theirs.other}/password")
    assert content(rows) == before


def test_no_page_needs_what_its_policy_forbids(app: Flask, theirs: Theirs) -> None:
    """Otherwise a button does nothing in a browser, and only there."""
    console = TenantConsole(app, "globex")
    pages = [*LISTS, f"/apps/{theirs.appid}/show", f"/users/{theirs.user}/show"]
    for path in [*pages, "/apps/add", "/users/enter"]:
        answer = console.get(path)
        assert not re.search(r"<[^>]+ (style|on[a-z]+)=", answer.text), path
        assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]


def test_who_is_not_signed_in_is_sent_to_the_door(app: Flask, theirs: Theirs) -> None:
    """Otherwise the pages are the world's."""
    http = app.test_client()
    for path in (*LISTS, f"/users/{theirs.user}/show", f"/apps/{theirs.appid}/show"):
        answer = http.get(Browser(app).address(path))
        assert answer.status_code == 302, path
        assert answer.location.startswith("/console/sign-in"), path


def test_what_people_write_is_shown_and_never_run(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a nickname takes an admin's session over."""
    console = TenantConsole(app)
    user = client.bind(alice)["user"]["id"]
    for statement in (
        "UPDATE users SET nickname = :evil, account = :evil, last_login_ip = :evil",
        "UPDATE social_accounts SET nickname = :evil, unionid = :evil",
        "UPDATE login_sessions SET device = :evil, ip = :evil",
        "UPDATE wechat_apps SET name = :evil WHERE tenant_id = (SELECT id FROM tenants WHERE"
        " slug = 'acme')",
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, ip, details)"
        " SELECT gen_random_uuid(), tenant_id, 'user', :evil, id::text, :evil,"
        " jsonb_build_object('before', jsonb_build_object(:evil, :evil), :evil, :evil)"
        " FROM users",
    ):
        rows(statement.replace(":evil", "CAST(:evil AS text)"), evil=EVIL)
    paths = [*LISTS, f"/users/{user}/show", f"/apps/{ACME_SHOP.appid}/show"]
    for path in paths:
        for query in ({}, {"name": EVIL, "subject": EVIL, "search": EVIL, "phone": EVIL}):
            page = console.get(path, **query).text
            assert "<script>alert" not in page, path
            assert "\"'>&" not in page, path
            assert page.count("<script") == 1, path
    assert "&lt;script&gt;alert(1)" in console.get("/users/").text


def test_a_page_asks_as_often_however_much_there_is(
    app: Flask, client: Client, alice: Person, rows: Reader, statements: list[str]
) -> None:
    """Otherwise a list asks once a row, and is slow where it matters."""
    console = TenantConsole(app)
    user = client.bind(alice)["user"]["id"]
    paths = [*LISTS, f"/users/{user}/show"]

    def asked() -> list[int]:
        counts = []
        for path in paths:
            statements.clear()
            console.read(path)
            counts.append(len(statements))
        return counts

    few = asked()
    for number in range(30):
        enter_user(app, account=f"u{number}", phone=f"1380013{8100 + number}")
        client.log_in(alice)
    assert asked() == few
    assert max(few) <= 8, few
