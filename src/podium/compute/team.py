"""Workers that keep their part of something while they are asked again and again (docs/distributed.md)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import cloudpickle

from podium.compute.crew import Crew, Here
from podium.compute.desk import Errand, Failure, Fresh
from podium.compute.lost import LOSSES_MAX, WorkerLostError
from podium.compute.where import Where, Workers
from podium.errors import PodiumError

Part = TypeVar("Part")
State = TypeVar("State")
Answer = TypeVar("Answer")


def team_of(make: Callable[[Part], State], parts: Sequence[Callable[[], Part]], where: Workers = None) -> Team[State]:
    """Make a state of every part, each where it will live: `make(parts[n]())`.

    Parts are made here, one by one as they are needed, so that not all are in memory at once; a part whose worker was
    lost is made again. `make` and the parts must be picklable where other processes are involved (functions defined
    in scripts, and within functions, are). Raises what `make` raises.
    """
    return Team(make, parts, _crew(Where.of(where), len(parts)))


def _crew(where: Where, parts: int) -> Crew:
    if where.kind == "serial" or parts == 0:
        return Here()
    if where.kind == "processes":
        from podium.compute.processes import Processes

        return Processes(min(where.count, parts))
    from podium.compute.cluster import Cluster

    return Cluster(where)


class Team(Generic[State]):
    """States that live with workers, each of them from one part. To be closed, or used in a `with` statement.

    Parts, their order, and so all answers are the same whatever and how many the workers are. The states of a worker
    that is lost are made anew and asked all earlier questions in order, so that they stand where they stood.
    """

    def __init__(self, make: Callable[[Part], State], parts: Sequence[Callable[[], Part]], crew: Crew) -> None:
        self.bytes_sent: list[int] = []
        """Pickled size of what went out, of every round of questions."""
        self.bytes_received: list[int] = []
        """Pickled size of what came back, of every round of questions."""
        self._make, self._parts = make, parts
        self._crew: Crew | None = crew
        self._held: dict[str, list[int]] = {}
        self._asked: list[bytes] = []
        self._round(None)
        self.bytes_placed = crew.bytes_sent
        """Pickled size of what went out to make the states."""

    @property
    def workers(self) -> int:
        """How many workers hold states now."""
        return sum(1 for numbers in self._held.values() if numbers)

    def ask(self, question: Callable[[State], Answer]) -> list[Answer]:
        """`question(state)` of every state, in the order of the parts.

        A state may keep what it likes from question to question, but must not alter an answer that it has given.
        Every state is asked, even where one raises; then the exception of the first such part is raised here, with
        its number in a note. Raises WorkerLostError where a part ends its worker LOSSES_MAX times, ClusterLostError
        where Dask's scheduler is gone; the team has ended then.
        """
        crew = self._crew
        if crew is None:
            raise PodiumError("this team has ended and cannot be asked")
        packed = cloudpickle.dumps(question)
        sent, received = crew.bytes_sent, crew.bytes_received
        outcomes = self._round(packed)
        self._asked.append(packed)
        self.bytes_sent.append(crew.bytes_sent - sent)
        self.bytes_received.append(crew.bytes_received - received)
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, Failure):
                raise outcome.noted(_named(number, len(self._parts)))
        return outcomes

    def close(self) -> None:
        """End the workers of this team, or let them forget its states."""
        crew, self._crew = self._crew, None
        self._held.clear()
        if crew is not None:
            crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _round(self, question: bytes | None) -> list[Any]:
        """Outcomes of all parts; where there can be none, the team ends."""
        if self._crew is None:
            raise AssertionError("ask() looks first")
        try:
            outcomes = _Round(self._crew, self._held, len(self._parts), partial(self._errand, question)).run()
            for number, outcome in enumerate(outcomes):
                if isinstance(outcome, Failure) and outcome.unmade:
                    raise outcome.noted(_named(number, len(self._parts)))
        except BaseException:
            self.close()
            raise
        return outcomes

    def _errand(self, question: bytes | None, numbers: tuple[int, ...], fresh: bool) -> Errand:
        if not fresh:
            return Errand(numbers, len(self._asked), question)
        made = Fresh(partial(self._make, self._parts[numbers[0]]()), tuple(self._asked))
        return Errand(numbers, len(self._asked), question, made)


def _named(number: int, count: int) -> str:
    return f"part {number + 1} of {count}"


class _Round:
    """One errand to every part, until each has its outcome.

    A worker gets one errand for all parts that it holds. Where it dies, nobody knows yet which of them is guilty: they
    are made anew one by one, so that from then on a loss has a name. Parts that live nowhere go to workers that hold
    less than their share.
    """

    def __init__(
        self, crew: Crew, held: dict[str, list[int]], count: int, errand: Callable[[tuple[int, ...], bool], Errand]
    ) -> None:
        self._crew, self._held, self._count, self._errand = crew, held, count, errand
        living = {number for numbers in held.values() for number in numbers}
        self._absent = deque(number for number in range(count) if number not in living)
        self._to_ask = {worker: tuple(numbers) for worker, numbers in held.items() if numbers}
        self._under_way: dict[str, tuple[int, ...]] = {}
        self._outcomes: dict[int, Any] = {}
        self._losses: Counter[int] = Counter()

    def run(self) -> list[Any]:
        """Outcomes in the order of the parts."""
        free: Sequence[str] | None = None
        while len(self._outcomes) < self._count:
            if free is None:
                free = self._all_workers()
            share = -(-self._count // max(len(self._crew.workers()), 1))
            for worker in free:
                self._employ(worker, share)
            if not self._under_way:
                free = None
                continue
            worker, reply = self._crew.take()
            numbers = self._under_way.pop(worker)
            if reply is None:
                self._lose(worker, numbers)
                free = None
            else:
                self._outcomes.update(zip(numbers, reply, strict=True))
                free = (worker,)
        return [self._outcomes[number] for number in range(self._count)]

    def _all_workers(self) -> Sequence[str]:
        """Those there are; what others held lives nowhere."""
        workers = self._crew.workers()
        for gone in self._held.keys() - set(workers) - self._under_way.keys():
            self._lose(gone, ())
        return workers

    def _employ(self, worker: str, share: int) -> None:
        if worker in self._under_way:
            return
        numbers, fresh = self._to_ask.pop(worker, ()), False
        held = self._held.setdefault(worker, [])
        if not numbers and self._absent and len(held) < share:
            numbers, fresh = (self._absent.popleft(),), True
            held.extend(numbers)
        if numbers:
            self._under_way[worker] = numbers
            self._crew.give(worker, self._errand(numbers, fresh))

    def _lose(self, worker: str, numbers: tuple[int, ...]) -> None:
        """What the worker held lives nowhere now; of that, what has its outcome can wait for the next round."""
        self._to_ask.pop(worker, None)
        lost = self._held.pop(worker, [])
        self._absent.extend(number for number in lost if number not in self._outcomes)
        self._losses.update(numbers)
        for number in numbers:
            if self._losses[number] >= LOSSES_MAX:
                raise WorkerLostError(f"{_named(number, self._count)} ended its worker process {LOSSES_MAX} times")
