"""Access to console pages by role, and isolation of tenants in the console."""

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
class TenantObjects:
    """Ids of one tenant's users, identity, session, app and import preview."""

    user: str
    other: str
    identity: str
    session: str
    openid: str
    appid: str
    preview: str

    def forms_that_change_objects(self) -> list[tuple[str, dict[str, str]]]:
        """Return path and fields of every form that changes one of the objects."""
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
def objects(app: Flask, client: Client, alice: Person, rows: Reader) -> TenantObjects:
    """Log alice in at globex, add a second user and a preview, and return their ids."""
    login = client.bind(alice, GLOBEX_LIFE)
    user = login["user"]["id"]
    identity, session = rows(
        "SELECT s.id, l.id FROM social_accounts s"
        " JOIN login_sessions l ON l.tenant_id = s.tenant_id AND l.user_id = s.user_id"
        " WHERE l.ended_at IS NULL AND s.user_id = :user",
        user=user,
    )[0]
    other = enter_user(app, "globex", account="alice2", phone="13800138009")
    ids = (user, other, str(identity), str(session))
    return TenantObjects(
        *ids, login["openid"], GLOBEX_LIFE.appid, add_import_preview(app, "globex")
    )


def add_import_preview(app: Flask, tenant: str) -> str:
    """Preview an import of one user, and return the id of the import."""
    with app.app_context():
        file = read_user_file(csv_of(["account"], [f"erin-of-{tenant}"]))
        return str(preview_import(OPERATOR, tenant_id_of(tenant), file).import_id)


def changeable_rows(rows: Reader) -> list[object]:
    """Return all rows of the tables that the forms can change."""
    tables = ("users", "phones", "social_accounts", "wechat_apps", "audit_events", "merges")
    tables += ("people_imports",)
    sessions = rows("SELECT id, user_id, ended_at FROM login_sessions ORDER BY id")
    return [sessions, *(rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables)]


def test_objects_of_another_tenant_are_not_found_below_the_own_slug(
    app: Flask, objects: TenantObjects, rows: Reader
) -> None:
    console = TenantConsole(app, "acme")
    before = changeable_rows(rows)
    for path in (f"/apps/{objects.appid}/show", f"/users/{objects.user}/show", "/apps/%00/show"):
        assert console.get(path).status_code == 404
    assert console.post("/apps/%00/disable").status_code == 404
    for path, fields in objects.forms_that_change_objects():
        answer = console.post(path, **fields)
        assert answer.status_code == 404, (path, answer.status_code)
    assert changeable_rows(rows) == before


def tenant_rules(app: Flask, method: str) -> list[str]:
    """Return the URL rules of all tenant pages that accept a method."""
    return [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/console/t/<string:slug>/") and method in (rule.methods or ())
    ]


@pytest.mark.parametrize("role", ["tenant_admin", "tenant_reader"])
def test_every_page_below_the_slug_of_another_tenant_is_not_found(
    app: Flask, objects: TenantObjects, rows: Reader, role: str
) -> None:
    """The request contains the other tenant's real slug and ids, and a valid CSRF token."""
    console = TenantConsole(app, "acme", role)
    token, before = console.token(), changeable_rows(rows)
    ids = {
        "slug": "globex",
        "app": objects.appid,
        "user_id": objects.user,
        "identity_id": objects.identity,
        "session_id": objects.session,
        "import_id": objects.preview,
    }
    for method in ("GET", "POST"):
        rules = tenant_rules(app, method)
        assert len(rules) > 10
        for rule in rules:
            path = re.sub(r"<(?:[^>]*:)?(\w+)>", lambda name: ids.get(name[1], "push_token"), rule)
            answer = console.open(path, method, data={"csrf_token": token, "account": "mallory"})
            assert answer.status_code == 404, (method, path)
            assert "Life" not in answer.text
    assert changeable_rows(rows) == before


def test_a_head_request_to_any_page_changes_nothing(
    app: Flask, objects: TenantObjects, rows: Reader
) -> None:
    """Flask adds HEAD to every GET route, and HEAD requests are exempt from the CSRF check."""
    console, root = TenantConsole(app, "globex"), signed_in(app, "root@wxpass.example", "platform")
    with app.app_context():
        own = find_operator_id(console.email)
    actions = ("role", "reset", "remove-codes", "disable", "enable")
    operators = [f"/operators/{own}/{action}" for action in actions]
    account = ["/account/recovery-codes", "/account/sessions/end", "/account/codes/remove"]
    before = (
        changeable_rows(rows),
        rows("SELECT id, status, password_hash, role FROM operators ORDER BY 1"),
    )
    for path, fields in [*objects.forms_that_change_objects(), *CREATIONS]:
        # A confirmation page has status 409 if its action is impossible.
        answer = console.open(path, "HEAD", query_string=fields)
        assert answer.status_code in (200, 404, 405, 409), path
    for path in [*operators, *account, "/operators/invite", "/tenants/add"]:
        assert root.open(path, "HEAD").status_code in (200, 404, 405), path
    after = (
        changeable_rows(rows),
        rows("SELECT id, status, password_hash, role FROM operators ORDER BY 1"),
    )
    assert after == before


