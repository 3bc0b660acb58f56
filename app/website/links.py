"""Addresses to which the pages of the website link."""

from typing import cast

from flask import current_app, url_for
from flask_babel import get_locale

from app.allowed_hosts import is_allowed_host

SHOW_CONSOLE = "console_first.index"
SHOW_GUIDE = "guide.show_guide"
CHINESE = "zh-CN/"


def find_guide() -> str | None:
    """Return the address of the documentation site, or None in production without WXPASS_GUIDE_URL.

    Development serves the site, in the language of this request.
    """
    if SHOW_GUIDE not in current_app.view_functions:
        return cast(str | None, current_app.config["WXPASS_GUIDE_URL"])
    return url_for(SHOW_GUIDE, name=CHINESE if str(get_locale()) == "zh" else None)


def find_console() -> str | None:
    """Return the address of the console, or None if it refuses the host of this request."""
    return url_for(SHOW_CONSOLE) if is_allowed_host() else None
