"""Retention runs: delete or count the rows that are due, kind by kind.

Simultaneous runs share the work: rows that another run has locked are skipped.
"""

from collections.abc import Iterator

from app.extensions import Model
from app.services.metrics.old_counts import count_old_counts, drop_old_counts
from app.services.retention.batches import AT_ONCE, count_due, remove_due, tenants_with_old_rows
from app.services.retention.closed_accounts import count_closed_accounts, erase_closed_accounts
from app.services.retention.failures import Failures
from app.services.retention.rules import RULES, Due, read_periods

# The key under which a run yields the number of its failed steps.
FAILED = "failed"


def run_retention(*, dry_run: bool = False) -> Iterator[tuple[str, int]]:
    """Delete rows that are due, or count them in a dry run. Yield each kind and its number of rows.

    A failed step is logged and retried by the next run. It does not stop the other steps. The
    number of failed steps is yielded last, as FAILED.
    """
    failures = Failures()
    for kind, counts in _kinds(dry_run, failures):
        yield kind, failures.attempt(kind, "", counts)
    yield FAILED, failures.count


def _kinds(dry_run: bool, failures: Failures) -> Iterator[tuple[str, Iterator[int]]]:
    """Yield each kind with an iterator that does the work and yields numbers of rows."""
    closed = count_closed_accounts() if dry_run else erase_closed_accounts(failures)
    yield "closed_accounts", closed
    periods = read_periods()
    work = _counting if dry_run else _removing
    for kind, (table, rule) in RULES.items():
        yield kind, (work(kind, table, due, failures) for due in rule(periods))
    yield "counts", count_old_counts() if dry_run else drop_old_counts(AT_ONCE)


def _counting(kind: str, table: type[Model], due: Due, failures: Failures) -> int:
    return failures.attempt(kind, table.__tablename__, count_due(table, due))


def _removing(kind: str, table: type[Model], due: Due, failures: Failures) -> int:
    """Delete the due rows of one tenant after another. Return their number."""
    done = 0
    for tenant_id in tenants_with_old_rows(table, due):
        about = table.__tablename__ if tenant_id is None else f"tenant {tenant_id}"
        done += failures.attempt(kind, about, remove_due(table, due, tenant_id))
    return done
