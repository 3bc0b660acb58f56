"""Writing what was counted: a batch every few seconds, added to the day's rows."""

import atexit
import time
from collections.abc import Mapping
from datetime import timedelta
from threading import Thread
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import ARRAY, Insert, cast, column, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.models import AnswerTime, DailyCount, WeChatApp
from app.services.counts import Answered, Happened, counts, today
from app.services.transactions import transaction

log = structlog.get_logger()

# What a process that is killed loses.
EVERY_SECONDS = 5
KEPT = timedelta(days=400)


def write_regularly(app: Flask) -> None:
    """Let every process that counts write what it has, from its first count to its exit."""

    def begin() -> None:
        Thread(target=_keep_writing, args=(app,), name="count-writing", daemon=True).start()

    app.extensions["counts"].begin_writing = begin
    atexit.register(_write_in, app)


def _keep_writing(app: Flask) -> None:
    # A greenlet begins with the log's context of the request that made it.
    structlog.contextvars.clear_contextvars()
    while True:
        time.sleep(EVERY_SECONDS)
        _write_in(app)


def _write_in(app: Flask) -> None:
    with app.app_context():
        write_counts()


def write_counts() -> None:
    """Write what this process has counted, in one transaction; never raises.

    What cannot be written is kept for the next time. Only a connection that breaks while
    Postgres commits leaves open whether it was; then it is written twice rather than never.
    """
    mine = counts()
    with mine.writing:
        happened, answered = mine.happened.gather(), mine.answered.gather()
        try:
            _write(happened, answered)
        except Exception as error:
            kept = len(happened) + len(answered)
            log.warning("counts_not_written", error=type(error).__name__, kept=kept)
            return
        mine.happened.clear()
        mine.answered.clear()


def _write(happened: Mapping[Happened, int], answered: Mapping[Answered, int]) -> None:
    if happened or answered:
        with transaction() as db:
            if happened:
                db.execute(_adding(DailyCount, happened))
            if answered:
                db.execute(_adding(AnswerTime, answered))


def _adding(model: type[DailyCount] | type[AnswerTime], sums: Mapping[Any, int]) -> Insert:
    """Make the statement that adds sums to a table's rows.

    The tenant is the app's, and an app that is gone adds nothing. All processes take the rows in
    one order, so that none waits for another that waits for it.
    """
    names = [*next(iter(sums))._fields, "count"]
    table: Any = model.__table__
    rows = [(*key, how_often) for key, how_often in sums.items()]
    arrays = [
        cast(list(values), ARRAY(table.c[name].type))
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    ]
    columns = [column(name, table.c[name].type) for name in names]
    told = func.unnest(*arrays).table_valued(*columns).render_derived(name="told")
    of_apps = select(WeChatApp.tenant_id, *told.c).join(told, told.c.appid == WeChatApp.appid)
    adding = insert(table).from_select(["tenant_id", *names], of_apps.order_by(*told.c))
    return adding.on_conflict_do_update(
        constraint=table.primary_key, set_={"count": table.c.count + adding.excluded.count}
    )


def drop_old_counts() -> None:
    """Drop every tenant's counts of days that are longer ago than `KEPT`."""
    oldest = today() - KEPT
    with transaction() as db:
        for model in (DailyCount, AnswerTime):
            db.execute(delete(model).where(model.day < oldest))
