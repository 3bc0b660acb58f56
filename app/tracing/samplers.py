"""Samplers: which traces are recorded.

Clients choose the ids and the sampled flag of the traces that they begin. Only the samplers
`parentbased_...` follow their flag. The others decide themselves: neither flag nor id of a caller
makes a trace more or less likely to be recorded.
"""

from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)

from app.logs.sampling import Sampling
from config.tracing_readers import Tracing


class KeyedRatio(Sampler):
    """Records a share of all traces. OpenTelemetry's sampler would decide by the id alone."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling

    def should_sample(
        self, parent_context: Context | None, trace_id: int, *_: Any, **__: Any
    ) -> SamplingResult:
        """Decide by the trace id and our key."""
        is_recorded = self._sampling.includes(f"{trace_id:032x}")
        return SamplingResult(Decision.RECORD_AND_SAMPLE if is_recorded else Decision.DROP)

    def get_description(self) -> str:
        """Return the name of the sampler."""
        return f"KeyedRatio{{{self._sampling.rate}}}"


def new_sampler(settings: Tracing, key: bytes) -> Sampler:
    """Return the sampler of the settings. Spans inside a request follow the request."""
    roots: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": KeyedRatio(Sampling(settings.ratio, key)),
    }
    root = roots[settings.sampler]
    if settings.follows_parent:
        return ParentBased(root)
    return ParentBased(root, remote_parent_sampled=root, remote_parent_not_sampled=root)
