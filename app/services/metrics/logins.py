"""Logins for Prometheus, by app, method and result."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from app.metrics.definitions import LOGINS, OK, REFUSED
from app.metrics.recording import count


class OfApp(Protocol):
    """An app, or a principal of an app."""

    @property
    def appid(self) -> str: ...


A = TypeVar("A", bound=OfApp)
P = ParamSpec("P")
R = TypeVar("R")


def counted_as(
    method: str,
) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """Count the calls of a service that logs a person in. Its first argument has the appid.

    A call that raises an exception is counted as refused.
    """

    def decorate(service: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        @wraps(service)
        def log_in(subject: A, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                login = service(subject, *args, **kwargs)
            except Exception:
                count(LOGINS, subject.appid, method, REFUSED)
                raise
            count(LOGINS, subject.appid, method, OK)
            return login

        return log_in

    return decorate
