"""Texts of the confirmation pages for actions on a user."""

from flask import url_for
from flask_babel import gettext
from markupsafe import Markup, escape

from app.admin.console.links import isolated
from app.admin.console.pages import Confirmation
from app.services.tenant_admin.users import FoundUser


def disabling(user: FoundUser) -> Confirmation:
    """Return the confirmation for disabling a user."""
    return _confirmation(
        user,
        gettext("Disable this user?"),
        gettext("All sessions of the user end, and the user cannot log in until enabled again."),
        gettext("Disable the user"),
    )


def ending_sessions(user: FoundUser) -> Confirmation:
    """Return the confirmation for ending all sessions of a user."""
    return _confirmation(
        user,
        gettext("End all sessions of this user?"),
        gettext("The user has to log in again on every device."),
        gettext("End all sessions"),
    )


def unlinking(user: FoundUser) -> Confirmation:
    """Return the confirmation for unlinking a WeChat identity from a user."""
    return _confirmation(
        user,
        gettext("Unlink this WeChat identity?"),
        gettext(
            "Sessions of this WeChat identity end. The person can then bind it to another user."
        ),
        gettext("Unlink the WeChat identity"),
    )


def removing_phone(user: FoundUser) -> Confirmation:
    """Return the confirmation for removing the phone number of a user."""
    return _confirmation(
        user,
        gettext("Remove the phone number %(phone)s?", phone=user.phone or "–"),
        gettext("The user loses the number. The next person who verifies it becomes its owner."),
        gettext("Remove the phone number"),
    )


def undoing_merge(user: FoundUser) -> Confirmation:
    """Return the confirmation for undoing a merge."""
    return _confirmation(
        user,
        gettext("Undo the merge of this user?"),
        gettext("WeChat identities and the phone number move back. Their sessions end."),
        gettext("Undo the merge"),
    )


def merging(user: FoundUser, into: FoundUser) -> Confirmation:
    """Return the confirmation for merging `user` into `into`."""
    return Confirmation(
        title=gettext("Merge these users?"),
        about=Markup("{} → {}").format(_name(user), _name(into)),
        consequences=gettext(
            "WeChat identities of the first user move to the second, and the phone number too if "
            "the second has none. Sessions of the first user end. You can undo this for 30 days."
        ),
        button=gettext("Merge the users"),
        back=url_for("console_users.show", user_id=user.id),
        fields={"into_id": str(into.id), "confirmed": "yes"},
    )


def _confirmation(user: FoundUser, title: str, consequences: str, button: str) -> Confirmation:
    back = url_for("console_users.show", user_id=user.id)
    return Confirmation(title, _name(user), consequences, button, back)


def _name(user: FoundUser) -> Markup:
    """Return nickname, account, phone number and id as HTML. Nicknames are not unique."""
    known = [isolated(name) for name in (user.nickname, user.account, user.phone) if name]
    if not known:
        return escape(user.id)
    return Markup("{} ({})").format(Markup(", ").join(known), user.id)
