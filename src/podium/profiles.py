"""Profiles: a few time series that many devices share, each with a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.errors import InputError, Problem, listed


@dataclass(frozen=True)
class Profiles:
    """Named rows of numbers over the horizon. `values` has shape (profile, step)."""

    names: tuple[str, ...]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, series: Mapping[str, ArrayLike], steps: int) -> Profiles:
        """Profiles from a mapping of name to values of shape (step,)."""
        if not series:
            return cls((), np.zeros((0, steps)))
        rows = {name: np.asarray(values, dtype=float) for name, values in series.items()}
        for name, row in rows.items():
            if row.shape != (steps,):
                raise InputError(Problem(f"profile {name!r}", f"shape {row.shape}", f"{steps} values, one per step"))
        return cls(tuple(rows), np.stack(list(rows.values())))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def rows(self, names: Sequence[str], where: str = "profile") -> NDArray[np.int64]:
        """Row numbers of `names`; raises InputError naming the ones that are missing."""
        missing = {name for name in names if name not in self._rows}
        if missing:
            raise InputError(Problem(where, f"no profile {listed(missing)}", f"one of {listed(self.names)}"))
        return np.array([self._rows[name] for name in names], dtype=np.int64)

    def scaled(self, rows: NDArray[np.int64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows times their scales; a row number below 0 gives zeros. Shape (row, step)."""
        if len(rows) == 0 or len(self.names) == 0:
            return np.zeros((len(rows), self.values.shape[1]))
        found = self.values[np.maximum(rows, 0)] * scale[:, None]
        found[rows < 0] = 0.0
        return found

    def take(self, rows: NDArray[np.int64]) -> Profiles:
        """Only these rows, in this order."""
        return Profiles(tuple(self.names[row] for row in rows), self.values[rows])
