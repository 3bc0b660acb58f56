"""The texts of messages, in the language of a channel."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from flask import current_app
from flask_babel import force_locale, gettext

from app.i18n_marker import N_
from app.models import Alert
from app.services.alerts.rules import Notice

SHANGHAI = timezone(timedelta(hours=8))
# The conditions that a message describes. It only counts further ones.
MOST_DESCRIBED = 8
# The alerts in the data of a message for webhooks.
MOST_LISTED = 100
PLACEHOLDER = re.compile(r"\{(\w+)\}")
# Every message contains this word, which a DingTalk robot can require.
KEYWORD = "[wxpass]"

SUBJECTS = {
    Notice.PROBLEM: N_("Problem: {where}: {why}"),
    Notice.REPEATED: N_("Still a problem: {where}: {why}"),
    Notice.RECOVERED: N_("Recovered: {where}: {why}"),
}
SEVERAL = N_("{problems} problems, {recovered} recovered: {where}")
PLATFORM = N_("Platform")
SINCE = N_("Since {since}.")
UNTIL = N_("From {since} to {until}.")
FAILED = N_("{failures} of {logins} logins failed.")
AFFECTED = N_("{apps} mini-programs are affected.")
REMEDY = N_("What to do: {remedy}")
MORE = N_("And {count} more. See the list of alerts.")
TEST_SUBJECT = N_("Test message")
TEST_TEXT = N_("Alerts of {where} are sent to this channel.")


@dataclass(frozen=True, slots=True)
class Told:
    """An alert and the kind of its message."""

    alert: Alert
    notice: Notice


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of a message, and its machine-readable content for webhooks."""

    subject: str
    body: str
    data: Mapping[str, Any]


def word_alerts(told: Sequence[Told], language: str) -> Wording:
    """Return the message about one or several alerts of a tenant, or of the platform."""
    with force_locale(language):
        described = [_describe(one, language) for one in told[:MOST_DESCRIBED]]
        if len(told) > MOST_DESCRIBED:
            described.append(_(MORE, count=str(len(told) - MOST_DESCRIBED)))
        if link := console_link(_slug_of(told[0].alert)):
            described.append(link)
        data = {"alerts": [_data_of(one) for one in told[:MOST_LISTED]]}
        return Wording(f"{KEYWORD} {_subject(told)}", "\n\n".join(described), data)


def word_test(slug: str | None, language: str) -> Wording:
    """Return a test message."""
    with force_locale(language):
        body = _(TEST_TEXT, where=slug or _(PLATFORM))
        lines = [body, *filter(None, [console_link(slug)])]
        return Wording(f"{KEYWORD} {_(TEST_SUBJECT)}", "\n".join(lines), {"alerts": []})


def why_of(alert: Alert) -> str:
    """Return the reason of an alert in the language of the context."""
    return _(alert.facts["why"], **alert.facts["values"])


def remedy_of(alert: Alert) -> str:
    """Return the remedy of an alert in the language of the context."""
    return _(alert.facts["remedy"], **alert.facts["values"])


def console_link(slug: str | None) -> str | None:
    """Return the address of the page of alerts, or None if WXPASS_PUBLIC_URL is not set."""
    base = current_app.config["WXPASS_PUBLIC_URL"]
    if base is None:
        return None
    return f"{base}/console/t/{slug}/alerts/" if slug else f"{base}/console/platform-alerts/"


def _(text: str, /, **values: str) -> str:
    """Return a text in the language of the context. Values are not searched for placeholders."""
    translated = str(gettext(text))
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), translated)


def _slug_of(alert: Alert) -> str | None:
    return alert.facts.get("tenant")


def _subject(told: Sequence[Told]) -> str:
    if len(told) == 1:
        (one,) = told
        return _(SUBJECTS[one.notice], where=_where(one.alert), why=why_of(one.alert))
    recovered = sum(one.notice == Notice.RECOVERED for one in told)
    counts = {"problems": str(len(told) - recovered), "recovered": str(recovered)}
    return _(SEVERAL, where=_slug_of(told[0].alert) or _(PLATFORM), **counts)


def _where(alert: Alert) -> str:
    if alert.tenant_id is None:
        return _(PLATFORM)
    return f"{alert.facts['tenant']} / {alert.facts['app_name']} ({alert.appid})"


def _describe(one: Told, language: str) -> str:
    alert, facts = one.alert, one.alert.facts
    subject = SUBJECTS[one.notice]
    lines = [_(subject, where=_where(alert), why=why_of(alert)), _period(one, language)]
    if "logins" in facts:
        counts = {"failures": str(facts["failures"]), "logins": str(facts["logins"])}
        lines.append(_(FAILED, **counts))
    if "apps" in facts:
        lines.append(_(AFFECTED, apps=str(facts["apps"])))
    if one.notice != Notice.RECOVERED:
        lines.append(_(REMEDY, remedy=remedy_of(alert)))
    return "\n".join(lines)


def _period(one: Told, language: str) -> str:
    since = _moment(one.alert.since, language)
    if one.notice == Notice.RECOVERED:
        return _(UNTIL, since=since, until=_moment(one.alert.seen_at, language))
    return _(SINCE, since=since)


def _moment(moment: datetime, language: str) -> str:
    if language == "zh":
        return f"北京时间 {moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _data_of(one: Told) -> dict[str, Any]:
    alert = one.alert
    return {
        "state": one.notice.value,
        "tenant": _slug_of(alert),
        "appid": alert.appid,
        "condition": alert.condition,
        "since": alert.since.isoformat(),
        "why": why_of(alert),
        "remedy": remedy_of(alert),
    }
