"""A worker's side of a team: the states that live with it, and how they are made and asked."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cloudpickle

from podium.errors import PodiumError


@dataclass(frozen=True)
class Fresh:
    """A state that is to be made, and the questions that it has to catch up with."""

    make: Callable[[], Any]
    earlier: tuple[bytes, ...]


@dataclass(frozen=True)
class Errand:
    """What a worker is asked to do next."""

    numbers: tuple[int, ...]
    """The parts concerned; a single one where `fresh` is given."""
    asked: int
    """How many questions their states have answered before this one."""
    question: bytes | None
    """Pickled; None where the states are only to be made."""
    fresh: Fresh | None = None


@dataclass(frozen=True)
class Failure:
    """An exception in a worker, on its way to whoever asked."""

    error: Exception
    trace: str
    """The worker's traceback; empty where `error` still has it."""
    unmade: bool = False
    """The state could not be made, so there is none."""

    def noted(self, name: str) -> Exception:
        """The exception, with the part's name and the worker's traceback as notes."""
        self.error.add_note(f"in {name}")
        if self.trace:
            self.error.add_note(f"in the worker:\n{self.trace}")
        return self.error


@dataclass(frozen=True)
class Packed:
    """Something to call that travels as bytes, so that whoever handles it needs none of its modules."""

    content: bytes

    def __call__(self) -> Any:
        """Unpack and call it."""
        return pickle.loads(self.content)()


class Desk:
    """States by part number, each with the number of questions that it has answered."""

    def __init__(self) -> None:
        self._states: dict[int, Any] = {}
        self._asked: dict[int, int] = {}

    def serve(self, errand: Errand) -> list[Any]:
        """Answers, or a `Failure` instead, in the order of `errand.numbers`.

        Raises LookupError where a state is not here, or not as far as it should be.
        """
        if errand.fresh is not None:
            failure = self._make(errand.numbers[0], errand.fresh)
            if failure is not None:
                return [failure]
        if errand.question is None:
            return [None] * len(errand.numbers)
        if any(self._asked.get(number) != errand.asked for number in errand.numbers):
            raise LookupError(f"no state of some of the parts {errand.numbers} that has answered {errand.asked} times")
        return self._ask(errand.numbers, errand.question)

    def _make(self, number: int, fresh: Fresh) -> Failure | None:
        state = _tried(fresh.make)
        if isinstance(state, Failure):
            return replace(state, unmade=True)
        self._states[number], self._asked[number] = state, 0
        for question in fresh.earlier:  # what failed then fails again, and was told then
            self._ask((number,), question)
        return None

    def _ask(self, numbers: tuple[int, ...], packed: bytes) -> list[Any]:
        question = _tried(partial(pickle.loads, packed))
        return [self._answer(number, question) for number in numbers]

    def _answer(self, number: int, question: Callable[[Any], Any] | Failure) -> Any:
        self._asked[number] += 1
        return question if isinstance(question, Failure) else _tried(partial(question, self._states[number]))


def _tried(work: Callable[[], Any]) -> Any:
    """What it gives, or the failure that it ends in, for whoever asked."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - none of them may end the worker
        return Failure(error, "")


def packed_errand(errand: Errand) -> bytes:
    """An errand as bytes that need no module but Podium's own to be read. Raises what pickling raises."""
    fresh = errand.fresh
    if fresh is not None:
        fresh = Fresh(Packed(cloudpickle.dumps(fresh.make)), fresh.earlier)
    return pickle.dumps(Errand(errand.numbers, errand.asked, errand.question, fresh), pickle.HIGHEST_PROTOCOL)


def serve_packed(desk: Desk, errand: bytes) -> bytes:
    """A worker's whole work: errand and outcomes as bytes."""
    return pickle.dumps([_packed(outcome) for outcome in desk.serve(pickle.loads(errand))])


def unpacked(reply: bytes) -> list[Any]:
    """The outcomes of a reply."""
    return [pickle.loads(outcome) for outcome in pickle.loads(reply)]


def do_packed(work: bytes, part: bytes) -> bytes:
    """In a worker: `work(part)` or its failure, as bytes."""
    return _packed(_tried(lambda: pickle.loads(work)(pickle.loads(part))))


def _packed(outcome: Any) -> bytes:
    packed = outcome if isinstance(outcome, Failure) else _tried(partial(cloudpickle.dumps, outcome))
    return packed if isinstance(packed, bytes) else _packed_failure(packed)


def _packed_failure(failure: Failure) -> bytes:
    """With the traceback as text; an exception that cannot travel is told in its words."""
    told = replace(failure, trace="".join(traceback.format_exception(failure.error)))
    if not _travels(failure.error):
        told = replace(told, error=PodiumError(f"{type(failure.error).__name__}: {failure.error}"))
    packed: bytes = cloudpickle.dumps(told)
    return packed


def _travels(error: Exception) -> bool:
    return not isinstance(_tried(lambda: pickle.loads(cloudpickle.dumps(error))), Failure)
