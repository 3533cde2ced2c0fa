"""Level 1 of a run of kind `local`, kept: so that runs of kind `portfolio` start from it."""

from __future__ import annotations

import logging
import pickle
import secrets
from pathlib import Path

from podium.local import LocalResult
from podium.version import __version__

FILE = "level1.pickle"
_log = logging.getLogger(__name__)


def keep(folder: Path, local: LocalResult) -> None:
    """Write level 1 into a folder; it is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{FILE}-{secrets.token_hex(4)}"
    try:
        with aside.open("wb") as file:
            pickle.dump((__version__, local), file)
        aside.replace(folder / FILE)
    finally:
        aside.unlink(missing_ok=True)


def kept(folder: Path) -> LocalResult | None:
    """Level 1 out of a folder; None where there is none, or one of another version."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            version, local = pickle.load(file)
    except (pickle.UnpicklingError, AttributeError, ImportError, EOFError, TypeError, ValueError):
        _log.warning("the level 1 that was kept cannot be read")
        return None
    return local if version == __version__ and isinstance(local, LocalResult) else None
