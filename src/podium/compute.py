"""Where work runs: in this process, or in several.

Work comes in parts that do not depend on each other or on the number of workers, so results do not either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import Any, TypeVar

from podium.errors import PodiumError

Part = TypeVar("Part")
Done = TypeVar("Done")
Progress = Callable[[int], None]


class WorkerLostError(PodiumError):
    """A worker process died (killed, or out of memory)."""


def available_workers() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def silent(_done: int) -> None:
    """Progress that nobody watches."""


def each(
    work: Callable[[Part], Done], parts: Sequence[Callable[[], Part]], workers: int | None = None
) -> Iterator[tuple[int, Done]]:
    """Yield (number, work(part())) for every part as it is finished.

    Parts are made when they are needed, so that not all of them are in memory at once. `workers`: None for all cores.
    A worker that dies costs time, not the run: its parts are done once more in this process's care, one by one, and
    WorkerLostError is raised only where that fails too.
    """
    count = min(available_workers() if workers is None else workers, len(parts))
    if count <= 1:
        for number, part in enumerate(parts):
            yield number, work(part())
        return
    yield from _in_processes(work, parts, count)


def _in_processes(
    work: Callable[[Part], Done], parts: Sequence[Callable[[], Part]], workers: int
) -> Iterator[tuple[int, Done]]:
    from loky import get_reusable_executor
    from loky.process_executor import TerminatedWorkerError

    executor = get_reusable_executor(max_workers=workers, timeout=60)
    waiting = list(range(len(parts)))[::-1]
    running: dict[Any, int] = {}
    lost: list[int] = []
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                number = waiting.pop()
                running[executor.submit(work, parts[number]())] = number
            future = next(as_completed(running))
            number = running.pop(future)
            try:
                yield number, future.result()
            except TerminatedWorkerError:
                lost += [number, *running.values()]
                running.clear()
                executor = get_reusable_executor(max_workers=workers, timeout=60)
    except (KeyboardInterrupt, GeneratorExit):
        executor.shutdown(wait=False, kill_workers=True)
        raise
    yield from _again(work, parts, lost)


def _again(
    work: Callable[[Part], Done], parts: Sequence[Callable[[], Part]], lost: Sequence[int]
) -> Iterator[tuple[int, Done]]:
    """Parts whose worker died, one at a time in a single fresh process, so that the guilty one is known."""
    from loky import get_reusable_executor
    from loky.process_executor import TerminatedWorkerError

    for number in lost:
        try:
            yield number, get_reusable_executor(max_workers=1, timeout=60).submit(work, parts[number]()).result()
        except TerminatedWorkerError as error:
            raise WorkerLostError(f"part {number + 1} of {len(parts)} ends its worker process: {error}") from error
