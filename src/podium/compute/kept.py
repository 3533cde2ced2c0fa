"""What is done is kept, so that work that was ended in its midst goes on where it was."""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

#: What was done within this time may have to be done again, s: nothing is written more often.
PAUSE_SECONDS = 2.0
_SUFFIX = ".kept"
_DIGEST_BYTES = 32


class Kept(Protocol):
    """Where work keeps what is done, by phase and by a key that says exactly what went into it."""

    def known(self, phase: str, keys: Sequence[str]) -> dict[int, Any]:
        """Number of a key -> what was kept under it, for those of `keys` that are known."""

    def keep(self, phase: str, key: str, done: Any) -> None:
        """Keep what was done."""


def _unheard(_phase: str, _numbers: Sequence[int], _count: int) -> None:
    pass


class KeptFiles:
    """Keeps in files of a folder, each of them whole or not there, with what came in since the last one.

    Files are pickles and must come from nobody else. A file that is damaged, half written, or holds other keys counts
    for nothing. Several processes may write into the folder at once. `told` hears, of every phase of which something
    is known, which of how many keys these are.
    """

    def __init__(self, folder: Path, told: Callable[[str, Sequence[int], int], None] = _unheard) -> None:
        self._folder, self._told = folder, told
        self._waiting: dict[str, dict[str, Any]] = {}
        self._written_at = time.monotonic()

    def known(self, phase: str, keys: Sequence[str]) -> dict[int, Any]:
        """See `Kept`."""
        numbers = {key: number for number, key in enumerate(keys)}
        found: dict[int, Any] = {}
        for path in sorted(self._folder.glob(f"{_word(phase)}-*{_SUFFIX}")):
            content = _read(path)
            found |= {numbers[key]: done for key, done in content.items() if key in numbers}
        if found:
            self._told(phase, sorted(found), len(keys))
        return found

    def keep(self, phase: str, key: str, done: Any) -> None:
        """See `Kept`. Raises OSError where it cannot be written."""
        self._waiting.setdefault(phase, {})[key] = done
        if time.monotonic() - self._written_at < PAUSE_SECONDS:
            return
        waiting, self._waiting = self._waiting, {}
        for of_phase, content in waiting.items():
            _write(self._folder, of_phase, content)
        self._written_at = time.monotonic()


def _word(phase: str) -> str:
    return phase.replace(" ", "-")


def _write(folder: Path, phase: str, content: Mapping[str, Any]) -> None:
    """A new file of a name of its own, there only once it is whole, also after a loss of power."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{_word(phase)}-{secrets.token_hex(8)}"
    aside = folder / f".{name}"
    packed = pickle.dumps(dict(content), protocol=pickle.HIGHEST_PROTOCOL)
    try:
        with aside.open("wb") as file:
            file.write(hashlib.sha256(packed).digest())
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / f"{name}{_SUFFIX}")
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """The content of a file; nothing where it is not what was written, or what it holds no longer exists."""
    try:
        packed = path.read_bytes()
        if hashlib.sha256(packed[_DIGEST_BYTES:]).digest() != packed[:_DIGEST_BYTES]:
            return {}
        content: dict[str, Any] = pickle.loads(packed[_DIGEST_BYTES:])
    except (OSError, pickle.UnpicklingError, AttributeError, ImportError, TypeError, ValueError):
        return {}
    return content
