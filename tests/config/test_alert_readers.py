"""The settings of alerts."""

import pytest

from app.notifications import Notifier
from config import ConfigError, load_config
from tests.config.test_settings import environ

FROM = {"SMTP_FROM": "wxpass@example.com"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://me:p%40ss@smtp.example.com", ("smtp.example.com", 465, True, "me", "p@ss")),
        ("smtp://me:p@smtp.example.com:2525", ("smtp.example.com", 2525, False, "me", "p")),
        ("smtp://localhost:25", ("localhost", 25, False, None, None)),
        ("smtp://[::1]/", ("::1", 587, False, None, None)),
    ],
)
def test_smtp_url_names_server_and_user(url: str, expected: tuple[object, ...]) -> None:
    smtp = load_config(environ(SMTP_URL=url, **FROM)).smtp_url
    assert smtp is not None
    assert (smtp.host, smtp.port, smtp.implicit_tls, smtp.user, smtp.password) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("smtp.example.com", "http://smtp.example.com", "smtps://", "smtps://me@a.example"),
        *("smtps://a.example/x", "smtps://a.example?x=y", "smtps://me:secret-of-smtp@a:port"),
        "smtps://me:secret-of-smtp word@a.example",
    ],
)
def test_another_smtp_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="SMTP_URL") as caught:
        load_config(environ(SMTP_URL=url, **FROM))
    assert "secret-of-smtp" not in str(caught.value)


def test_the_password_of_smtp_url_is_not_in_the_repr() -> None:
    config = load_config(environ(SMTP_URL="smtps://me:secret-of-smtp@a.example", **FROM))
    assert "secret-of-smtp" not in repr(config)


@pytest.mark.parametrize("sender", ["", "wxpass", "a@b.example,c@d.example", "A <a@b.example>"])
def test_smtp_url_requires_a_sender(sender: str) -> None:
    with pytest.raises(ConfigError, match="SMTP_FROM"):
        load_config(environ(SMTP_URL="smtps://a.example", SMTP_FROM=sender))


def test_without_settings_there_is_no_mail_server_and_no_address() -> None:
    config = load_config(environ())
    assert (config.smtp_url, config.smtp_from, config.public_url) == (None, None, None)
    assert not Notifier().sends_email


def test_public_url_is_an_address_without_a_query() -> None:
    url = "https://login.example.com/wxpass/"
    config = load_config(environ(WXPASS_PUBLIC_URL=url))
    assert config.public_url == "https://login.example.com/wxpass"
    for wrong in ("login.example.com", "ftp://a.example", "https://a.example/?x", "https://"):
        with pytest.raises(ConfigError, match="WXPASS_PUBLIC_URL"):
            load_config(environ(WXPASS_PUBLIC_URL=wrong))
