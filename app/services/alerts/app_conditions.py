"""Conditions of mini-programs, and those of the platform that their failures show.

`services/failures` decides which mini-programs fail and why. Failures of the service itself are
reported to the platform, because tenants cannot correct them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from app.services.alerts.rules import Observation
from app.services.failures.causes import Kind
from app.services.failures.failing import FailingApp, find_failing

# An app without logins drops out of the list when its last failure is this old.
PERIOD = timedelta(minutes=15)
OPENS_AFTER = {
    Kind.APP: timedelta(minutes=2),
    Kind.SERVICE: timedelta(minutes=2),
    Kind.WECHAT: timedelta(minutes=5),
    Kind.SETTINGS: timedelta(minutes=5),
    Kind.CLIENT: timedelta(minutes=10),
}
# WeChat is a condition of the platform, too, if this many mini-programs do not reach it.
APPS_WITHOUT_WECHAT = 3


def observe_apps() -> Sequence[Observation]:
    """Return the conditions of all tenants' mini-programs, and of the platform."""
    failing = find_failing(PERIOD)
    of_tenants = [_of_app(one) for one in failing if one.kind != Kind.SERVICE]
    return [*of_tenants, *_of_platform(failing)]


def _of_app(one: FailingApp) -> Observation:
    facts = {
        "tenant": one.tenant_slug,
        "tenant_name": one.tenant_name,
        "app_name": one.app_name,
        "failures": one.failures,
        "logins": one.failures + one.logins,
        "why": one.why,
        "remedy": one.remedy.text,
        "values": dict(one.remedy.values),
    }
    return Observation(
        tenant_id=one.tenant_id,
        appid=one.appid,
        condition=_condition_of(one),
        since=one.first_at,
        seen_at=one.last_at,
        opens_after=OPENS_AFTER[one.kind],
        facts=facts,
    )


def _of_platform(failing: Iterable[FailingApp]) -> Iterable[Observation]:
    causes: dict[tuple[Kind, str], list[FailingApp]] = defaultdict(list)
    for one in failing:
        if one.kind in (Kind.SERVICE, Kind.WECHAT):
            causes[one.kind, _condition_of(one)].append(one)
    for (kind, condition), apps in causes.items():
        if kind == Kind.SERVICE or len({one.appid for one in apps}) >= APPS_WITHOUT_WECHAT:
            yield _summed(kind, condition, apps)


def _summed(kind: Kind, condition: str, apps: Sequence[FailingApp]) -> Observation:
    first = apps[0]
    facts = {
        "apps": len({one.appid for one in apps}),
        "failures": sum(one.failures for one in apps),
        "logins": sum(one.failures + one.logins for one in apps),
        "why": first.why,
        "remedy": first.remedy.text,
        "values": dict(first.remedy.values),
    }
    return Observation(
        tenant_id=None,
        appid=None,
        condition=condition,
        since=min(one.first_at for one in apps),
        seen_at=max(one.last_at for one in apps),
        opens_after=OPENS_AFTER[kind],
        facts=facts,
    )


def _condition_of(one: FailingApp) -> str:
    """Return the error code, followed by WeChat's errcode if there is one."""
    return one.code if one.errcode is None else f"{one.code}:{one.errcode}"
