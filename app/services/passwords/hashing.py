"""Password hashing with argon2id. Checking takes the same time whether or not a hash exists."""

from functools import cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

from app.services.passwords.hashing_queue import Lane, hashing_queue

# OWASP's second recommendation for argon2id (19 MiB, 2 passes, 1 lane): some 20 ms of one core.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DECOY_HASH = HASHER.hash("the password of no account")


def hash_password(password: str) -> str:
    """Hash a password with its own salt. Requests use `hash_in_turn`."""
    if is_module_patched("threading"):
        return str(_thread().apply(HASHER.hash, (password,)))
    return HASHER.hash(password)


def hash_in_turn(password: str, lane: Lane, tenant_id: UUID) -> str:
    """Hash a new password of a request, after waiting for a turn. Raises PasswordsBusy."""
    with hashing_queue().turn(lane, tenant_id):
        return hash_password(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Return whether the password is right. Without a hash, take the same time."""
    if is_module_patched("threading"):
        return bool(_thread().apply(_verify, (password, password_hash)))
    return _verify(password, password_hash)


def _verify(password: str, password_hash: str | None) -> bool:
    try:
        return HASHER.verify(password_hash or DECOY_HASH, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _thread() -> ThreadPool:
    """Return the thread of a gevent worker that hashes.

    Hashing on the worker's own thread would block every other request. One thread bounds the share
    of the processor. `HashingQueue` bounds how many requests wait for it.
    """
    return ThreadPool(1)
