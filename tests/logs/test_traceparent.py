"""The header `traceparent`: strict parsing, and the ids in the log."""

import pytest

from app.logs.traceparent import HEADER, OWN_IDS, TraceParent, parse_traceparent, trace_ids

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (VALID, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        # Later versions may have more fields.
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"fe-{TRACE}-{SPAN}-01-more-fields", True),
    ],
)
def test_a_valid_header_names_trace_span_and_flag(text: str, is_sampled: bool) -> None:
    assert parse_traceparent(text) == TraceParent(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        TRACE,
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}g-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f" {VALID}",
        f"{VALID} ",
        f"{VALID}\n",
        f"{VALID},{VALID}",
        f"00_{TRACE}_{SPAN}_01",
        f"01-{TRACE}-{SPAN}-01-{'x' * 300}",
        f"01-{TRACE}-{SPAN}-01-\x00",
        f"00-{'١' * 32}-{SPAN}-01",
    ],
)
def test_a_malformed_header_is_ignored(text: str) -> None:
    assert parse_traceparent(text) is None
    assert trace_ids({HEADER: text}) == {}


def test_the_log_has_the_ids_of_the_caller_or_those_of_our_own_span() -> None:
    assert trace_ids({}) == {}
    assert trace_ids({HEADER: VALID}) == {"trace_id": TRACE, "parent_id": SPAN}
    own = {"trace_id": TRACE, "span_id": "1" * 16}
    assert trace_ids({HEADER: VALID, OWN_IDS: own}) == own
