"""A team's workers on a Dask cluster, and independent parts on one.

A desk is an actor, because Dask keeps actors in memory and lets go of them with the client that made them. It is asked
by tasks that are pinned to its worker, because a task that is lost is told, and a call of an actor may wait for ever.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

import cloudpickle

from podium.compute.crew import Reply
from podium.compute.dask_client import Connection, connection_to
from podium.compute.desk import Desk, Errand, Failure, do_packed, packed_errand, serve_packed, unpacked
from podium.compute.lost import WorkerLostError
from podium.compute.where import Where
from podium.errors import PodiumError
from podium.version import __version__

if TYPE_CHECKING:
    from distributed import Future

Part = TypeVar("Part")
Done = TypeVar("Done")

#: How often to see whether the workers still live while none replies, s.
LOOK_SECONDS = 0.2

_desks: WeakValueDictionary[str, Desk] = WeakValueDictionary()
"""In a worker: the desks that Dask holds."""


def _open_desk(team: str) -> Desk:
    """In a worker."""
    desk = Desk()
    _desks[team] = desk
    return desk


def _serve(team: str, errand: bytes) -> bytes:
    """In a worker. Raises LookupError where its process is not the one that was given the states."""
    return serve_packed(_desks[team], errand)


class Cluster:
    """The workers that Dask's scheduler knows. One that is lost is not replaced by the team: the others take over."""

    def __init__(self, where: Where) -> None:
        self.bytes_sent = self.bytes_received = 0
        self._connection = connection_to(where)
        self._team = f"podium-team-{uuid4().hex}"
        self._workers = self._connection.workers()
        self._desks: dict[str, Future[Any]] = {}
        self._under_way: dict[str, Future[bytes]] = {}
        self._lost: list[str] = []
        self._done: SimpleQueue[tuple[str, Future[bytes]]] = SimpleQueue()
        for worker in self._workers:
            self._open(worker)

    def workers(self) -> Sequence[str]:
        """Their addresses as of the last loss."""
        if not self._workers:
            self._workers = self._connection.workers()
        return self._workers

    def give(self, worker: str, errand: Errand) -> None:
        """Send an errand as a task that only this worker may do."""
        packed = packed_errand(errand)
        self.bytes_sent += len(packed)
        if not self._has_desk(worker):
            self._lost.append(worker)
            return
        key = f"{self._team}-{uuid4().hex}"
        future = self._connection.submit(_serve, self._team, packed, workers=[worker], key=key)
        self._under_way[worker] = future
        future.add_done_callback(partial(self._tell, worker))

    def take(self) -> tuple[str, Reply]:
        """The next reply. Raises ClusterLostError where the scheduler is gone."""
        while not self._lost:
            try:
                worker, done = self._done.get(timeout=LOOK_SECONDS)
            except Empty:
                self._lost += self._under_way.keys() - self._connection.living()
                continue
            if self._under_way.get(worker) is not done:
                continue  # of a worker that was given up
            packed = _result(self._connection, done, worker)
            if packed is None:
                self._lost.append(worker)
            else:
                del self._under_way[worker]
                self.bytes_received += len(packed)
                return worker, unpacked(packed)
        return self._give_up(self._lost.pop()), None

    def close(self) -> None:
        """Let go of the desks, whose workers forget them then."""
        futures = [*self._under_way.values(), *self._desks.values()]
        self._under_way.clear()
        self._desks.clear()
        for future in futures:
            future.release()

    def _tell(self, worker: str, done: Future[bytes]) -> None:
        self._done.put((worker, done))

    def _open(self, worker: str) -> Future[Any]:
        """Ask for a desk."""
        key = f"{self._team}-desk-{uuid4().hex}"
        opened: Future[Any] = self._connection.submit(_open_desk, self._team, workers=[worker], actor=True, key=key)
        self._desks[worker] = opened
        return opened

    def _has_desk(self, worker: str) -> bool:
        """Whether a worker has a desk, once it has answered; False where the worker is lost."""
        desk = self._desks.get(worker) or self._open(worker)
        while desk.status == "pending":
            try:
                desk.exception(timeout=LOOK_SECONDS)
            except TimeoutError:
                if worker not in self._connection.living():
                    return False
        self._connection.ensure()
        if desk.status == "error":
            _require_podium(worker, desk.exception())
        return bool(desk.status == "finished")

    def _give_up(self, worker: str) -> str:
        """Also where the worker lives, but its process is another one."""
        lost: list[Any] = [futures.pop(worker) for futures in (self._under_way, self._desks) if worker in futures]
        for future in lost:
            future.release()
        self._workers = ()
        return worker


def _result(connection: Connection, done: Future[Done], worker: str | None) -> Done | None:
    """The result of a task; None where it was lost with its worker. Raises ClusterLostError."""
    while True:
        try:
            return done.result(timeout=LOOK_SECONDS)
        except TimeoutError:
            living = connection.living() or set(connection.workers())
            if worker is not None and worker not in living:
                return None
        except (Exception, CancelledError) as error:  # noqa: BLE001 - whatever it was, the task is lost
            connection.ensure()
            _require_podium(worker or "a worker", error)
            return None


def _require_podium(worker: str, error: BaseException | None) -> None:
    if isinstance(error, ImportError | AttributeError):
        raise PodiumError(f"{worker} cannot run Podium {__version__} as it is here: {error}") from error


def each_on_cluster(
    work: Callable[[Part], Done], parts: Sequence[Callable[[], Part]], where: Where
) -> Iterator[tuple[int, Done]]:
    """Yield (number, work(part())) as they are finished.

    Dask repeats what is lost with a worker as often as the scheduler is told to. What is still lost then is done once
    more, one part at a time, so that the guilty one is known.
    """
    connection = connection_to(where)
    packed, lost = cloudpickle.dumps(work), list[int]()
    for number, outcome in _at_once(connection, packed, parts, range(len(parts)), 2 * len(connection.workers())):
        if outcome is None:
            lost.append(number)
        else:
            yield number, _unpacked(outcome, number, len(parts))
    for number, outcome in _at_once(connection, packed, parts, lost, 1):
        if outcome is None:
            raise WorkerLostError(f"part {number + 1} of {len(parts)} ends its worker process again and again")
        yield number, _unpacked(outcome, number, len(parts))


def _at_once(
    connection: Connection, work: bytes, parts: Sequence[Callable[[], Part]], numbers: Iterable[int], most: int
) -> Iterator[tuple[int, bytes | None]]:
    """Pickled outcomes as they come, None where one is lost; at most so many under way."""
    waiting = iter(numbers)
    running: dict[Future[bytes], int] = {}
    done: SimpleQueue[Future[bytes]] = SimpleQueue()
    try:
        while True:
            for number in islice(waiting, most - len(running)):
                future = connection.submit(do_packed, work, cloudpickle.dumps(parts[number]()))
                running[future] = number
                future.add_done_callback(done.put)
            if not running:
                return
            finished = _next(connection, done)
            yield running.pop(finished), _result(connection, finished, None)
    finally:
        for future in running:
            future.release()


def _next(connection: Connection, done: SimpleQueue[Future[bytes]]) -> Future[bytes]:
    """The next task that ended. Raises WorkerLostError where no worker is left to end one."""
    while True:
        try:
            return done.get(timeout=LOOK_SECONDS)
        except Empty:
            if not connection.living():
                connection.workers()


def _unpacked(packed: bytes, number: int, count: int) -> Any:
    outcome = pickle.loads(packed)
    if isinstance(outcome, Failure):
        raise outcome.noted(f"part {number + 1} of {count}")
    return outcome
