"""The server's secret, and what is made with it: digests of tokens, and tokens against forged requests."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from podium.errors import InputError, Problem

SECRET_FILE = "secret"
_BYTES = 32


class Seal:
    """Keyed digests. Who steals the database alone can neither use nor guess what it holds digests of."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def digest(self, purpose: str, text: str) -> str:
        """64 hexadecimal digits; the same text has another digest for another purpose."""
        return hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()

    def matches(self, purpose: str, text: str, digest: str) -> bool:
        """Whether a digest belongs to a text; takes the same time for any text."""
        return hmac.compare_digest(self.digest(purpose, text).encode(), digest.encode("utf-8", "replace"))


def new_token() -> str:
    """256 bits that nobody can guess, in letters that fit into addresses and headers."""
    return secrets.token_urlsafe(_BYTES)


def read_seal(data: Path) -> Seal:
    """The secret of a data folder; made, for its owner's eyes alone, where there is none.

    Raises InputError where others may read it.
    """
    path = data / SECRET_FILE
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InputError(Problem(str(path), f"mode {mode:o}", "mode 600: it opens every account"))
    return Seal(bytes.fromhex(path.read_text(encoding="ascii").strip()))


def _make(path: Path) -> None:
    """Write a secret; where another process was quicker, that one's stays."""
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink()
