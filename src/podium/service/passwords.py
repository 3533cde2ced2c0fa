"""Passwords, kept as Argon2 hashes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from podium.service.problems import TooManyError

#: A hash takes 64 MB for its time: no more at once than this.
_AT_ONCE = threading.BoundedSemaphore(4)
_WAIT_SECONDS = 5.0


@cache
def _argon2() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _nobody() -> str:
    """The hash that stands in where there is no such user, so that the answer takes as long."""
    return hashed("nobody has this password")


@contextmanager
def _turn() -> Iterator[None]:
    """One of the few that may hash now. Raises TooManyError where too many wait, so that other requests are served."""
    if not _AT_ONCE.acquire(timeout=_WAIT_SECONDS):
        raise TooManyError("too many people sign in; try again", int(_WAIT_SECONDS))
    try:
        yield
    finally:
        _AT_ONCE.release()


def hashed(password: str) -> str:
    """Argon2id hash of a password, with its salt and its cost."""
    with _turn():
        return _argon2().hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Whether a password belongs to a hash; without a hash False, and after the same time."""
    against = kept or _nobody()
    with _turn():
        return _argon2().verify(password, against) and kept is not None
