"""The header `traceparent` of W3C Trace Context, and the ids of traces in the log.

The header only names a trace. Any client may send it, and it grants nothing. `tracestate` and
`baggage` are ignored, because clients choose their text.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

HEADER = "HTTP_TRACEPARENT"
# The key in the WSGI environment of the ids that `app/tracing` gives a request.
OWN_IDS = "wxpass.trace_ids"
LONGEST = 256
# Version ff and ids of zeros are invalid. Version 00 has four fields. Later versions may have more.
TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    r"-(?!0{16})(?P<span_id>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-[!-~]*)?"
)
SAMPLED = 0x01


class TraceParent(NamedTuple):
    """The caller's trace and span, as hexadecimal text, and whether the caller records it."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parse_traceparent(text: str) -> TraceParent | None:
    """Return the trace that a header names, or None if the header is malformed.

    Two headers, which the server joins with a comma, are malformed too.
    """
    found = TRACEPARENT.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or (found["version"] == "00" and found["more"] is not None):
        return None
    is_sampled = bool(int(found["flags"], 16) & SAMPLED)
    return TraceParent(found["trace_id"], found["span_id"], is_sampled)


def find_traceparent(environ: Mapping[str, Any]) -> TraceParent | None:
    """Return the trace that a request names, or None."""
    text: str | None = environ.get(HEADER)
    return None if text is None else parse_traceparent(text)


def trace_ids(environ: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the ids of a request's trace for the log, or an empty mapping.

    With tracing, these are the trace and our span. Without it, they are the trace and the span that
    the caller has sent.
    """
    own: Mapping[str, str] | None = environ.get(OWN_IDS)
    if own is not None:
        return own
    parent = find_traceparent(environ)
    return {} if parent is None else {"trace_id": parent.trace_id, "parent_id": parent.span_id}
