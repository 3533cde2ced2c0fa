"""The long tables of a run turned into matrices, a bounded part of the file in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from podium.report.clock import LocalClock

BATCH_ROWS = 1 << 18
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class DeviceRows:
    """The devices of a schedule in the order of their PODs: `pod` holds positions. Shape (device,) each."""

    pod: NDArray[np.intp]
    name: NDArray[np.object_]
    kind: NDArray[np.object_]


def read_series(
    path: Path, key: str, names: Sequence[str] | NDArray[np.object_], clock: LocalClock, columns: Sequence[str]
) -> dict[str, Matrix]:
    """Columns of a long table, NaN where it has no row or no number. Shape (name, step) each.

    Rows may come in any order; those of other names are passed over.
    """
    index = pd.Index(names)
    out = {column: np.full((len(index), len(clock.times)), np.nan, dtype=np.float32) for column in columns}
    for batch in _batches(path, (key,), ("time", *columns)):
        row = _positions(batch.column(key), index)
        step = _steps(batch.column("time"), clock)
        known = (row >= 0) & (step >= 0) & (step < len(clock.times))
        row, step = row[known], step[known]
        for column in columns:
            out[column][row, step] = _floats(batch.column(column))[known]
    return out


def read_devices(path: Path, pods: Sequence[str] | NDArray[np.object_]) -> DeviceRows:
    """Devices of these PODs, each POD's in the order of the table."""
    index = pd.Index(pods)
    found: dict[str, tuple[int, str]] = {}
    for batch in _batches(path, ("pod", "device", "kind"), ()):
        pod = _positions(batch.column("pod"), index)
        codes, first = np.unique(batch.column("device").indices.to_numpy(), return_index=True)
        names, kinds = batch.column("device").dictionary.to_pylist(), batch.column("kind")
        for code, row in zip(codes.tolist(), first.tolist(), strict=True):
            if pod[row] >= 0:
                found.setdefault(names[code], (int(pod[row]), kinds[row].as_py()))
    position = np.array([pod for pod, _ in found.values()], dtype=np.intp)
    order = np.argsort(position, kind="stable")
    kind = np.array([kind for _, kind in found.values()], dtype=object)
    return DeviceRows(position[order], np.array(list(found), dtype=object)[order], kind[order])


def _batches(path: Path, ids: tuple[str, ...], others: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Batches of the file with columns `ids` dictionary-encoded."""
    with pq.ParquetFile(path, read_dictionary=list(ids)) as file:
        yield from file.iter_batches(BATCH_ROWS, columns=[*ids, *others])


def _positions(column: pa.DictionaryArray, index: pd.Index[str]) -> NDArray[np.intp]:
    """Place of each row's id in `index`, -1 where it has none."""
    of_code = index.get_indexer(column.dictionary.to_pandas())
    return np.asarray(of_code[column.indices.to_numpy()], dtype=np.intp)


def _steps(column: pa.Array, clock: LocalClock) -> NDArray[np.int64]:
    """Step of each row's time."""
    ns = column.cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64()).to_numpy()
    first_ns = clock.times[0].as_unit("ns").value
    return np.asarray((ns - first_ns) // (clock.step_minutes * 60_000_000_000), dtype=np.int64)


def _floats(column: pa.Array) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
