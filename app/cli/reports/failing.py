"""Output of the command `tenants failing`."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click

from app.languages import in_both_languages
from app.services.failures.failing import FailingApp, FailureReport

PERIOD = re.compile(r"([1-9][0-9]{0,3})([mhd])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
HEADER = ("tenant", "app", "since", "failed", "code", "why", "what_to_do")


def validate_period(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    """Return the period, or raise BadParameter if it is malformed or longer than a day."""
    match = PERIOD.fullmatch(value)
    period = int(match[1]) * UNITS[match[2]] if match else timedelta()
    if not timedelta() < period <= timedelta(days=1):
        raise click.BadParameter(
            "use minutes, hours or a day, up to 24 hours, for example 10m, 2h or 1d. "
            "请使用分钟、小时或天，最长 24 小时，例如 10m、2h、1d。"
        )
    return period


def rows_of(report: FailureReport) -> Iterator[tuple[object, ...]]:
    """Yield the output rows: a table of the failing apps, then sentences about the period."""
    if report.failing:
        yield HEADER
    for one in report.failing:
        yield _row(one)
    if not report.failing:
        yield ("Nothing fails. 没有故障。",)
    for one in report.recovered:
        yield (_recovered(one),)
    if more := report.left_out:
        yield (f"{more} more causes were not examined. 另有 {more} 个原因未分析。",)
    yield (_summary(report),)


def _row(one: FailingApp) -> tuple[object, ...]:
    failed = f"{one.failures} of {one.failures + one.logins} ({one.share:.0%})"
    remedy = in_both_languages(one.remedy.text, parameters=one.remedy.values)
    why = in_both_languages(one.why)
    return one.tenant_slug, one.appid, _time(one.first_at), failed, _code(one), why, remedy


def _recovered(one: FailingApp) -> str:
    since, until, code = _time(one.first_at), _time(one.last_at), _code(one)
    return (
        f"Works again: {one.tenant_slug} {one.appid}, failed from {since} to {until}: {code}. "
        f"已恢复：{one.tenant_slug} {one.appid}，{since} 至 {until} 期间失败，原因 {code}。"
    )


def _code(one: FailingApp) -> str:
    return one.code if one.errcode is None else f"{one.code} {one.errcode}"


def _summary(report: FailureReport) -> str:
    since, failed = _time(report.since), sum(report.failures.values())
    if not report.logins and not failed:
        return (
            f"No logins were seen since {since}, not even failed ones. "
            f"自 {since} 以来没有任何登录，包括失败的。"
        )
    causes = ", ".join(f"{code} {number}" for code, number in report.failures.items())
    listed = f" ({causes})" if causes else ""
    return (
        f"Since {since}: {report.logins} logins, {failed} failed{listed}. "
        f"自 {since} 以来：登录成功 {report.logins} 次，失败 {failed} 次。"
    )


def _time(moment: datetime) -> str:
    """Return a time in UTC, to the minute."""
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def json_of(report: FailureReport) -> str:
    """Return the report as a JSON object. Texts are in both languages."""
    told = {
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "logins": report.logins,
        "failures": report.failures,
        "failing": [_fields(one) for one in report.failing],
        "recovered": [_fields(one) for one in report.recovered],
        "left_out": report.left_out,
    }
    return json.dumps(told, ensure_ascii=False, indent=2)


def _fields(one: FailingApp) -> dict[str, Any]:
    return {
        "tenant": one.tenant_slug,
        "appid": one.appid,
        "app_name": one.app_name,
        "code": one.code,
        "errcode": one.errcode,
        "kind": one.kind.value,
        "failures": one.failures,
        "logins": one.logins,
        "share": one.share,
        "first_at": one.first_at.isoformat(),
        "last_at": one.last_at.isoformat(),
        "why": in_both_languages(one.why),
        "remedy": in_both_languages(one.remedy.text, parameters=one.remedy.values),
    }
