"""The settings of the website."""

from collections.abc import Callable, Mapping

import pytest

from config import ConfigError, load_config
from config.website_readers import read_demo_phone_url, read_guide_url, read_website
from tests.config.test_settings import environ

Reader = Callable[[Mapping[str, str]], str | None]


@pytest.mark.parametrize(
    ("text", "served"), [(None, True), ("", True), ("on", True), (" off ", False), ("off", False)]
)
def test_the_website_is_served_unless_it_is_off(text: str | None, served: bool) -> None:
    assert load_config(environ(WXPASS_WEBSITE=text)).website is served


@pytest.mark.parametrize("text", ["OFF", "false", "0", "no", "disabled"])
def test_a_website_setting_that_is_neither_on_nor_off_is_refused(text: str) -> None:
    """A misspelt "off" must not publish the pages."""
    with pytest.raises(ConfigError, match=r"WXPASS_WEBSITE: .* on or off"):
        read_website({"WXPASS_WEBSITE": text})


def test_the_address_of_the_demo_phone_is_that_of_make_run() -> None:
    url = "http://127.0.0.1:8001/demo/"
    assert read_demo_phone_url({"DEMO_PHONE_URL": url}) == url
    assert read_demo_phone_url({"DEMO_PHONE_URL": ""}) is None
    assert read_demo_phone_url({}) is None


@pytest.mark.parametrize("env", ["production", "development"])
def test_the_address_of_the_documentation_is_optional(env: str) -> None:
    url = "https://docs.example.com/wxpass/"
    assert load_config(environ(WXPASS_GUIDE_URL=f" {url} ", WXPASS_ENV=env)).guide_url == url
    assert load_config(environ(WXPASS_GUIDE_URL="", WXPASS_ENV=env)).guide_url is None


@pytest.mark.parametrize(
    ("name", "read"),
    [("DEMO_PHONE_URL", read_demo_phone_url), ("WXPASS_GUIDE_URL", read_guide_url)],
)
@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:text/html,x", "//evil.example", "http://", "demo"),
        *("http://[", "/docs/guide/", "http://a b/", "https://docs.example:port/"),
    ],
)
def test_addresses_of_links_must_be_web_addresses(name: str, read: Reader, url: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: must look like"):
        read({name: url})


def test_production_refuses_a_demo_phone() -> None:
    with pytest.raises(ConfigError, match="DEMO_PHONE_URL: must not be set in production"):
        load_config(environ(DEMO_PHONE_URL="http://127.0.0.1:8001/demo/"))
