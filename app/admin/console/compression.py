"""Compression of console pages that the console or the operator requested.

The response to a request from another site is not compressed: the length of a compressed response
that contains a secret and text from the request reveals the secret (BREACH).
"""

import gzip

from flask import Response, request

SHORTEST = 1024
LEVEL = 5
# Values of Sec-Fetch-Site for requests from the console and for URLs typed by the user.
OUR_SITES = ("same-origin", "none")


def compress(response: Response) -> Response:
    """Compress an HTML response if the browser accepts gzip and the request is from our site."""
    if response.mimetype == "text/html" and not response.is_streamed and _may_compress():
        content = response.get_data()
        response.headers.add("Vary", "Accept-Encoding, Sec-Fetch-Site")
        if len(content) >= SHORTEST:
            response.set_data(gzip.compress(content, LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
    return response


def _may_compress() -> bool:
    accepted = request.accept_encodings.find("gzip") >= 0
    return accepted and request.headers.get("Sec-Fetch-Site") in OUR_SITES
