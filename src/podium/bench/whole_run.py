"""`podium run` on a large study, files to report, in a process of its own: wall time, CPU time, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from podium.bench.big_study import Kind, write_big_study
from podium.bench.measure import Found
from podium.errors import PodiumError
from podium.results import RESULTS

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
#: Seconds between two looks at the memory.
_EVERY_SECONDS = 0.1


def run(pods: int = 10_000, kind: Kind = "pv", workers: int | None = None) -> Found:
    """Write the study, run it, and say what it took. Raises PodiumError where the run fails."""
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as place:
        folder = Path(place) / "study"
        write_big_study(folder, pods, kind)
        arguments = ["run", str(folder), "--json"] + ([] if workers is None else ["--workers", str(workers)])
        before, begun = _children_cpu_seconds(), perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", "from podium.cli import main; main()", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        peak = _Peak(process.pid)
        out, err = process.communicate()
        wall = perf_counter() - begun
        if process.returncode:
            raise PodiumError(f"the run failed: {err.strip() or out.strip()}")
        written = sum(path.stat().st_size for path in (folder / RESULTS).iterdir())
    return {
        "benchmark": "run",
        "pods": pods,
        "kind": kind,
        "workers": workers or "all cores",
        "wall_seconds": wall,
        "cpu_seconds": _children_cpu_seconds() - before,
        "peak_memory_gb": peak.most_bytes() / 1e9,
        "results_mb": written / 1e6,
        **_said(json.loads(out)),
    }


def _said(summary: dict[str, Any]) -> Found:
    """What the run says of itself."""
    return {
        "devices": summary["devices"],
        "failed": summary["level1"]["failed"],
        "violations": summary["check"]["violations"],
        "solvers": summary["level1"]["solvers"],
        "level1_seconds": summary["level1"]["seconds"],
        "level2_seconds": summary["level2"]["seconds"],
    }


def _children_cpu_seconds() -> float:
    """CPU seconds of the child processes that have ended, their own included."""
    taken = os.times()
    return taken.children_user + taken.children_system


class _Peak:
    """Watches how much memory a process and its children hold together (where the system shows it in /proc)."""

    def __init__(self, process: int) -> None:
        self._process, self._most = process, 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def most_bytes(self) -> int:
        """The greatest sum seen of the memory that each holds for itself; what they share counts once."""
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while held := sum(_held_bytes(process) for process in _family(self._process)):
            self._most = max(self._most, held)
            sleep(_EVERY_SECONDS)


def _family(process: int) -> list[int]:
    """A process and all below it."""
    found = [process]
    for parent in found:
        for listed in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in listed.read_text().split()]
            except OSError:
                continue
    return found


def _held_bytes(process: int) -> int:
    """Resident memory without what is shared with other processes; 0 where the process has ended."""
    try:
        resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
