"""CPU-bound work on a real thread, so that it does not block the worker."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

P = ParamSpec("P")
R = TypeVar("R")


def on_a_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a pure function on the worker's thread for CPU-bound work, one call at a time.

    Without gevent it runs on the caller's thread. The thread has no app context and no database.
    """
    if not is_module_patched("threading"):
        return work(*args, **kwargs)

    def outcome() -> tuple[R | None, Exception | None]:
        # gevent would log an exception of the thread with its values.
        try:
            return work(*args, **kwargs), None
        except Exception as error:
            return None, error

    done, error = _thread().apply(outcome)
    if error is not None:
        raise error
    return cast(R, done)


@cache
def _thread() -> ThreadPool:
    """Return the worker's thread for CPU-bound work. Passwords have their own."""
    return ThreadPool(1)
