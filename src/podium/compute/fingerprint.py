"""Fingerprints: the same for the same content, whatever became of it since, and for nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

_PLAIN = (bool, int, float, str, bytes, datetime, type(None))


def fingerprint(*contents: Any) -> str:
    """64 hexadecimal digits of arrays, numbers, texts, and of what is made of them by fields, names or places.

    Not of a pickle: that changes with what an object has worked out in the meantime. Raises TypeError for anything
    whose content is not known.
    """
    digest = hashlib.sha256()
    for piece in _pieces(contents):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def _pieces(content: Any) -> Iterator[bytes]:
    """The content as bytes, each kind of thing told from every other."""
    kind = type(content).__qualname__.encode()
    if isinstance(content, np.ndarray):
        yield from _of_array(content)
    elif isinstance(content, _PLAIN):
        yield kind
        yield content if isinstance(content, bytes) else repr(content).encode()
    elif isinstance(content, type):
        yield f"{content.__module__}.{content.__qualname__}".encode()
    else:
        inner = _inner(content)
        yield kind + b" %d" % len(inner)
        for part in inner:
            yield from _pieces(part)


def _of_array(array: NDArray[Any]) -> Iterator[bytes]:
    yield f"{array.dtype.str} {array.shape}".encode()
    if array.dtype == object:
        for element in array.ravel():
            yield from _pieces(element)
    else:
        yield np.ascontiguousarray(array).tobytes()


def _inner(content: Any) -> list[Any]:
    """What something consists of."""
    if isinstance(content, Mapping):
        return [part for item in content.items() for part in item]
    if isinstance(content, (list, tuple)):
        return list(content)
    if isinstance(content, BaseModel):
        return [(name, getattr(content, name)) for name in type(content).model_fields]
    if is_dataclass(content):
        return [(field.name, getattr(content, field.name)) for field in fields(content)]
    raise TypeError(f"no fingerprint of {type(content).__name__}")
