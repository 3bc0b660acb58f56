"""Work that keeps a processor busy, on a thread where it does not stop the worker."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

P = ParamSpec("P")
R = TypeVar("R")


def on_a_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run pure work while the other requests of a gevent worker go on; one at a time.

    Elsewhere the caller's own thread is as good. There is no app and no database on the thread.
    """
    if not is_module_patched("threading"):
        return work(*args, **kwargs)

    def outcome() -> tuple[R | None, Exception | None]:
        # What the thread itself raises, gevent writes to the log with all there is to it.
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
    """Make the worker's one thread for it, apart from that of the passwords of logins."""
    return ThreadPool(1)
