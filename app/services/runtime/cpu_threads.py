"""CPU-bound work on an operating system thread, so that it does not block a gevent worker."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

P = ParamSpec("P")
R = TypeVar("R")


def on_a_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a pure function on the thread for CPU-bound work and return its result.

    Calls of a process run one after another. The function has no app context and no database.
    Without gevent, it is called on the caller's thread.
    """
    if not is_module_patched("threading"):
        return work(*args, **kwargs)

    def outcome() -> tuple[R | None, Exception | None]:
        # Return the exception: gevent would log an exception of the thread with its values.
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
    """Return the thread of this process for CPU-bound work. Password hashing has another one."""
    return ThreadPool(1)
