"""Which apps fail, since when, why, and what to do.

The counts are written every five seconds, so the last seconds may be missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.clock import now
from app.models import NO_ERRCODE
from app.services.database.tenant_reads import read_tenant_ids
from app.services.database.transactions import transaction
from app.services.failures.causes import Cause, Kind, Remedy, fill, find_cause
from app.services.failures.reads import (
    CauseKey,
    MinuteOfCause,
    Names,
    read_failures,
    read_logins,
    read_names,
    sum_failures,
    sum_logins,
)
from app.services.failures.rule import THRESHOLDS, Minute, Run, find_run
from app.services.metrics.counts import minute_of, oldest_minute

# The causes that are examined, the most serious first. More would take too long to read.
MOST_CAUSES = 200
# A check reads few minutes of each cause.
MOST_CHECKED = 5000

# The number of failures by cause, with the description of the cause.
Failures = Mapping[CauseKey, tuple[int, Cause]]


@dataclass(frozen=True, slots=True)
class FailingApp:
    """An app that fails for one cause.

    `failures` and `logins` count the current run of failures in the period that was asked for.
    `first_at` is the minute in which the run began, which may be earlier, and `last_at` the minute
    of the last failure. `why` is a msgid. `minutes` are those of the period with failures of this
    cause or with logins.
    """

    tenant_id: UUID
    tenant_slug: str
    tenant_name: str
    appid: str
    app_name: str
    code: str
    errcode: int | None
    kind: Kind
    failures: int
    logins: int
    first_at: datetime
    last_at: datetime
    why: str
    remedy: Remedy
    minutes: Sequence[Minute] = field(repr=False, default=())

    @property
    def share(self) -> float:
        """The share of failed logins, from 0 to 1."""
        return self.failures / (self.failures + self.logins)


@dataclass(frozen=True, slots=True)
class FailureReport:
    """The failing apps of a period, the most serious causes first.

    `recovered` lists apps that failed in the period and have worked for some minutes. `logins` is
    the number of all logins, and `failures` the number of all failures of logins by error code.
    `left_out` is the number of causes that were not examined.
    """

    since: datetime
    until: datetime
    logins: int
    failures: Mapping[str, int]
    failing: Sequence[FailingApp]
    recovered: Sequence[FailingApp]
    left_out: int


def find_failing(since: timedelta, tenant_id: UUID | None = None) -> Sequence[FailingApp]:
    """Return the apps of a tenant, or of all tenants, that fail now and failed within `since`.

    For a check that runs each minute: more causes are examined than in a report, but no earlier
    minute is read, so `first_at` lies within `since`.
    """
    moment = now()
    first = _first_minute(since, moment)
    with transaction() as db:
        failures = _read_failures(db, _tenants(db, tenant_id), first)
        examined = _candidates(failures)[:MOST_CHECKED]
        found = _examine(db, failures, examined, (first, first), moment)
    return [app for app, is_over in found if not is_over]


def report_failures(db: Session, since: timedelta, tenant_id: UUID | None = None) -> FailureReport:
    """Return the failing apps of a tenant, or of all tenants, in the last `since`, up to a day.

    At most `MOST_CAUSES` causes are examined. Earlier minutes of the day are also read, to find the
    beginning of runs that began before the period.
    """
    moment = now()
    first, tenants = _first_minute(since, moment), _tenants(db, tenant_id)
    failures = _read_failures(db, tenants, first)
    candidates = _candidates(failures)
    examined = candidates[:MOST_CAUSES]
    found = _examine(db, failures, examined, (oldest_minute(), first), moment)
    return FailureReport(
        first,
        moment,
        sum_logins(db, tenants, first),
        _by_code(failures),
        [app for app, is_over in found if not is_over],
        [app for app, is_over in found if is_over],
        len(candidates) - len(examined),
    )


def _first_minute(since: timedelta, moment: datetime) -> datetime:
    return max(minute_of(moment - since), oldest_minute())


def _tenants(db: Session, tenant_id: UUID | None) -> Sequence[UUID]:
    return read_tenant_ids(db) if tenant_id is None else [tenant_id]


def _read_failures(db: Session, tenants: Sequence[UUID], first: datetime) -> Failures:
    """Return the failures since a minute, without causes that fail no login."""
    sums = sum_failures(db, tenants, first)
    causes = ((one, find_cause(one.code, one.errcode)) for one in sums)
    return {one: (sums[one], cause) for one, cause in causes if cause is not None}


def _by_code(failures: Failures) -> Mapping[str, int]:
    by_code: Counter[str] = Counter()
    for one, (number, _) in failures.items():
        by_code[one.code] += number
    return dict(by_code.most_common())


def _candidates(failures: Failures) -> Sequence[CauseKey]:
    """Return the causes with enough failures, the most serious first."""
    enough = [
        (_rank(cause.kind), -number, one)
        for one, (number, cause) in failures.items()
        if number >= THRESHOLDS[cause.kind].least
    ]
    return [one for _, _, one in sorted(enough)]


def _rank(kind: Kind) -> int:
    return list(Kind).index(kind)


def _examine(
    db: Session,
    causes: Failures,
    examined: Sequence[CauseKey],
    bounds: tuple[datetime, datetime],
    moment: datetime,
) -> Sequence[tuple[FailingApp, bool]]:
    """Return the examined causes that count as failing, and whether they are over.

    `bounds` are the first minute that is read, and the first minute of the period.
    """
    if not examined:
        return []
    (oldest, first), apps = bounds, [one.app for one in examined]
    failures = read_failures(db, examined, oldest)
    logins = read_logins(db, apps, oldest)
    names = read_names(db, apps)
    found = []
    for one in examined:
        _, cause = causes[one]
        minutes = _minutes(failures[one], logins[one.app])
        run = find_run(minutes, cause.kind, first, moment)
        if run is not None and one.app in names:
            our_ip = next((at.our_ip for at in reversed(failures[one]) if at.our_ip), None)
            told = _failing(one, cause, names[one.app], run, our_ip)
            in_period = [at for at in minutes if at.minute >= first]
            found.append((replace(told, minutes=in_period), run.is_over))
    return sorted(found, key=lambda pair: (_rank(pair[0].kind), -pair[0].failures))


def _minutes(failures: Sequence[MinuteOfCause], logins: Mapping[datetime, int]) -> list[Minute]:
    by_minute = {at.minute: at.failures for at in failures}
    wanted = sorted(by_minute.keys() | logins.keys())
    return [Minute(one, by_minute.get(one, 0), logins.get(one, 0)) for one in wanted]


def _failing(one: CauseKey, cause: Cause, names: Names, run: Run, our_ip: str | None) -> FailingApp:
    errcode = None if one.errcode == NO_ERRCODE else one.errcode
    return FailingApp(
        one.tenant_id,
        names.tenant_slug,
        names.tenant_name,
        one.appid,
        names.app_name,
        one.code,
        errcode,
        cause.kind,
        run.failures,
        run.logins,
        run.first_at,
        run.last_at,
        cause.why,
        fill(cause, errcode, our_ip),
    )
