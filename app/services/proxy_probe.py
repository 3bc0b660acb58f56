"""Signed questions about what the service sees of a request behind the proxies.

`flask doctor` sends one to `/healthz`. Only a caller that knows the pepper gets an answer, because
the answer shows the address of a proxy that is not trusted. The question contains the time, so a
recorded one expires.
"""

import hmac
from contextlib import suppress

from app.clock import now
from app.keyring import keyring

VALID_SECONDS = 120


def new_question() -> str:
    """Return a question that is valid for `VALID_SECONDS`."""
    return _signed(int(now().timestamp()))


def is_valid_question(question: str) -> bool:
    """Return whether a caller that knows the pepper has made the question recently."""
    with suppress(ValueError, OverflowError):
        seconds = int(question.partition(".")[0])
        is_recent = abs(now().timestamp() - seconds) < VALID_SECONDS
        return is_recent and hmac.compare_digest(question.encode(), _signed(seconds).encode())
    return False


def _signed(seconds: int) -> str:
    return f"{seconds}.{keyring().blind_index(str(seconds), 'proxy_probe').hex()}"
