"""Labels of enumeration values, audit actions and end reasons, shown in the console."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms.fields import SelectChoice

from app.i18n_marker import N_

REGISTRATION = {
    "on_phone": N_("On phone verification"),
    "on_login": N_("On first login"),
    "closed": N_("Closed: only users added here can log in"),
}
DATA_FORMAT = {"json": "JSON", "xml": "XML"}
ENABLED = {"True": N_("Enabled"), "False": N_("Disabled")}
STATUS = {
    "active": N_("Active"),
    "disabled": N_("Disabled"),
    "merged": N_("Merged"),
}
ROLES = {
    "tenant_admin": N_("Tenant admin"),
    "tenant_reader": N_("Tenant viewer"),
    "platform": N_("Platform admin"),
}
CHANNEL_KINDS = {
    "email": N_("E-mail"),
    "wecom": N_("WeCom group robot"),
    "dingtalk": N_("DingTalk robot"),
    "webhook": "Webhook",
}
LANGUAGES = {"zh": "中文", "en": "English"}
MUTE_HOURS = {
    "1": N_("1 hour"),
    "4": N_("4 hours"),
    "24": N_("1 day"),
    "168": N_("7 days"),
    "720": N_("30 days"),
}
SESSION_STATES = {"yes": N_("Active"), "no": N_("Ended")}
ENDED = {
    "account_closed": N_("account closed"),
    "app_released": N_("appid released"),
    "bind_key_used": N_("replaced by binding"),
    "ended_by_operator": N_("ended by an admin"),
    "logged_out": N_("logged out"),
    "merge_undone": N_("merge undone"),
    "merged": N_("Merged"),
    "password_changed": N_("password changed"),
    "session_limit": N_("too many sessions"),
    "unbound": N_("WeChat identity unbound"),
    "user_disabled": N_("user disabled"),
    "logged_out_everywhere": N_("logged out everywhere"),
    "refresh_token_reused": N_("refresh token used twice"),
    "revoked": N_("ended by the user"),
}
ACTORS = {
    "user": N_("user"),
    "operator": N_("admin"),
    "wechat": "WeChat",
    "system": N_("system"),
}
ACTIONS = {
    "account.closed": N_("account closed"),
    "account.reopened": N_("account reopened"),
    "alert.muted": N_("alert muted"),
    "alert.unmuted": N_("alert unmuted"),
    "alert_channel.added": N_("alert channel added"),
    "alert_channel.removed": N_("alert channel removed"),
    "alert_mute.added": N_("mute of alerts added"),
    "alert_mute.removed": N_("mute of alerts removed"),
    "app.activated": N_("mini-program verified and activated"),
    "app.added": N_("mini-program added"),
    "app.changed": N_("mini-program changed"),
    "app.deleted": N_("mini-program deleted"),
    "app.disabled": N_("mini-program disabled"),
    "app.enabled": N_("mini-program enabled"),
    "app.moved": N_("appid moved"),
    "app.next_secret_removed": N_("next AppSecret removed"),
    "app.next_secret_set": N_("next AppSecret set"),
    "app.push_secrets_replaced": N_("secrets of message push replaced"),
    "app.released": N_("appid released"),
    "app.secret_promoted": N_("next AppSecret activated"),
    "app.secret_replaced": N_("AppSecret replaced"),
    "app_claim.added": N_("mini-program added, not verified"),
    "app_claim.changed": N_("unverified mini-program changed"),
    "app_claim.closed": N_("unverified mini-program closed"),
    "app_claim.held_elsewhere": N_("AppSecret verified, appid used by another tenant"),
    "app_claim.secrets_replaced": N_("secrets of unverified mini-program replaced"),
    "app_claim.withdrawn": N_("unverified mini-program withdrawn"),
    "consent.withdrawn": N_("consent withdrawn"),
    "encryption_key.forgotten": N_("encryption key given up"),
    "operator.code_failed": N_("one-time code rejected"),
    "operator.changed": N_("admin changed"),
    "operator.codes_off": N_("one-time codes disabled"),
    "operator.codes_on": N_("one-time codes enabled"),
    "operator.codes_removed": N_("one-time codes removed by another admin"),
    "operator.invited": N_("admin invited"),
    "operator.password_changed": N_("admin changed the password"),
    "operator.password_set": N_("admin set a password"),
    "operator.recovery_code_used": N_("recovery code used"),
    "operator.recovery_codes_renewed": N_("recovery codes renewed"),
    "operator.reset": N_("admin reset"),
    "operator.session_ended": N_("admin session ended"),
    "operator.sessions_ended": N_("all other admin sessions ended"),
    "operator.sign_in_failed": N_("sign-in failed"),
    "operator.signed_in": N_("admin signed in"),
    "operator.step_up_failed": N_("password confirmation failed"),
    "operator.token_reused": N_("admin's token used twice"),
    "phone.released": N_("phone removed"),
    "phone.verified": N_("phone verified"),
    "profile.taken_down": N_("profile cleared"),
    "session.ended": N_("session ended"),
    "session.refresh_token_reused": N_("refresh token used twice"),
    "sessions.all_ended": N_("all sessions ended"),
    "sessions.others_ended": N_("all other sessions ended"),
    "signing_key.rotated": N_("signing key rotated"),
    "social_account.bound": N_("WeChat identity bound"),
    "social_account.cancelled": N_("WeChat account closed"),
    "social_account.unbound": N_("WeChat identity unbound"),
    "tenant.added": N_("tenant added"),
    "tenant.changed": N_("tenant changed"),
    "user.account_changed": N_("account changed"),
    "user.added": N_("user added"),
    "user.changed": N_("user changed"),
    "user.erased": N_("user erased"),
    "user.exported": N_("user's data exported"),
    "user.merge_undone": N_("merge undone"),
    "user.merged": N_("user merged"),
    "user.password_changed": N_("password changed"),
    "user.password_set": N_("password set"),
    "users.exported": N_("users exported"),
    "users.imported": N_("users imported"),
    "visitor.erased": N_("visitor erased"),
    "visitor.exported": N_("visitor's data exported"),
    "visitors.erased": N_("inactive visitors erased"),
}


def label_of(labels: Mapping[str, str], code: object) -> str:
    """Return the translated label of a value, or the value itself if it has no label."""
    return str(gettext(labels.get(str(code), str(code))))


def filter_options(labels: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Return value and translated label pairs for a list filter, in the request's language."""
    return [(code, str(gettext(label))) for code, label in labels.items()]


def form_choices(labels: Mapping[str, str]) -> Sequence[SelectChoice]:
    """Return the choices of a form field. Labels are translated when the form is rendered."""
    return [SelectChoice(code, lazy_gettext(label)) for code, label in labels.items()]


def changes(details: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Return (name, old, new) texts of an audit event: changed values, then other details."""
    before, after = details.get("before") or {}, details.get("after") or {}
    rest = [(name, "", _text(value)) for name, value in details.items() if name not in SIDES]
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [(name, _text(before.get(name)), _text(after.get(name))) for name in names] + rest


SIDES = ("before", "after")


def _text(value: object) -> str:
    return "–" if value is None else str(value)
