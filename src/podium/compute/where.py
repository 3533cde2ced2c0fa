"""Where work may run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, TypeAlias

from podium.errors import InputError, Problem

#: The address that stands for a Dask cluster of this machine's own, started when it is needed.
LOCAL = "local"


@dataclass(frozen=True)
class Where:
    """Where work runs: `serial()` in this process, `processes(n)` beside it, or `dask(address)`.

    It never decides what comes out, only when.
    """

    kind: Literal["serial", "processes", "dask"]
    workers: int | None = None
    """Number of processes; None for all cores, or for whatever workers a Dask cluster elsewhere has."""
    address: str | None = None
    """Where Dask's scheduler listens, or "local"."""

    @classmethod
    def serial(cls) -> Where:
        """In this process, one thing after the other."""
        return cls("serial", 1)

    @classmethod
    def processes(cls, workers: int | None = None) -> Where:
        """In processes of this machine; None for as many as there are cores. Raises InputError below 1."""
        if workers is not None and workers < 1:
            raise InputError(Problem("number of workers", str(workers), "1 or more"))
        return cls("processes", workers)

    @classmethod
    def dask(cls, address: str = LOCAL, workers: int | None = None) -> Where:
        """On a Dask cluster: "tcp://host:8786" connects and waits for `workers`, "local" starts so many here.

        Raises InputError where the address is neither.
        """
        if address != LOCAL and "://" not in address:
            expected = "'local', or the address of a scheduler such as tcp://host:8786"
            raise InputError(Problem("address of a Dask cluster", repr(address), expected))
        return cls("dask", workers, address)

    @classmethod
    def of(cls, workers: Workers) -> Where:
        """A number of processes as a place: None for all cores, 1 for this process."""
        if isinstance(workers, Where):
            return workers
        return cls.serial() if workers == 1 else cls.processes(workers)

    @property
    def count(self) -> int:
        """Number of processes that are to be started here."""
        return available_workers() if self.workers is None else self.workers


#: A number of processes (None for all cores), or where else the work runs.
Workers: TypeAlias = "int | Where | None"


def available_workers() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
