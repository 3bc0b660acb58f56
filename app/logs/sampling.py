"""Random choice of a share of requests, the same one for all requests of a trace."""

from hashlib import blake2b
from random import random


class Sampling:
    """Chooses a share of requests: `rate` is 0 to 1.

    Requests of a trace are all chosen or all left out. Clients choose the ids of traces, so the
    choice depends on a secret key: otherwise a client could choose an id that is never logged, or
    always traced. Processes with the same key choose the same traces.
    """

    def __init__(self, rate: float, key: bytes) -> None:
        self.rate = rate
        self.is_on = rate < 1
        self._below = int(rate * 2**64)
        self._key = blake2b(key, person=b"sampling").digest()

    def includes(self, trace_id: str | None) -> bool:
        """Return whether a request is chosen. `trace_id` is None for a request without a trace."""
        if trace_id is None:
            return random() < self.rate  # noqa: S311 - decides about a log line, not a secret
        digest = blake2b(trace_id.encode(), key=self._key, digest_size=8).digest()
        return int.from_bytes(digest) < self._below
