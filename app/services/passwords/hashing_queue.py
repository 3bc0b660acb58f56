"""Turns for checking and setting passwords: bounded queues in three lanes.

Argon2 is slow on purpose, so a few hundred guesses keep a CPU core busy for seconds. A request
waits for one of a few turns before it takes a database connection or hashes a password. Lanes get
turns in rotation, and so do the tenants in a lane. Therefore password guesses from unknown devices
delay neither operators, nor users on known devices, nor users of other tenants.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from threading import Event, Lock
from typing import cast
from uuid import UUID

import structlog
from flask import current_app

from app.errors import PasswordsBusy
from app.metrics.definitions import PASSWORD_QUEUE_REJECTED, PASSWORD_QUEUE_WAIT_SECONDS
from app.metrics.recording import count, observe
from app.services.principals import Device

# One request hashes while another one uses the database.
TURNS = 2
DEADLINE_SECONDS = 3.0
RETRY_AFTER = 3
# The most requests that may wait in a lane: of all tenants together, and of one tenant.
MOST_IN_LANE = 128
MOST_OF_TENANT = 32

log = structlog.get_logger()


class Lane(Enum):
    """The kind of client: an operator, a user on a known device or IP address, or any other."""

    OPERATORS = "operators"
    KNOWN = "known"
    OTHERS = "others"


@dataclass(slots=True, eq=False)
class _Ticket:
    """A waiting request. `event` is set when the request gets a turn or its client disconnects."""

    device: Device | None
    event: Event = field(default_factory=Event)
    has_turn: bool = False

    def is_gone(self) -> bool:
        return self.device is not None and self.device.has_disconnected()


class _Queue:
    """The tickets of a lane, by tenant, with the tenants in rotation."""

    def __init__(self) -> None:
        self._by_tenant: OrderedDict[UUID, deque[_Ticket]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(tickets) for tickets in self._by_tenant.values())

    def is_full(self, tenant_id: UUID) -> bool:
        of_tenant = len(self._by_tenant.get(tenant_id, ()))
        return of_tenant >= MOST_OF_TENANT or len(self) >= MOST_IN_LANE

    def add(self, tenant_id: UUID, ticket: _Ticket) -> None:
        self._by_tenant.setdefault(tenant_id, deque()).append(ticket)

    def take(self) -> _Ticket | None:
        """Remove and return the oldest ticket of the tenant that has waited longest for a turn."""
        if not self._by_tenant:
            return None
        tenant_id, tickets = next(iter(self._by_tenant.items()))
        ticket = tickets.popleft()
        if tickets:
            self._by_tenant.move_to_end(tenant_id)
        else:
            del self._by_tenant[tenant_id]
        return ticket

    def remove(self, *unwanted: _Ticket) -> None:
        for tenant_id, tickets in list(self._by_tenant.items()):
            left = deque(ticket for ticket in tickets if ticket not in unwanted)
            if left:
                self._by_tenant[tenant_id] = left
            else:
                del self._by_tenant[tenant_id]

    def gone(self) -> list[_Ticket]:
        """Return the tickets of clients that have disconnected."""
        return [one for tickets in self._by_tenant.values() for one in tickets if one.is_gone()]


class HashingQueue:
    """The lanes of waiting requests in one process, and the number of free turns."""

    def __init__(self, turns: int = TURNS) -> None:
        self._free = turns
        self._lock = Lock()
        self._lanes = OrderedDict((lane, _Queue()) for lane in Lane)

    @contextmanager
    def turn(self, lane: Lane, tenant_id: UUID, device: Device | None = None) -> Iterator[None]:
        """Wait for a turn and hold the turn during the `with` block.

        Raises PasswordsBusy if the lane is full, if no turn is free within `DEADLINE_SECONDS`, or
        if the client of `device` disconnects while it waits.
        """
        began = time.monotonic()
        ticket = self._enter(lane, tenant_id, _Ticket(device))
        if not ticket.has_turn:
            ticket.event.wait(DEADLINE_SECONDS)
            self._leave_unless_admitted(lane, ticket)
        waited = time.monotonic() - began
        observe(PASSWORD_QUEUE_WAIT_SECONDS, waited, lane.value)
        if waited > 1:
            log.info("password_waited", lane=lane.value, seconds=round(waited, 1))
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._admit()

    def waiting(self, lane: Lane) -> int:
        """Return the number of requests that wait in a lane."""
        return len(self._lanes[lane])

    def _enter(self, lane: Lane, tenant_id: UUID, ticket: _Ticket) -> _Ticket:
        queue = self._lanes[lane]
        with self._lock:
            if queue.is_full(tenant_id):
                self._drop(queue, queue.gone())
            if queue.is_full(tenant_id):
                count(PASSWORD_QUEUE_REJECTED, lane.value)
                raise PasswordsBusy(f"lane {lane.value}", retry_after=RETRY_AFTER)
            queue.add(tenant_id, ticket)
            self._admit()
        return ticket

    def _leave_unless_admitted(self, lane: Lane, ticket: _Ticket) -> None:
        with self._lock:
            if ticket.has_turn:
                return
            self._lanes[lane].remove(ticket)
        count(PASSWORD_QUEUE_REJECTED, lane.value)
        raise PasswordsBusy(f"deadline in lane {lane.value}", retry_after=RETRY_AFTER)

    def _admit(self) -> None:
        """Give the free turns to waiting requests, one lane after another. Needs the lock."""
        while self._free and (ticket := self._next()) is not None:
            if ticket.is_gone():
                ticket.event.set()
                continue
            self._free -= 1
            ticket.has_turn = True
            ticket.event.set()

    def _next(self) -> _Ticket | None:
        for lane, queue in list(self._lanes.items()):
            ticket = queue.take()
            if ticket is not None:
                self._lanes.move_to_end(lane)
                return ticket
        return None

    def _drop(self, queue: _Queue, tickets: list[_Ticket]) -> None:
        queue.remove(*tickets)
        for ticket in tickets:
            ticket.event.set()


def hashing_queue() -> HashingQueue:
    """Return the hashing queue of the running Flask app."""
    return cast(HashingQueue, current_app.extensions["hashing_queue"])
