"""The server's workers: started, and started again where one ends."""

from __future__ import annotations

import base64
import logging
import pickle
import signal
import subprocess
import sys
import threading
import time

from podium.service.settings import Settings

_PAUSE_SECONDS = 0.3
#: A worker that ended sooner than this after its start is started again only after it, s.
_HASTE_SECONDS = 2.0
_END_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Supervisor:
    """Keeps `settings.workers` processes at work."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.model_copy(update={"data": settings.data.resolve()})
        self.workers: list[_Started] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Start all workers."""
        self.workers = [_Started(self.settings) for _ in range(self.settings.workers)]
        self._thread.start()

    def stop(self) -> None:
        """End all workers; the runs under way go back into the queue."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.end()

    @property
    def alive(self) -> int:
        """Workers that live."""
        return sum(worker.process.poll() is None for worker in self.workers)

    def _keep(self) -> None:
        while not self._ending.wait(_PAUSE_SECONDS):
            for number, worker in enumerate(self.workers):
                if worker.process.poll() is not None and worker.age_seconds > _HASTE_SECONDS:
                    _log.info("a worker ended with code %s; another takes its place", worker.process.returncode)
                    worker.end()
                    self.workers[number] = _Started(self.settings)


class _Started:
    """A worker process, in a group of its own."""

    def __init__(self, settings: Settings) -> None:
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "podium.service.worker"], stdin=subprocess.PIPE, start_new_session=True
        )
        if self.process.stdin is not None:
            self.process.stdin.write(base64.b64encode(pickle.dumps(settings)) + b"\n")
            self.process.stdin.flush()

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self.begun

    def end(self) -> None:
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
