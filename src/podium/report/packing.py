"""Time series as compact text inside a page: decimal steps in 16 bits, differences, deflate, base64.

A chunk holds the series of some PODs and, inflated, is

    uint32       length of the index in bytes
    bytes        index: JSON, padded with blanks to a multiple of 4
    float32[s]   quantum of each series: a power of ten, so that decoded numbers are plain decimals
    uint8[s, t]  low bytes, then
    uint8[s, t]  high bytes of the differences along time of round(value / quantum), modulo 2^16

where -32768 stands for "no value". The quantum is at most a thousandth of the series' largest magnitude.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_VALUE = -32768
LARGEST = 32767


def quanta(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of ten to count each series in: 0.001, or more where 16 bits do not reach. Shape (series,).

    >>> quanta(np.array([[0.0, -3.5], [40.0, 12.0], [0.01, 0.02]], dtype=np.float32)).tolist()
    [0.0010000000474974513, 0.009999999776482582, 9.999999747378752e-06]
    """
    with np.errstate(invalid="ignore"):
        most = np.fmax.reduce(np.abs(values), axis=1, initial=0.0).astype(float)
    most = np.where(most > 0, most, 1.0)
    coarse = 10.0 ** np.ceil(np.log10(most / LARGEST) - 1e-12)
    fine = 10.0 ** np.floor(np.log10(most / 1000.0) + 1e-12)
    return np.maximum(coarse, np.minimum(1e-3, fine)).astype(np.float32)


def encode(values: NDArray[np.float32], quantum: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Low and high bytes of the differences along time. Shape (2, series, step)."""
    codes = np.rint(values / quantum[:, None].astype(np.float64))
    whole = np.where(np.isfinite(codes), np.clip(codes, -LARGEST, LARGEST), NO_VALUE).astype(np.int16)
    counted = whole.view(np.uint16)
    steps = counted - np.concatenate([np.zeros_like(counted[:, :1]), counted[:, :-1]], axis=1)
    return np.stack([(steps & 0xFF).astype(np.uint8), (steps >> 8).astype(np.uint8)])


def chunk_text(index: Any, values: NDArray[np.float32]) -> str:
    """One chunk as base64 text; `values` has shape (series, step), `index` says what they are."""
    quantum = quanta(values)
    named = json.dumps(index, separators=(",", ":"), ensure_ascii=False).encode()
    named += b" " * (-len(named) % 4)
    head = np.uint32(len(named)).astype("<u4").tobytes() + named + quantum.astype("<f4").tobytes()
    return deflated(head + encode(values, quantum).tobytes())


def deflated(content: bytes) -> str:
    """Content as zlib stream in base64, which a browser reads by DecompressionStream("deflate")."""
    return base64.b64encode(zlib.compress(content, 6)).decode("ascii")


def decode_chunk(text: str, steps: int) -> tuple[Any, NDArray[np.float64]]:
    """The index and values (series, step) of a chunk, as the page's own script reads them."""
    raw = zlib.decompress(base64.b64decode(text))
    length = int(np.frombuffer(raw, "<u4", 1)[0])
    index = json.loads(raw[4 : 4 + length])
    count = (len(raw) - 4 - length) // (4 + 2 * steps)
    quantum = np.frombuffer(raw, "<f4", count, 4 + length)
    low, high = np.frombuffer(raw, np.uint8, offset=4 + length + 4 * count).reshape(2, count, steps)
    codes = np.cumsum(low + high.astype(np.uint16) * 256, axis=1, dtype=np.uint16).astype(np.uint16).view(np.int16)
    decimals = np.rint(-np.log10(quantum))
    values = codes / 10.0 ** decimals[:, None]
    return index, np.where(codes == NO_VALUE, np.nan, values)
