"""Two browser tabs on the pages of two tenants. Forms must not reach the other tenant."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from config.development import var_folder
from config.development.demo import OPERATOR
from config.development.postgres import hold_server
from tests.browser.chromium import CHROMIUM
from tests.browser.screen import Screen, chromium
from tests.e2e.test_make_run import Copy
from tests.fixtures.user_files import csv_of


@dataclass(frozen=True)
class Tab:
    """A browser tab that shows the pages of one tenant."""

    screen: Screen
    tenant: str

    def open(self, path: str) -> None:
        """Open a page of the tenant."""
        self.screen.open(f"t/{self.tenant}/{path}")

    def name(self, what: str, turn: int) -> str:
        """Return a name that contains the tenant and the turn, so that no other tab uses it."""
        return f"{what}-{self.tenant}-{turn}"


@pytest.fixture(scope="module")
def tabs(copy: Copy) -> Iterator[dict[str, Tab]]:
    """Return two tabs in which a platform admin is signed in, by tenant slug."""
    with chromium(CHROMIUM, copy.service) as context:
        first = Screen(context, copy.service)
        first.open("sign-in")
        first.enter("E-mail address", OPERATOR.email)
        first.enter("Password", OPERATOR.password)
        first.press("Sign in")
        second = first.tab
        yield {"acme": Tab(first, "acme"), "globex": Tab(second, "globex")}
        assert not [*first.errors, *second.errors]


@pytest.mark.parametrize("turn", [1, 2], ids=["acme_first", "globex_first"])
def test_forms_submitted_in_one_tab_reach_the_tenant_of_that_tab(
    copy: Copy, tabs: dict[str, Tab], turn: int
) -> None:
    """Fill in each form in one tab, open a page in the other tab, then submit the form."""
    first, second = list(tabs.values())[:: 1 if turn == 1 else -1]
    for tab, other_tab in ((first, second), (second, first)):
        add_user(tab, other_tab, turn)
        add_app(tab, other_tab, turn)
        import_users(tab, other_tab, turn)
    for tab, other_tab in ((first, second), (second, first)):
        exported = export_users(tab, other_tab)
        assert tab.name("user", turn) in exported
        assert tab.name("guest", turn) in exported
        assert other_tab.name("user", turn) not in exported
        assert other_tab.name("guest", turn) not in exported
    for table, column, what in (
        ("users", "account", "user"),
        ("users", "account", "guest"),
        # The appids do not exist at the WeChat simulator, so the apps stay pending.
        ("app_claims", "name", "app"),
    ):
        tenants = tenants_by_name(copy, table, column, f"{what}-%-{turn}")
        assert tenants == {tab.name(what, turn): tab.tenant for tab in tabs.values()}


def add_user(tab: Tab, other: Tab, turn: int) -> None:
    """Add a user in `tab`. A page of `other` is opened before the form is submitted."""
    tab.open("users/enter")
    tab.screen.enter("Account", tab.name("user", turn))
    other.open("users/enter")
    tab.screen.press("Add user")
    assert f"/t/{tab.tenant}/users/" in tab.screen.page.url


def add_app(tab: Tab, other: Tab, turn: int) -> None:
    """Add an app in `tab`. A page of `other` is opened before the form is submitted."""
    tab.open("apps/add")
    tab.screen.enter("appid", f"wx{ord(tab.tenant[0]):08x}{turn:08x}")
    tab.screen.enter("Name", tab.name("app", turn))
    tab.screen.enter("AppSecret", "0" * 32)
    other.open("apps/add")
    tab.screen.press("Add and verify")
    assert f"/t/{tab.tenant}/apps/" in tab.screen.page.url


def import_users(tab: Tab, other: Tab, turn: int) -> None:
    """Import one user from a file in `tab`, and wait until the import is done.

    A page of `other` is opened before the upload and before the confirmation.
    """
    content = csv_of(("account",), (tab.name("guest", turn),))
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": content}
    tab.open("people/")
    tab.screen.page.get_by_label("CSV or XLSX file, up to 5 MB").set_input_files(file)  # type: ignore[arg-type]
    other.open("people/")
    tab.screen.press("Check the file")
    other.open("")
    tab.screen.press("Import 1 users")
    tab.screen.page.get_by_text("1 users were imported.").wait_for(timeout=60_000)
    assert f"/t/{tab.tenant}/people/" in tab.screen.page.url


def export_users(tab: Tab, other: Tab) -> str:
    """Export the users in `tab` and return the CSV. A page of `other` is opened before."""
    tab.open("people/export")
    other.open("people/export")
    with tab.screen.page.expect_download() as download:
        tab.screen.press("Export")
    assert download.value.suggested_filename == f"{tab.tenant}-people.csv"
    return download.value.path().read_text(encoding="utf-8-sig")


def tenants_by_name(copy: Copy, table: str, column: str, pattern: str) -> dict[str, str]:
    """Map `column` to the tenant slug for each row that matches a LIKE pattern."""
    statement = (
        f"SELECT x.{column}, t.slug FROM {table} x JOIN tenants t ON t.id = x.tenant_id"
        f" WHERE x.{column} LIKE %s"
    )
    with (
        hold_server(var_folder(copy.environ)) as server,
        psycopg.connect(server.url) as connection,
    ):
        return dict(connection.execute(statement, (pattern,)).fetchall())
