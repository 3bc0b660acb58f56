"""The queue for password checks: lanes, tenants, bounds, deadline and disconnected clients."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.errors import PasswordsBusy
from app.services.passwords import hashing_queue
from app.services.passwords.hashing_queue import MOST_OF_TENANT, HashingQueue, Lane
from app.services.principals import Device
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Reader, enter_user, failure
from tests.fixtures.waiting import until

ACME, GLOBEX = UUID(int=1), UUID(int=2)
HERE = Device("phone", "192.0.2.1")
GONE = Device("phone", "192.0.2.1", lambda: True)


@pytest.fixture
def queue() -> HashingQueue:
    return HashingQueue(turns=1)


@pytest.fixture
def held(queue: HashingQueue) -> Iterator[ExitStack]:
    """Hold the only turn of the queue until the returned stack is closed."""
    with ExitStack() as stack:
        stack.enter_context(queue.turn(Lane.OPERATORS, ACME))
        yield stack


@pytest.fixture
def served() -> list[tuple[Lane, UUID]]:
    """Return the list of lane and tenant of each request that `wait` gave a turn, in order."""
    return []


Wait = Callable[..., Future[None]]


@pytest.fixture
def wait(queue: HashingQueue, served: list[tuple[Lane, UUID]]) -> Iterator[Wait]:
    """Return a function that starts a request in a thread and returns once it waits for a turn."""

    def take_turn(lane: Lane, tenant: UUID, device: Device) -> None:
        with queue.turn(lane, tenant, device):
            served.append((lane, tenant))

    with ThreadPoolExecutor(200) as pool:

        def start(lane: Lane, tenant: UUID = ACME, device: Device = HERE) -> Future[None]:
            before = queue.waiting(lane)
            started = pool.submit(take_turn, lane, tenant, device)
            until(lambda: queue.waiting(lane) != before or started.done())
            return started

        yield start


def test_lanes_of_the_hashing_queue_get_turns_in_rotation(
    held: ExitStack, wait: Wait, served: list[tuple[Lane, UUID]]
) -> None:
    waiting = [wait(Lane.OTHERS) for _ in range(4)]
    waiting += [wait(Lane.KNOWN), wait(Lane.OPERATORS)]
    held.close()
    for one in waiting:
        one.result(10)
    assert {lane for lane, _ in served[:3]} == set(Lane)


def test_tenants_in_one_lane_of_the_hashing_queue_get_turns_in_rotation(
    held: ExitStack, wait: Wait, served: list[tuple[Lane, UUID]]
) -> None:
    waiting = [wait(Lane.OTHERS, ACME) for _ in range(5)] + [wait(Lane.OTHERS, GLOBEX)]
    held.close()
    for one in waiting:
        one.result(10)
    assert GLOBEX in [tenant for _, tenant in served[:2]]


def test_tenant_with_too_many_waiting_requests_is_refused_and_other_tenants_are_not(
    held: ExitStack, wait: Wait
) -> None:
    waiting = [wait(Lane.OTHERS) for _ in range(MOST_OF_TENANT)]
    with pytest.raises(PasswordsBusy) as refused:
        wait(Lane.OTHERS).result(10)
    assert refused.value.retry_after == 3
    others = [wait(Lane.OTHERS, GLOBEX), wait(Lane.KNOWN)]
    held.close()
    for one in [*waiting, *others]:
        one.result(10)


def test_request_that_gets_no_turn_before_the_deadline_is_refused(
    queue: HashingQueue, held: ExitStack, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_queue, "DEADLINE_SECONDS", 0.05)
    with pytest.raises(PasswordsBusy):
        wait(Lane.OTHERS).result(10)
    assert queue.waiting(Lane.OTHERS) == 0
    held.close()
    wait(Lane.OTHERS).result(10)


def test_request_of_a_disconnected_client_gets_no_turn(
    held: ExitStack, wait: Wait, served: list[tuple[Lane, UUID]]
) -> None:
    gone, here = wait(Lane.OTHERS, ACME, GONE), wait(Lane.OTHERS, ACME)
    held.close()
    here.result(10)
    with pytest.raises(PasswordsBusy):
        gone.result(10)
    assert served == [(Lane.OTHERS, ACME)]


def test_full_queue_drops_requests_of_disconnected_clients_for_a_new_request(
    held: ExitStack, wait: Wait
) -> None:
    gone = [wait(Lane.OTHERS, ACME, GONE) for _ in range(MOST_OF_TENANT)]
    here = wait(Lane.OTHERS, ACME)
    for one in gone:
        with pytest.raises(PasswordsBusy):
            one.result(10)
    held.close()
    here.result(10)


def test_turn_is_free_again_after_an_exception(queue: HashingQueue) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), queue.turn(Lane.KNOWN, ACME):
            raise ZeroDivisionError
    with queue.turn(Lane.KNOWN, ACME):
        assert queue.waiting(Lane.KNOWN) == 0


@pytest.mark.usefixtures("app")
def test_password_login_without_a_turn_gets_503_and_counts_no_attempt(
    app: Flask, client: Client, rows: Reader, monkeypatch: Any
) -> None:
    monkeypatch.setattr(hashing_queue, "DEADLINE_SECONDS", 0.05)
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    queue = app.extensions["hashing_queue"]
    with ExitStack() as held:
        for _ in range(hashing_queue.TURNS):
            held.enter_context(queue.turn(Lane.OPERATORS, ACME))
        refused = client.post("password-login", account="alice", password=GOOD_PASSWORD)
        assert failure(refused) == (503, "passwords_busy")
        assert refused.headers["Retry-After"] == "3"
    assert rows.count("password_tries") == 0
    assert client.post("password-login", account="alice", password=GOOD_PASSWORD).status_code == 200


def test_user_on_a_known_device_or_ip_address_waits_in_the_lane_of_known_devices(
    app: Flask, client: Client, monkeypatch: Any
) -> None:
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    lanes: list[Lane] = []
    queue = app.extensions["hashing_queue"]
    turn = queue.turn
    monkeypatch.setattr(queue, "turn", lambda lane, *rest: lanes.append(lane) or turn(lane, *rest))

    def log_in(agent: str, address: str) -> None:
        answer = client.send(
            "POST",
            "/v1/apps/wxaaaa000000000001/password-login",
            json={"account": "alice", "password": GOOD_PASSWORD},
            headers={"User-Agent": agent},
            environ_base={"REMOTE_ADDR": address},
        )
        assert answer.status_code == 200

    log_in("phone", "192.0.2.1")
    log_in("phone", "198.51.100.1")
    log_in("tablet", "198.51.100.1")
    log_in("laptop", "203.0.113.1")
    assert lanes == [Lane.OTHERS, Lane.KNOWN, Lane.KNOWN, Lane.OTHERS]
