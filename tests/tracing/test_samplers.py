"""Samplers: what a caller's flag and id decide."""

import pytest
from flask import Flask

from app.logs.sampling import Sampling
from app.tracing.samplers import new_sampler
from config.tracing_readers import Tracing
from tests.fixtures.personas import Client, Person
from tests.tracing.conftest import KEY, Recorded, ids_of, record_into

PARENT = "00f067aa0ba902b7"


def record_with(app: Flask, recorded: Recorded, sampler: str, ratio: float = 1.0) -> None:
    root = sampler.removeprefix("parentbased_")
    settings = Tracing(root, ratio, follows_parent=root != sampler)  # type: ignore[arg-type]
    record_into(app, recorded, new_sampler(settings, KEY))


@pytest.mark.parametrize(
    ("sampler", "flag", "is_recorded"),
    [
        ("always_on", "01", True),
        ("always_on", "00", True),
        ("always_off", "01", False),
        ("always_off", "00", False),
        ("parentbased_always_on", "01", True),
        ("parentbased_always_on", "00", False),
        ("parentbased_always_off", "01", True),
        ("parentbased_always_off", "00", False),
    ],
)
def test_only_parent_based_samplers_follow_the_flag_of_the_client(
    traced_app: Flask,
    traced: Client,
    recorded: Recorded,
    sampler: str,
    flag: str,
    is_recorded: bool,
) -> None:
    record_with(traced_app, recorded, sampler)
    headers = {"traceparent": f"00-{'4b' * 16}-{PARENT}-{flag}"}
    traced.send("GET", "/openapi.json", headers=headers)

    assert bool(recorded.all) is is_recorded


def test_spans_inside_a_request_are_recorded_exactly_if_the_request_is(
    traced_app: Flask, traced: Client, recorded: Recorded, alice: Person
) -> None:
    record_with(traced_app, recorded, "traceidratio", 0.5)
    for _ in range(8):
        traced.post("login", code=alice.wx_login())

    roots = [span for span in recorded.all if span.kind.name == "SERVER"]
    assert {ids_of(span)[0] for span in recorded.all} == {ids_of(span)[0] for span in roots}
    assert all(span.parent for span in recorded.all if span not in roots)


@pytest.mark.parametrize("flag", ["00", "01"])
def test_a_ratio_records_its_share_of_client_chosen_traces_whatever_their_flag(
    traced_app: Flask, traced: Client, recorded: Recorded, flag: str
) -> None:
    record_with(traced_app, recorded, "traceidratio", 0.25)
    for number in range(1, 401):
        headers = {"traceparent": f"00-{number:032x}-{PARENT}-{flag}"}
        traced.send("GET", "/livez-of-nobody", headers=headers)

    # OpenTelemetry's sampler would record all of these: their ids are small.
    assert 50 < len(recorded.all) < 150


def test_the_choice_depends_on_the_trace_and_the_key_only() -> None:
    ids = [f"{number:032x}" for number in range(1000)]
    chosen = {one for one in ids if Sampling(0.1, KEY).includes(one)}
    assert 50 < len(chosen) < 150
    assert chosen == {one for one in ids if Sampling(0.1, KEY).includes(one)}
    assert chosen < {one for one in ids if Sampling(0.5, KEY).includes(one)}
    assert chosen != {one for one in ids if Sampling(0.1, b"another key").includes(one)}


@pytest.mark.parametrize(("rate", "share"), [(0.0, 0), (1.0, 1)])
def test_rates_0_and_1_choose_none_and_all(rate: float, share: int) -> None:
    ids = [None, *(f"{number:032x}" for number in range(500))]
    assert {Sampling(rate, KEY).includes(one) for one in ids} == {bool(share)}
