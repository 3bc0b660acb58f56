"""A running service that is compared: its rows, and how to read its responses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.bench.data.people import Person
from tests.bench.data.rows import Row
from tests.bench.data.world import Service


class Kind(StrEnum):
    """What a request does. Rows of the same kind are compared."""

    CHECK = "check"
    KNOWN = "known login"
    NEW = "new login"


@dataclass(frozen=True)
class Api:
    """The responses of a service, and its tables.

    `check` is the path of a check, whose response names the user in `X-User-Id`: `user_of` returns
    it for a person. `headers_of` returns the headers of a check from the JSON of a login.
    `sessions` and `users` are tables. `users` is "" if the service stores no users.
    """

    check: str
    user_of: Callable[[Person], str]
    headers_of: Callable[[Any], Mapping[str, str]]
    sessions: str
    users: str = ""


@dataclass(frozen=True)
class ComparedService:
    """A running service, its number of processes, and the row of each kind of request."""

    name: str
    processes: int
    service: Service
    database_url: str
    api: Api
    rows: Mapping[Kind, Row]

    @property
    def label(self) -> str:
        return label_of(self.name, self.processes)


def label_of(name: str, processes: int) -> str:
    """Return the name and the number of processes of a service."""
    return f"{name}, {processes} {'process' if processes == 1 else 'processes'}"