FIELD = re.compile(r'<(?:input|select|button|textarea)[^>]* name="(\w+)"')
# Columns that are not a field of any form.
COLUMNS = ("id", "user_id", "tenant_id", "tenant", "slug", "operator_id")


def rows_of_tenant(rows: Reader, slug: str) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of a tenant by table name."""
    return {
        name: rows(
            f"SELECT x.* FROM {name} x JOIN tenants t ON t.id = tenant_id WHERE slug = :slug"
            " ORDER BY 1",
            slug=slug,
        )
        for name, table in db.metadata.tables.items()
        if "tenant_id" in table.columns
    }


@pytest.mark.slow
def test_no_form_field_changes_or_reveals_objects_of_another_tenant(
    app: Flask, client: Client, bob: Person, objects: TenantObjects, rows: Reader
) -> None:
    login = client.bind(bob)
    ((identity,),) = rows("SELECT id FROM social_accounts WHERE openid = :o", o=login["openid"])
    user, other = login["user"]["id"], enter_user(app, account="carol")
    ((session,),) = rows(
        "SELECT id FROM login_sessions WHERE user_id = :user AND ended_at IS NULL", user=user
    )
    own_objects = TenantObjects(
        user, other, str(identity), str(session), login["openid"], ACME_SHOP.appid, objects.preview
    )
    console = TenantConsole(app, "acme")
    # The merge forms come first and without a target, so that both users exist for the other forms.
    forms = {f"/users/{user}/merge": {}, f"/users/{other}/merge": {}, "/people/export": {}}
    forms = dict([*own_objects.forms_that_change_objects(), *CREATIONS]) | forms
    forms = dict(sorted(forms.items(), key=lambda form: "merge" not in form[0]))
    pages = [*LISTS, f"/apps/{own_objects.appid}/show", f"/users/{user}/show", "/people/export"]
    pages.append("/account/")
    pages += [f"/users/{other}/show", f"/users/{other}/password"]
    shown = {name for page in pages for name in FIELD.findall(console.read(page))}
    assert shown > {"into_id", "password", "registration", "status", "query"}
    token, before = console.token(), rows_of_tenant(rows, "globex")
    ((globex,),) = rows("SELECT id FROM tenants WHERE slug = 'globex'")
    values = (objects.user, objects.identity, objects.session, objects.appid, str(globex), "globex")
    for path, fields in forms.items():
        every = dict.fromkeys({*shown, *COLUMNS} - {"csrf_token"}, "") | fields
        for value in values:
            alone = [fields | {name: value} for name in {*fields, "into_id", "tenant_id"}]
            for sent in (*alone, dict.fromkeys(every, value)):
                answer = console.post_bare(path, **sent | {"csrf_token": token})
                assert answer.status_code < 500, (path, sent)
                for known in (objects.other, "alice2", objects.openid):
                    assert known not in answer.text, (path, sent)
    assert rows_of_tenant(rows, "globex") == before


def test_no_filter_lists_objects_of_another_tenant(app: Flask, objects: TenantObjects) -> None:
    own = TenantConsole(app, "globex")
    assert objects.user in own.read("/users/", phone="13800138001"), "the own tenant finds the user"
    console = TenantConsole(app, "acme")
    queries: list[dict[str, str]] = [
        {},
        {"phone": "13800138001"},
        {"openid": objects.openid},
        {"name": "alice2"},
        {"search": objects.appid},
        {"app": objects.appid},
        {"subject": objects.user},
        {"user": objects.user},
        {"tenant_id": "globex", "flt0_tenant_id_equals": "globex", "tenant": "globex"},
        {"status": "active", "sort": "4", "desc": "1"},
    ]
    for path in LISTS:
        for query in queries:
            page = console.read(path, **query)
            body = page.split('id="list"')[1].split("<dialog")[0]
            for known in (objects.user, objects.other, objects.session, objects.appid, "globex"):
                assert known not in body, (path, query, known)
            assert objects.appid in query.values() or objects.appid not in page, (path, query)
            if path in ("/users/", "/sessions/"):
                assert "Nothing to show." in page, "the list omits objects of other tenants"
    for stock in ("export/csv/", "details/", "edit/", "delete/", "new/", "action/", "ajax/lookup/"):
        for path in LISTS:
            answer = console.get(f"{path}{stock}", id=objects.user)
            assert answer.status_code in (302, 404, 405), (path, stock)
            assert objects.session not in answer.text


def test_a_tenant_viewer_sees_no_forms_and_cannot_submit_them(
    app: Flask, objects: TenantObjects, rows: Reader
) -> None:
    console = TenantConsole(app, "globex", "tenant_reader")
    before = changeable_rows(rows)
    pages = [*LISTS, f"/apps/{objects.appid}/show", f"/users/{objects.user}/show"]
    for path in pages:
        main = console.read(path).split('<main id="content"')[1]
        assert '<form method="post"' not in main, path
        assert 'href="/console/t/globex/apps/add"' not in main, path
    for path, fields in [*objects.forms_that_change_objects(), *CREATIONS]:
        answer = console.post(path, **fields)
        assert answer.status_code == 403, path
        assert "role_too_low" in answer.text, path
    for path, _ in CREATIONS:
        assert console.get(path).status_code == 403
    assert changeable_rows(rows) == before


def test_a_form_without_a_valid_csrf_token_is_rejected(
    app: Flask, objects: TenantObjects, rows: Reader
) -> None:
    console = TenantConsole(app, "globex")
    before = changeable_rows(rows)
    for path, fields in [*objects.forms_that_change_objects(), *CREATIONS]:
        for token in ({}, {"csrf_token": "guessed"}):
            answer = console.post_bare(path, **fields, **token)
            assert answer.status_code == 400, path
    for path, _ in objects.forms_that_change_objects():
        # A confirmation page has status 409 if its action is impossible.
        assert console.get(path).status_code in (200, 404, 405, 409), (
            "a GET request changes nothing"
        )
    assert changeable_rows(rows) == before


def test_irreversible_actions_ask_for_a_confirmation_that_names_the_object(
    app: Flask, objects: TenantObjects, rows: Reader
) -> None:
    """A GET request shows the confirmation page. Only its form changes the object."""
    console = TenantConsole(app, "globex")
    console.press(f"/apps/{objects.appid}/secrets", push_token="Token123")
    mini_program, user = f"/apps/{objects.appid}", f"/users/{objects.user}"
    before = changeable_rows(rows)
    for path, about in (
        (f"{mini_program}/disable", objects.appid),
        (f"{mini_program}/secrets/push_token/remove", objects.appid),
        (f"{user}/disable", objects.user),
        (f"{user}/end-sessions", objects.user),
        (f"{user}/release-phone", "138****8001"),
        (f"{user}/identities/{objects.identity}/unbind", objects.user),
    ):
        page = console.read(path)
        assert about in page, path
        assert '<form method="post" class="fields">' in page, path
        shown = console.read(f"{'/'.join(path.split('/')[:3])}/show")
        assert f'href="{console.address(path)}"' in shown, path
    confirmation = console.post(f"{user}/merge", into_id=objects.other)
    assert objects.user in confirmation.text
    assert "alice2" in confirmation.text
    assert "alice2" in console.read(f"/users/{objects.other}/password")
    assert changeable_rows(rows) == before


def test_no_page_uses_inline_styles_or_event_handlers(app: Flask, objects: TenantObjects) -> None:
    console = TenantConsole(app, "globex")
    pages = [*LISTS, f"/apps/{objects.appid}/show", f"/users/{objects.user}/show"]
    for path in [*pages, "/apps/add", "/users/enter"]:
        answer = console.get(path)
        assert not re.search(r"<[^>]+ (style|on[a-z]+)=", answer.text), path
        assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]


def test_tenant_pages_redirect_to_the_sign_in_page_without_a_session(
    app: Flask, objects: TenantObjects
) -> None:
    http = app.test_client()
    for path in (*LISTS, f"/users/{objects.user}/show", f"/apps/{objects.appid}/show"):
        answer = http.get(Browser(app).address(path))
        assert answer.status_code == 302, path
        assert answer.location.startswith("/console/sign-in"), path


def test_texts_chosen_by_users_are_escaped_on_every_page(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
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


def test_the_number_of_statements_of_a_page_does_not_depend_on_its_rows(
    app: Flask, client: Client, alice: Person, rows: Reader, statements: list[str]
) -> None:
    console = TenantConsole(app)
    user = client.bind(alice)["user"]["id"]
    paths = [*LISTS, f"/users/{user}/show"]

    def statement_counts() -> list[int]:
        counts = []
        for path in paths:
            statements.clear()
            console.read(path)
            counts.append(len(statements))
        return counts

    few = statement_counts()
    for number in range(30):
        enter_user(app, account=f"u{number}", phone=f"1380013{8100 + number}")
        client.log_in(alice)
    assert statement_counts() == few
    assert max(few) <= 8, few
