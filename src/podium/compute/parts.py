"""Independent parts, each done once, by whichever worker is free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import Any, TypeVar

from podium.compute.lost import WorkerLostError
from podium.compute.where import Where, Workers
from podium.compute.worker import end_with

Part = TypeVar("Part")
Done = TypeVar("Done")
Progress = Callable[[int], None]


def silent(_done: int) -> None:
    """Progress that nobody watches."""


def each(
    work: Callable[[Part], Done], parts: Sequence[Callable[[], Part]], workers: Workers = None
) -> Iterator[tuple[int, Done]]:
    """Yield (number, work(part())) for every part as it is finished.

    Parts are made when they are needed, so that not all of them are in memory at once. `workers`: a number of
    processes, None for all cores, or a `Where`.
    A worker that dies costs time, not the run: its parts are done once more (one by one in processes here), and
    WorkerLostError is raised only where that fails too; ClusterLostError where Dask's scheduler is gone.
    """
    where = Where.of(workers)
    if where.kind == "dask":
        from podium.compute.cluster import each_on_cluster

        yield from each_on_cluster(work, parts, where)
        return
    count = min(where.count, len(parts))
    if where.kind == "serial" or count <= 1:
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

    return get_reusable_executor(max_workers=workers, timeout=60, initializer=end_with, initargs=(os.getpid(),))
