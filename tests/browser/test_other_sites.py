"""Cross-site requests to the console, in a real browser."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from playwright.sync_api import BrowserContext, Page

from config.development.demo import OPERATOR
from tests.browser.chromium import CHROMIUM
from tests.browser.screen import Screen, chromium
from tests.e2e.test_make_run import Copy
from tests.fixtures.servers.http_servers import QuietServer

PAGE = """<!doctype html><title>Other site</title>
<a href="{console}/t/acme/users/">console</a>
<form method="post" action="{console}/sign-in"><button>sign in</button></form>
<form method="post" action="{console}/sign-out"><button>sign out</button></form>
<form method="post" action="{console}/language"><button>language</button></form>
<img src="{console}/sign-in"><iframe src="{console}/sign-in"></iframe>"""


@pytest.fixture(scope="module")
def context(copy: Copy) -> Iterator[BrowserContext]:
    """Return a browser context in which an operator is signed in."""
    with chromium(CHROMIUM, copy.service) as context:
        screen = Screen(context, copy.service)
        screen.open("sign-in")
        screen.enter("E-mail address", OPERATOR.email)
        screen.enter("Password", OPERATOR.password)
        screen.press("Sign in")
        assert screen.page.url.endswith("/console/tenants/")
        yield context


@pytest.fixture(scope="module")
def other_site(copy: Copy) -> Iterator[str]:
    """Serve a page under the host name localhost, a different site for browsers. Yield its URL."""
    body = PAGE.format(console=f"{copy.service}/console").encode()

    class OtherSite(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = QuietServer(("127.0.0.1", 0), OtherSite)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(context: BrowserContext, other_site: str) -> Iterator[Page]:
    """Open the page of the other site in the browser of the signed-in operator."""
    page = context.new_page()
    page.goto(other_site)
    yield page
    page.close()


def test_a_link_on_another_site_opens_the_console_of_a_signed_in_operator(page: Page) -> None:
    page.get_by_role("link", name="console").click()
    page.wait_for_url("**/console/t/acme/users/")
    assert OPERATOR.email in page.inner_text("header")


@pytest.mark.parametrize("button", ["sign in", "sign out", "language"])
def test_a_form_on_another_site_is_rejected_and_the_operator_stays_signed_in(
    page: Page, button: str
) -> None:
    with page.expect_response("**/console/**") as answered:
        page.get_by_role("button", name=button, exact=True).click()
    assert answered.value.status == 403
    page.goto("account/")
    assert OPERATOR.email in page.inner_text(".page-head")
