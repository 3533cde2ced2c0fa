"""A process that computes runs, one after the other."""

from __future__ import annotations

import base64
import json
import logging
import os
import pickle
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from podium import engine, load_study
from podium.bench.warm_up import compile_kernels
from podium.compute import KeptFiles, Progress
from podium.engine import Result
from podium.errors import InputError, Problem
from podium.market.coordination import Round
from podium.service import jobs, level1
from podium.service.installation import KEPT, Installation, opened
from podium.service.jobs import Job
from podium.service.logs import RUN, log_as_json
from podium.service.problems import details, told
from podium.service.rounds import round_text
from podium.service.settings import Settings
from podium.service.studies import INPUT
from podium.study import Options, Study

_IDLE_SECONDS = 0.5
_TELL_SECONDS = 0.3
_WATCH_SECONDS = 1.0
#: Runs can wait for a core more easily than those who look at a page.
_NICE = 5
_log = logging.getLogger(__name__)


@dataclass
class Worker:
    """Takes runs from the queue until it is told to leave."""

    place: Installation
    leaving: threading.Event = field(default_factory=threading.Event)
    job: Job | None = None

    def work(self) -> None:
        """Compute runs; ends after the run under way once `leaving` is set."""
        while not self.leaving.is_set():
            try:
                self.job = jobs.take(self.place)
            except Exception:  # noqa: BLE001 - the database may be away for a while
                _log.exception("the queue could not be read")
            if self.job is None:
                self.leaving.wait(_IDLE_SECONDS)
                continue
            RUN.set(str(self.job.run))
            compute(self.place, self.job)
            self.job = None
            RUN.set(None)

    def stop(self) -> None:
        """Give the run under way back and end at once, with all processes that compute for it."""
        if self.job is not None:
            with suppress(Exception):
                jobs.give_back(self.place, self.job)
        end_group()


