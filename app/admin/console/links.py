"""Links in the cells of lists, and names inside a text."""

from typing import Any

from flask import url_for
from markupsafe import Markup, escape


def link_to(endpoint: str, text: object, **where: Any) -> Markup:
    """Make a link; its text is anybody's, and shown as text."""
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, **where), escape(text))


def isolated(name: str) -> Markup:
    """Return a name as HTML in which its direction does not affect the text around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def user_link(user_id: object) -> Markup | str:
    """Link to a user by id; nobody is a dash."""
    if user_id is None:
        return "–"
    return link_to("console_users.show", user_id, user_id=user_id)
