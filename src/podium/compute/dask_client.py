"""The connection to a Dask cluster, which is kept for the life of this process, and the cluster of this machine."""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from podium.compute.lost import ClusterLostError, WorkerLostError
from podium.compute.processes import ONE_THREAD
from podium.compute.where import LOCAL, Where
from podium.errors import PodiumError

if TYPE_CHECKING:
    from distributed import Client, Future

Told = TypeVar("Told")

#: A scheduler that does not answer for so long is gone, s.
CONNECT_SECONDS = 15.0
#: How long to wait for workers, s: on a cluster they may be queued or pulling their image.
WORKERS_SECONDS = 120.0


@dataclass
class Connection:
    """A client, and what was started here for it."""

    client: Client
    address: str
    started: list[Callable[[], None]]
    """How to end each of it, the last one first."""

    def workers(self, seconds: float = WORKERS_SECONDS) -> tuple[str, ...]:
        """Addresses of the workers there are, in order. Raises WorkerLostError where none comes in time."""
        found = self._asked(self.client.nthreads)
        if not found:
            with suppress(TimeoutError):
                self._asked(lambda: self.client.wait_for_workers(1, timeout=seconds))
            found = self._asked(self.client.nthreads)
        if not found:
            raise WorkerLostError(f"no worker has joined the Dask cluster at {self.address} for {seconds:g} s")
        return tuple(sorted(found))

    def wait_for(self, workers: int) -> None:
        """Return once so many workers have joined. Raises WorkerLostError where they do not within WORKERS_SECONDS."""
        try:
            self._asked(lambda: self.client.wait_for_workers(workers, timeout=WORKERS_SECONDS))
        except TimeoutError as error:
            joined = f"{len(self.living())} of {workers} workers have joined the Dask cluster at {self.address}"
            raise WorkerLostError(f"{joined} in {WORKERS_SECONDS:g} s") from error

    def living(self) -> set[str]:
        """Addresses of the workers that the scheduler knows now."""
        return set(self._asked(self.client.nthreads))

    def submit(self, work: Callable[..., Told], *arguments: object, **options: Any) -> Future[Told]:
        """A task, which Dask never takes for one that it has done before."""
        self.ensure()
        return self.client.submit(work, *arguments, pure=False, **options)

    def ensure(self) -> None:
        """Raise ClusterLostError where the connection to the scheduler is broken."""
        if self.client.status != "running":
            raise self._lost()

    def close(self) -> None:
        """Disconnect, and end what was started here."""
        with suppress(Exception):
            self.client.close(timeout=1)
        while self.started:
            with suppress(Exception):
                self.started.pop()()

    def _asked(self, question: Callable[[], Told]) -> Told:
        self.ensure()
        try:
            return question()
        except TimeoutError:
            self.ensure()
            raise
        except (OSError, RuntimeError) as error:
            raise self._lost() from error

    def _lost(self) -> ClusterLostError:
        return ClusterLostError(f"the Dask scheduler at {self.address} is gone")


_open: dict[Where, Connection] = {}


def connection_to(where: Where) -> Connection:
    """The connection to a cluster, made where there is none yet.

    A team employs the workers that are there when it begins, so those that were asked for are waited for. Raises
    PodiumError where Dask is not installed, ClusterLostError where no scheduler answers, WorkerLostError where workers
    do not join in time.
    """
    found = _open.get(where)
    if found is not None and found.client.status == "running":
        return found
    if found is not None:
        _open.pop(where).close()
    _require_dask()
    made = _local(where.count) if where.address == LOCAL else _far(str(where.address), where.workers)
    if not _open:
        atexit.unregister(close_all)
        atexit.register(close_all)  # behind Dask's own, so that it runs before
    _open[where] = made
    return made


def close_all() -> None:
    """Disconnect from all clusters, and end those that were started here."""
    while _open:
        _open.popitem()[1].close()


def _require_dask() -> None:
    try:
        import distributed
    except ImportError as error:
        raise PodiumError("work on a Dask cluster needs Dask: pip install 'podium[dask]'") from error
    # A lost worker or scheduler is told by an exception; the log would tell it once more, with tracebacks.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == distributed.__name__:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _connected(address: str, started: list[Callable[[], None]]) -> Connection:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        while started:
            started.pop()()
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterLostError(f"no Dask scheduler answers at {address}: {why}") from error
    return Connection(client, address, started)


def _far(address: str, workers: int | None) -> Connection:
    """A cluster that was started elsewhere; None where as many workers as there are will do."""
    made = _connected(address, [])
    try:
        if workers is not None:
            made.wait_for(workers)
    except BaseException:
        made.close()
        raise
    return made


def _local(workers: int) -> Connection:
    """A scheduler in this process, and worker processes that a nanny starts again when they die.

    They are started by a command and not by Dask's own LocalCluster, whose workers would import the user's script.
    """
    import dask
    from distributed import LocalCluster

    # What is lost with a worker is told at once; whoever gave it decides what to do again.
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        cluster: Any = LocalCluster(
            n_workers=0,
            host="127.0.0.1",
            protocol="tcp://",
            silence_logs=logging.CRITICAL,
            # Without a dashboard there is still a port for its health, which may not be that of somebody else.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        )
    ending = f"from podium.compute.worker import end_with; end_with({os.getpid()})"
    command = [sys.executable, "-c", f"{ending}; from distributed.cli.dask_worker import main; main()"]
    command += [cluster.scheduler_address, "--nworkers", str(workers), "--nthreads", "1", "--memory-limit", "0"]
    command += ["--no-dashboard", "--death-timeout", str(int(WORKERS_SECONDS))]
    path = os.pathsep.join(entry for entry in sys.path)
    quiet = {"PYTHONPATH": path, "DASK_LOGGING__DISTRIBUTED": "critical"}
    process = subprocess.Popen(
        command, env=os.environ | ONE_THREAD | quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )

    def end() -> None:
        process.terminate()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    made = _connected(cluster.scheduler_address, [cluster.close, end])
    with suppress(TimeoutError):
        made.client.wait_for_workers(workers, timeout=WORKERS_SECONDS)
    return made
