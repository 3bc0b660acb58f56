"""The parts of the demo that requests use."""

from dataclasses import dataclass

from flask import current_app

from app.simulator.demo.operator import DemoOperator
from app.simulator.demo.service import Service
from app.simulator.demo.traffic import Traffic


@dataclass(frozen=True)
class Demo:
    """The service behind the demo, the recorded requests, and the operator."""

    service: Service
    traffic: Traffic
    operator: DemoOperator


def current_demo() -> Demo:
    """Return the demo of the simulator app that handles the request."""
    demo: Demo = current_app.extensions["demo"]
    return demo
