"""HTML links for list cells, and HTML for user-chosen names."""

from typing import Any

from flask import url_for
from markupsafe import Markup, escape


def link_to(endpoint: str, text: object, **where: Any) -> Markup:
    """Return an HTML link to an endpoint. `text` is escaped."""
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, **where), escape(text))


def isolated(name: str) -> Markup:
    """Return an escaped name in `<bdi>`, so that right-to-left text in it affects no other text."""
    return Markup("<bdi>{}</bdi>").format(name)


def user_link(user_id: object) -> Markup | str:
    """Return a link to the page of a user, or a dash if `user_id` is None."""
    if user_id is None:
        return "–"
    return link_to("console_users.show", user_id, user_id=user_id)
