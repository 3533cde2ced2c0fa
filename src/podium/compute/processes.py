"""A team's workers as processes of this machine, with a pipe each way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue

from podium.compute.crew import Reply
from podium.compute.desk import Errand, packed_errand, unpacked
from podium.compute.worker import read_frame, write_frame

#: Libraries that would start threads of their own, as many as there are cores, in every worker.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class Processes:
    """A fixed number of worker processes; one that dies is replaced under a new name.

    Not loky's, as in `each`: those come and go as they are needed, while these own what they were given.
    """

    def __init__(self, workers: int) -> None:
        self.bytes_sent = self.bytes_received = 0
        self._replies: SimpleQueue[tuple[str, bytes | None]] = SimpleQueue()
        self._started = 0
        self._workers: dict[str, _Worker] = {}
        for _ in range(workers):
            self._start()

    def workers(self) -> Sequence[str]:
        """Names of all workers."""
        return tuple(self._workers)

    def give(self, worker: str, errand: Errand) -> None:
        """Send an errand through the worker's pipe."""
        packed = packed_errand(errand)
        self.bytes_sent += len(packed)
        self._workers[worker].errands.put(packed)

    def take(self) -> tuple[str, Reply]:
        """The next reply; a lost worker is replaced before its loss is told."""
        worker, reply = self._replies.get()
        if reply is None:
            self._workers.pop(worker).end()
            self._start()
            return worker, None
        self.bytes_received += len(reply)
        return worker, unpacked(reply)

    def close(self) -> None:
        """Kill them: they own nothing that would need to be put in order."""
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def _start(self) -> None:
        self._started += 1
        name = f"process {self._started}"
        self._workers[name] = _Worker(name, self._replies)


class _Worker:
    """A process, and the thread that talks with it."""

    def __init__(self, name: str, replies: SimpleQueue[tuple[str, bytes | None]]) -> None:
        self.errands: SimpleQueue[bytes | None] = SimpleQueue()
        self._name, self._replies = name, replies
        self._process = subprocess.Popen(
            _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD
        )
        self._thread = threading.Thread(target=self._talk, name=f"podium {name}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Kill the process and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self.errands.put(None)
        self._thread.join()

    def _talk(self) -> None:
        """One errand, one reply, until either side ends."""
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise AssertionError("the process was started with both pipes")
        while (errand := self.errands.get()) is not None:
            try:
                write_frame(to, errand)
                reply = read_frame(back)
            except OSError:
                reply = None
            self._replies.put((self._name, reply))
        with suppress(OSError):  # what was not yet written to a process that is gone
            to.close()
        back.close()


def _command() -> list[str]:
    """Python with this process's import path. Its `__main__` is not the user's script, which needs no guard."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from podium.compute.worker import main; main({os.getpid()})"
    return [sys.executable, "-c", code]
