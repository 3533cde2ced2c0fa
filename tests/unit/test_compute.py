"""Work in one process and in several: the same results, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from podium.compute import WorkerLostError, available_workers, each
from processes import alive, until

Work = Callable[[int], int]


# Functions within functions travel to the workers by value: these cannot import the tests.
def squaring() -> Work:
    def square(number: int) -> int:
        return number * number

    return square


def dying_once(marker: Path) -> Work:
    """The worker that gets number 3 first is killed."""

    def work(number: int) -> int:
        if number == 3 and not marker.exists():
            marker.write_text("died")
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return number

    return work


def dying() -> Work:
    def work(number: int) -> int:
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return work


def failing() -> Work:
    def work(number: int) -> int:
        if number == 1:
            raise ValueError("part 1 is bad")
        return number

    return work


def squares(workers: int | None, count: int = 7) -> list[int]:
    found = dict(each(squaring(), [partial(int, n) for n in range(count)], workers))
    return [found[n] for n in range(count)]


def test_one_process_and_two_give_the_same() -> None:
    assert squares(1) == squares(2) == [0, 1, 4, 9, 16, 25, 36]
    assert squares(2, count=0) == []
    assert available_workers() >= 1


def test_parts_are_made_when_they_are_needed() -> None:
    """Not all at once: that is what keeps a large portfolio out of memory."""
    made: list[int] = []

    def part(number: int) -> int:
        made.append(number)
        return number

    work = cast("Generator[tuple[int, int]]", each(squaring(), [partial(part, n) for n in range(20)], 2))
    next(work)
    assert len(made) <= 5
    work.close()


def test_a_worker_that_is_killed_costs_time_and_nothing_else(tmp_path: Path) -> None:
    found = dict(each(dying_once(tmp_path / "marker"), [partial(int, n) for n in range(12)], 2))
    assert (tmp_path / "marker").exists()
    assert found == {n: n for n in range(12)}


def test_a_part_that_kills_every_worker_is_named() -> None:
    with pytest.raises(WorkerLostError, match="part 3 of 5 ends its worker process"):
        list(each(dying(), [partial(int, n) for n in range(5)], 2))
    assert squares(2) == squares(1), "the next work finds good workers"


def test_an_error_in_a_part_is_raised_here() -> None:
    for workers in (1, 2):
        with pytest.raises(ValueError, match="part 1 is bad"):
            list(each(failing(), [partial(int, n) for n in range(4)], workers))


def test_workers_end_with_the_process_they_work_for() -> None:
    """Even where that was killed and could say nothing."""
    script = textwrap.dedent("""
        import os, time
        from functools import partial
        from podium.compute import each
        for number, pid in each(eval, [partial(str, "__import__('os').getpid()")] * 2, 2):
            print(pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            workers = [int(parent.stdout.readline()) for _ in range(2)]
        finally:
            parent.kill()
    until(lambda: not any(map(alive, workers)), "the workers have ended")
