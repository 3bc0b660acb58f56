"""The Locust file. It imports no module of this project, which Locust may not find."""

import secrets
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import chain, count, cycle, repeat
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task  # type: ignore[import-not-found]

OUT_OF_REQUESTS = "GET\t/bare/ran-out-of-requests\t\t"
RUN = secrets.token_hex(4)

numbers = count()
lines: Iterator[str] = repeat(OUT_OF_REQUESTS)


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Add the options of load.lua to Locust's command line."""
    parser.add_argument("--feed")
    parser.add_argument("--mode", default="")


@events.init.add_listener
def read_feed(environment: Any, **_: object) -> None:
    """Read the feed. In the mode `once`, further requests after its last line fail."""
    global lines
    read = Path(environment.parsed_options.feed).read_text().splitlines()
    once = environment.parsed_options.mode == "once"
    lines = chain(read, repeat(OUT_OF_REQUESTS)) if once else cycle(read)


class Sender(FastHttpUser):  # type: ignore[misc]
    """A connection that sends requests without pause."""

    @task
    def send(self) -> None:
        """Send the next request of the feed."""
        method, path, token, body, *others = next(lines).split("\t")
        unique = f"{RUN}-{next(numbers)}"
        path, body = path.replace("@", unique), body.replace("@", unique)
        headers = dict(other.split(": ", 1) for other in others)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body:
            headers["Content-Type"] = "application/json"
        self.client.request(method, path, name="all", headers=headers, data=body or None)
