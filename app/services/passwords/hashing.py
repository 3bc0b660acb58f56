"""Password hashing with argon2id."""

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
    """Return the argon2id hash of a password, with a random salt. Requests call `hash_in_turn`."""
    if is_module_patched("threading"):
        return str(_thread().apply(HASHER.hash, (password,)))
    return HASHER.hash(password)


def hash_in_turn(password: str, lane: Lane, tenant_id: UUID) -> str:
    """Hash a password for a request after waiting for a turn. Raises PasswordsBusy."""
    with hashing_queue().turn(lane, tenant_id):
        return hash_password(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Return whether a password matches a hash. False without a hash, after the same time.

    The equal time keeps an attacker from finding out which accounts exist.
    """
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
    """Return the thread on which a gevent worker hashes passwords.

    Hashing on the main thread of the worker would block all other requests. A single thread limits
    the CPU time that hashing takes. `HashingQueue` limits how many requests wait for the thread.
    """
    return ThreadPool(1)
