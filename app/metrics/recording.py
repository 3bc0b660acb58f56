"""Recording of events in the memory of this process.

Recording takes no lock and does no input or output. A background thread adds the events to the
exported files once per second (docs/decisions/0033). Nothing is recorded in a process that exports
no metrics.
"""

from collections import deque
from collections.abc import Sequence

from app.metrics.definitions import Counter, Histogram

# A metric, its label values, and a number of events or a duration.
Event = tuple[Counter | Histogram, tuple[str, ...], float]

# Above this bound, the oldest events are dropped. It is reached only if the thread has ended.
MOST_EVENTS = 200_000

# Appending and removing are atomic.
_events: deque[Event] = deque(maxlen=MOST_EVENTS)
_is_on = False


def count(metric: Counter, *labels: str, by: float = 1) -> None:
    """Count an event. `labels` are the values of the labels of `metric`, in their order."""
    if _is_on:
        _events.append((metric, labels, by))


def observe(metric: Histogram, seconds: float, *labels: str) -> None:
    """Record a duration in seconds."""
    if _is_on:
        _events.append((metric, labels, seconds))


def is_on() -> bool:
    """Return whether this process records events."""
    return _is_on


def switch(*, on: bool) -> None:
    """Begin or end recording in this process. Earlier events are dropped."""
    global _is_on
    _events.clear()
    _is_on = on


def take(most: int) -> Sequence[Event]:
    """Remove and return the oldest events, up to `most`."""
    return [_events.popleft() for _ in range(min(most, len(_events)))]
