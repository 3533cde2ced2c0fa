"""Files of a results folder: written aside and renamed, so that none is half done."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from podium.flexstore import Floats
from podium.horizon import Horizon

RESULTS = "results"


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place when all is well; else the old one stays as it was."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    aside.chmod(0o755)
    try:
        yield aside
        _swap(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    old = new.with_name(f"{new.name}-old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON without NaN: a number that is not finite becomes null."""
    path.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
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
