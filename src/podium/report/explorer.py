"""What the page knows of each POD: a row of its table, and chunks with the series behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.report.files import DEVICE_SERIES, POD_SERIES, Results
from podium.report.packing import chunk_text, deflated
from podium.report.series import DeviceRows, Matrix, read_devices, read_series

DETAILED_PODS = 20_000
"""A larger portfolio shows the series only of the PODs that move most energy, so that the page stays below 60 MB."""

CHUNK_PODS = 64
"""PODs that are decoded together when one of them is opened."""


@dataclass(frozen=True)
class Explorer:
    """`detailed` are positions in the table of PODs; chunk c holds detailed PODs from c * CHUNK_PODS on."""

    table: str
    chunks: list[str]
    detailed: NDArray[np.intp]


def build_explorer(results: Results) -> Explorer:
    """Pack the table of PODs and the series of the largest `DETAILED_PODS` of them."""
    names = results.pods["pod"].to_numpy(dtype=object)
    plan = read_series(results.pod_series_file, "pod", names, results.clock, ("plan_kw",))["plan_kw"]
    peak = np.fmax.reduce(np.abs(plan), axis=1, initial=0.0)
    energy_kwh = np.nansum(plan, axis=1, dtype=float) * results.step_hours
    detailed = largest(np.nansum(np.abs(plan), axis=1), DETAILED_PODS)
    table = pod_table(results.pods, peak_kw=peak.astype(float), energy_kwh=energy_kwh, detailed=detailed)
    text = deflated(json.dumps(table, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())
    return Explorer(text, list(_chunks(results, names[detailed])), detailed)


def largest(sizes: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """Positions of the `most` largest sizes, in the order of the table.

    >>> largest(np.array([1, 5, 0, 4], dtype=np.float32), 2).tolist()
    [1, 3]
    """
    return np.sort(np.argsort(-sizes, kind="stable")[:most])


def pod_table(
    pods: pd.DataFrame, *, peak_kw: NDArray[np.float64], energy_kwh: NDArray[np.float64], detailed: NDArray[np.intp]
) -> dict[str, list[Any]]:
    """Columns of the table of PODs; numbers rounded to what is shown, None where there is none."""
    chunk = np.full(len(pods), -1)
    chunk[detailed] = np.arange(len(detailed)) // CHUNK_PODS
    words = {
        name: [_word(value) for value in pods[name]]
        for name in ("pod", "name", "group", "composition", "solver", "status", "message")
    }
    numbers = {
        "seconds": _rounded(pods["seconds"], 7), "min_seconds": _rounded(pods["min_seconds"], 7),
        "max_seconds": _rounded(pods["max_seconds"], 7), "cost_eur": _rounded(pods["cost_eur"], 4),
        "bound_eur": _rounded(pods["bound_eur"], 4), "plan_profit_eur": _rounded(pods["plan_profit_eur"], 4),
        "peak_kw": _rounded(peak_kw, 3), "energy_kwh": _rounded(energy_kwh, 3),
    }  # fmt: skip
    return {**words, **numbers, "chunk": chunk.tolist()}


def _word(value: object) -> str:
    return value if isinstance(value, str) else "" if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _rounded(values: pd.Series[float] | NDArray[np.float64], decimals: int) -> list[float | None]:
    numbers = np.asarray(values, dtype=float).round(decimals)
    return [value if np.isfinite(value) else None for value in numbers.tolist()]


def _chunks(results: Results, pods: NDArray[np.object_]) -> Iterator[str]:
    """Chunks of the series of these PODs and their devices, in this order."""
    net = read_series(results.pod_series_file, "pod", pods, results.clock, POD_SERIES)
    devices = read_devices(results.device_series_file, pods)
    of_device = read_series(results.device_series_file, "device", devices.name, results.clock, DEVICE_SERIES)
    shown = _shown(of_device)
    for first in range(0, len(pods), CHUNK_PODS):
        part = slice(first, first + CHUNK_PODS)
        mine = slice(*np.searchsorted(devices.pod, (first, first + CHUNK_PODS)).tolist())
        index = _index(pods[part], first, devices, shown, mine)
        stacked = np.stack([net[name][part] for name in POD_SERIES], axis=1)
        every = np.stack([of_device[name][mine] for name in DEVICE_SERIES], axis=1)
        yield chunk_text(index, np.concatenate([stacked.reshape(-1, stacked.shape[2]), every[shown[mine]]]))


def _shown(of_device: dict[str, Matrix]) -> NDArray[np.bool_]:
    """Which series of a device say something: power, levels, what is not zero, a baseline that differs.

    Shape (device, series).
    """
    power = of_device["power_kw"]
    rules = {
        "power_kw": np.ones(len(power), dtype=bool),
        "energy_kwh": np.isfinite(of_device["energy_kwh"]).any(axis=1),
        "aux_kw": (np.nan_to_num(of_device["aux_kw"]) != 0).any(axis=1),
        "spill_kw": (np.nan_to_num(of_device["spill_kw"]) != 0).any(axis=1),
        "baseline_kw": (np.abs(of_device["baseline_kw"] - power) > 1e-3).any(axis=1),
    }
    return np.stack([rules[name] for name in DEVICE_SERIES], axis=1)


def _index(
    pods: NDArray[np.object_], first: int, devices: DeviceRows, shown: NDArray[np.bool_], mine: slice
) -> dict[str, Any]:
    """What a chunk's series are: `POD_SERIES` of each POD, then the shown series of each device."""
    rows = zip(devices.pod[mine], devices.name[mine], devices.kind[mine], shown[mine], strict=True)
    return {
        "pods": pods.tolist(),
        "devices": [[int(pod) - first, name, kind, np.flatnonzero(kept).tolist()] for pod, name, kind, kept in rows],
    }