def end_group() -> None:
    """End this process and those that it started; nothing may be left that computes."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def compute(place: Installation, job: Job) -> None:
    """Compute a run, and say how it ended. Its folder of results counts only if the run was still the worker's."""
    folder = place.run_folder(job.run) / job.attempt
    try:
        _log.info("begun")
        with _watched(place, job):
            summary = _computed(place, job, folder)
        ended = _until_done(lambda: jobs.end(place, job, "done", summary=summary))
        _log.info("done" if ended else "computed for nothing: cancelled, or given to another worker")
        shutil.rmtree(place.kept_folder(job.run) if ended else folder, ignore_errors=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the end of this run and not of the worker
        _log.exception("failed")
        shutil.rmtree(folder, ignore_errors=True)
        problem = told(error)
        if _until_done(lambda: jobs.end(place, job, "failed", problem=problem)):
            shutil.rmtree(place.kept_folder(job.run), ignore_errors=True)


def _computed(place: Installation, job: Job, folder: Path) -> Any:
    """Compute a run into a folder; returns its summary."""
    study = with_options(load_study(place.study_folder(job.study) / INPUT, place.settings.study_limits), job)
    teller = Teller(place, job)
    result = _result(place, job, study, teller)
    result.write(folder, teller)
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def _result(place: Installation, job: Job, study: Study, phase: Teller) -> Result:
    """What the kind of run asks for. What is done is kept, and taken from where an earlier attempt was ended."""
    workers = place.settings.cores_per_run
    kept = _Kept(place.kept_folder(job.run), phase.kept, place.settings.keep_seconds)
    if job.kind == "portfolio":
        local = None if job.local_run is None else level1.kept(place.run_folder(job.local_run))
        if local is None:
            raise InputError(Problem("local_run", "its level 1 is gone, or of another version", "a new local run"))
        return engine.run(study, workers=workers, phase=phase, local=local, told=phase.round, kept=kept)
    if job.kind == "local":
        local = engine.level1(study, workers=workers, phase=phase, kept=kept)
        level1.keep(place.run_folder(job.run), local)
        return engine.level1_result(study, local, phase=phase)
    return engine.run(study, workers=workers, phase=phase, told=phase.round, kept=kept)


class _Kept(KeptFiles):
    """A disk that takes nothing more to be kept is no reason to end a run; the results will tell."""

    def keep(self, phase: str, key: str, done: Any) -> None:
        try:
            super().keep(phase, key, done)
        except OSError:
            _log.exception("what is done could not be kept")


def with_options(study: Study, job: Job) -> Study:
    """The study with the options of the run in place of its own."""
    return replace(study, options=Options.model_validate({**study.options.model_dump(), **job.options}))


def _until_done(write: Callable[[], bool]) -> bool:
    """Try until the database takes it; a database that is away for a while must not cost a result."""
    while True:
        try:
            return write()
        except Exception:  # noqa: BLE001
            _log.exception("the database does not answer; trying again")
            time.sleep(_WATCH_SECONDS)


class Teller:
    """Writes down phases and PODs done, not more often than anybody looks."""

    def __init__(self, place: Installation, job: Job) -> None:
        self.place, self.job = place, job
        self.phase, self.done, self.told_at = "", 0, 0.0

    def __call__(self, phase: str) -> Progress:
        """A phase begins."""
        self.phase, self.done = phase, 0
        self._tell([("phase", phase)])
        return self._advanced

    def round(self, done: Round) -> None:
        """A round of level 2 is over, and the next begins with the first POD."""
        self.done = 0
        self._tell([("round", round_text(done))])

    def kept(self, phase: str, numbers: Sequence[int], count: int) -> None:
        """What an earlier attempt did is not done again."""
        batches = "batch" if len(numbers) == 1 else "batches"
        what = f"{batches} {ranges(numbers)} of {count}" if count > 1 else "all of it"
        self._tell([("kept", f"{phase}: {what} done by an earlier attempt")])

    def _advanced(self, pods: int) -> None:
        self.done += pods
        if time.monotonic() - self.told_at > _TELL_SECONDS:
            self._tell([])

    def _tell(self, lines: list[tuple[str, str]]) -> None:
        self.told_at = time.monotonic()
        try:
            jobs.tell(self.place, self.job, self.phase, self.done, lines)
        except Exception:  # noqa: BLE001 - progress that nobody hears of is no reason to end a run
            _log.exception("progress could not be written")


def ranges(numbers: Sequence[int]) -> str:
    """Rising numbers from 0 in words that count from 1.

    >>> ranges([0, 1, 2, 5])
    '1-3, 6'
    """
    words: list[list[int]] = []
    for number in numbers:
        if words and words[-1][-1] == number:
            words[-1] = [words[-1][0], number + 1]
        else:
            words.append([number + 1])
    return ", ".join("-".join(map(str, word)) for word in words)


@contextmanager
def _watched(place: Installation, job: Job) -> Iterator[None]:
    """Somebody watches while this computes. Nobody does any more when the run ends: it would look as if taken away."""
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(place, job, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(place: Installation, job: Job, over: threading.Event) -> None:
    """Say that this worker lives, and end it where the run is to end or takes too much."""
    RUN.set(str(job.run))
    begun = time.monotonic()
    pause = min(_WATCH_SECONDS, place.settings.lease_seconds / 4)
    while not over.wait(pause):
        try:
            kept = jobs.keep(place, job)
        except Exception:  # noqa: BLE001 - the database may be away for a while
            _log.exception("the lease could not be renewed")
            continue
        if over.is_set():
            return
        too_much = beyond_limits(place.settings, time.monotonic() - begun)
        if too_much is not None:
            ended = jobs.end(place, job, "failed", problem=details(422, "limit", too_much))
        elif not kept:
            ended = jobs.end(place, job, "cancelled")
        if too_much is not None or not kept:
            _log.warning("ended: %s", too_much or "cancelled, or given to another worker")
            for folder in (job.attempt, *((KEPT,) if ended else ())):
                shutil.rmtree(place.run_folder(job.run) / folder, ignore_errors=True)
            end_group()


def beyond_limits(settings: Settings, seconds: float) -> str | None:
    """Which limit on time or memory a run has passed; None where none."""
    if seconds > settings.run_seconds_max:
        return f"the run took longer than {settings.run_seconds_max:g} s"
    size = memory_bytes()
    if size > settings.run_bytes_max:
        return f"the run took {size:,} bytes of memory; {settings.run_bytes_max:,} are the most"
    return None


def memory_bytes() -> int:
    """Memory of this process and those of its group, bytes; 0 where the system does not tell."""
    pages, group = 0, os.getpgrp()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


def work(settings: Settings, leaving: threading.Event | None = None) -> None:
    """Compute runs in this process until it is told to end."""
    with opened(settings) as place:
        worker = Worker(place, leaving or threading.Event())

        def stop(_number: int, _frame: object) -> None:
            threading.Thread(target=worker.stop, daemon=True).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        compile_kernels()  # before the first run, and for the server's process too, which finds them on the disk
        worker.work()


def main() -> None:
    """A worker of a server, which sends its settings and lives as long as the pipe is open."""
    log_as_json()
    os.nice(_NICE)
    settings = pickle.loads(base64.b64decode(sys.stdin.buffer.readline()))
    leaving = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        leaving.set()

    threading.Thread(target=watch, daemon=True).start()
    work(settings, leaving)


if __name__ == "__main__":
    main()
