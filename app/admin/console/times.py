"""Times as pages show them: relative to now, and exact in the time zone of the page."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask
from flask_babel import format_timedelta

from app.clock import now

# The time zone of every tenant. WeChat's consoles use it, too.
TIME_ZONE = ZoneInfo("Asia/Shanghai")
# An older time is shown as a date.
LONGEST_RELATIVE = timedelta(days=30)
# Babel writes "2分钟前". The other texts of the console have a space there.
DIGIT_BEFORE_CHINESE = re.compile(r"\d(?=[\u4e00-\u9fff])")


def init_app(app: Flask) -> None:
    """Register the template filters for times."""
    for one in (moment, exact_time, relative_time, local_time):
        app.add_template_filter(one)


def time_zone() -> ZoneInfo:
    """Return the time zone in which the page of this request shows times."""
    return TIME_ZONE


def local_time(when: datetime) -> datetime:
    """Return a time in the time zone of the page."""
    return when.astimezone(time_zone())


def exact_time(when: datetime) -> str:
    """Format a time with seconds and time zone, such as `2026-01-02 11:04:05 (Asia/Shanghai)`."""
    return f"{local_time(when):%Y-%m-%d %H:%M:%S} ({time_zone().key})"


def relative_time(when: datetime) -> str:
    """Format a time relative to now, or as a date if it is more than 30 days ago."""
    difference = when - now()
    if abs(difference) > LONGEST_RELATIVE:
        return f"{local_time(when):%Y-%m-%d}"
    text = str(format_timedelta(difference, add_direction=True, granularity="second"))
    return DIGIT_BEFORE_CHINESE.sub(r"\g<0> ", text)


def moment(when: datetime | None) -> str:
    """Format a time with minutes, or a dash for None."""
    return f"{local_time(when):%Y-%m-%d %H:%M}" if when else "–"
