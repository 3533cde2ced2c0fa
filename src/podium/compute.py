"""Where work runs: in this process, or in several.

Work comes in parts that do not depend on each other or on the number of workers, so results do not either.
"""

from __future__ import annotations

import os
import threading
import time
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
    from loky.process_executor import TerminatedWorkerError

    executor = _executor(workers)
    waiting = list(range(len(parts)))[::-1]
    running: dict[Any, int] = {}
    lost: list[int] = []
    try:
        while waiting or running:
            try:
                while waiting and len(running) < 2 * workers:
                    part = parts[waiting[-1]]()
                    running[executor.submit(work, part)] = waiting[-1]
                    waiting.pop()
                future = next(as_completed(running))
                done = future.result()
            except TerminatedWorkerError:
                lost += running.values()
                running.clear()
                executor = _executor(workers)
            else:
                yield running.pop(future), done
        executor = _executor(1) if lost else executor
        for number in lost:
            yield number, _again(executor, work, parts, number)
    except BaseException:
        executor.shutdown(wait=False, kill_workers=True)
        raise


def _again(executor: Any, work: Callable[[Part], Done], parts: Sequence[Callable[[], Part]], number: int) -> Done:
    """A part whose worker died, alone in a single process, so that the guilty one is known."""
    from loky.process_executor import TerminatedWorkerError

    try:
        done: Done = executor.submit(work, parts[number]()).result()
    except TerminatedWorkerError as error:
        raise WorkerLostError(f"part {number + 1} of {len(parts)} ends its worker process: {error}") from error
    return done


def _executor(workers: int) -> Any:
    """Worker processes, those of the last call where they are as many."""
    from loky import get_reusable_executor

    return get_reusable_executor(max_workers=workers, timeout=60, initializer=_end_with, initargs=(os.getpid(),))


def _end_with(parent: int) -> None:
    """In a worker: end when the process that it works for is gone, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
