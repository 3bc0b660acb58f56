"""What the service sees of a request that came through the proxies, for `flask doctor`.

`/healthz` tells it to those who know the pepper: the addresses of proxies are nobody else's
business. The question contains the time, so a recorded one is of no use later.
"""

import hmac
import json
from contextlib import suppress

from flask import Response, request

from app.clock import now
from app.keyring import keyring

QUESTION, ANSWER = "X-Wxpass-Doctor", "X-Wxpass-Seen"
VALID_SECONDS = 120


def new_question() -> str:
    """Return the value of the header QUESTION."""
    return _signed(int(now().timestamp()))


def add_answer(response: Response) -> Response:
    """Add the client address, scheme and host of the request if a valid question asks for them."""
    if _is_valid(request.headers.get(QUESTION, "")):
        seen = {"address": request.remote_addr, "scheme": request.scheme, "host": request.host}
        response.headers[ANSWER] = json.dumps(seen)
    return response


def _signed(seconds: int) -> str:
    return f"{seconds}.{keyring().blind_index(str(seconds), 'proxy_probe').hex()}"


def _is_valid(question: str) -> bool:
    with suppress(ValueError, OverflowError):
        seconds = int(question.partition(".")[0])
        is_recent = abs(now().timestamp() - seconds) < VALID_SECONDS
        return is_recent and hmac.compare_digest(question.encode(), _signed(seconds).encode())
    return False
