"""Links in the cells of lists, and names inside a text."""

from typing import Any

from flask import url_for
from markupsafe import Markup, escape


def link_to(endpoint: str, text: object, **where: Any) -> Markup:
    """Return a link. Its text is untrusted and escaped."""
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, **where), escape(text))


def isolated(name: str) -> Markup:
    """Return a name as HTML in which its direction does not affect the text around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def user_link(user_id: object) -> Markup | str:
    """Return a link to a user, or a dash without one."""
    if user_id is None:
        return "–"
    return link_to("console_users.show", user_id, user_id=user_id)
