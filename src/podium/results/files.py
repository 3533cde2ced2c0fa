"""Files of a results folder: written aside and renamed, so that none is half done."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.flexstore import Floats
from podium.horizon import Horizon

RESULTS = "results"
#: Ends the name of old results while new ones take their place.
OLD = "-old"
#: What a run left aside this long ago, s, it will never finish.
FORGOTTEN_SECONDS = 3600.0


def ensure_writable(folder: Path) -> None:
    """Raise InputError where results could not take the place of `folder`, before any work is done."""
    expected = "a folder that results can be written to"
    if folder.exists() and not folder.is_dir():
        raise InputError(Problem(str(folder), "is a file", expected))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise InputError(Problem(str(folder.parent), (error.strerror or str(error)).lower(), expected)) from None


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place when all is well; else the old one stays as it was.

    What an earlier run that was killed left there is put right first.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    aside = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    aside.mkdir()
    try:
        yield aside
        _swap(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """Put back old results that were moved aside by a run killed at that moment, and drop what others left."""
    aside = sorted(folder.parent.glob(f".{folder.name}-*"), key=lambda path: path.stat().st_mtime)
    old = [path for path in aside if path.name.endswith(OLD)]
    if old and not folder.exists():
        old[-1].rename(folder)
    for path in aside:
        if path.exists() and time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    old = new.with_name(new.name + OLD)
    try:
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON without NaN: a number that is not finite becomes null."""
    path.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """What JSON can hold: a number that is not finite becomes None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_table(path: Path, columns: dict[str, Any]) -> None:
    """A Parquet file of these columns."""
    pq.write_table(pa.table(columns), path, compression="zstd", compression_level=3)


def times(horizon: Horizon, repeats: int = 1) -> pa.Array:
    """Starts of the steps, in the study's zone, for `repeats` rows of a long table."""
    stamps = np.tile(horizon.times.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ms]"), repeats)
    return pa.array(stamps).cast(pa.timestamp("ms", tz=horizon.time_zone))


def labels(names: Sequence[str] | NDArray[np.object_], steps: int) -> pa.DictionaryArray:
    """Each name for all its steps, in a long table."""
    codes = np.repeat(np.arange(len(names), dtype=np.int32), steps)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array([str(name) for name in names], pa.string()))


def numbers(values: Floats) -> pa.Array:
    """A matrix (row, step) as a column of a long table; NaN becomes null."""
    return pa.array(np.ascontiguousarray(values).ravel(), from_pandas=True)
