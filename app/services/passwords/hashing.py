"""Passwords: argon2id, and the same work done whether or not there is anything to compare with."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

# OWASP's second recommendation for argon2id (19 MiB, 2 passes, 1 lane): some 20 ms of one core.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DECOY_HASH = HASHER.hash("the password of no account")


def hash_password(password: str) -> str:
    """Hash a password with a salt of its own."""
    if is_module_patched("threading"):
        return str(_thread().apply(HASHER.hash, (password,)))
    return HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Check a password; without a hash, spend the same time and say no."""
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
    """Make the one real thread of a gevent worker that hashes.

    Hashing on the worker's own thread would stop every other request for as long; one at a time,
    so that a flood of passwords takes its share of the machine and no more.
    """
    return ThreadPool(1)
