"""Facts about a request in the log of the service in development."""

import re
from pathlib import Path

# The fields of the line that a reader of the demo sees. None of them holds a secret.
FACTS = frozenset(
    {"decision", "evidence", "registration", "failure", "cause", "errcode", "milliseconds"}
)
# The line of a request is among the newest bytes when its response arrives.
TAIL = 65_536
_RID = re.compile(r",? rid=[\w-]+")
_FIELD = re.compile(r"(\w+)=('[^']*'|\"[^\"]*\"|\S+)")


def facts_of(log: Path, request_id: str) -> dict[str, str]:
    """Return the logged facts about the request with this id, or none if there is no such line."""
    for line in reversed(_tail(log).splitlines()):
        fields = dict(_FIELD.findall(line))
        if fields.get("request_id") == request_id and "milliseconds" in fields:
            return {name: _readable(value) for name, value in fields.items() if name in FACTS}
    return {}


def _readable(value: str) -> str:
    """Return a value without quotes, WeChat's request id and a repeated name of an exception."""
    text = _RID.sub("", value.strip("'\""))
    name, _, rest = text.partition(": ")
    return name if name == rest else text


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
