"""What a team needs of its workers, and the simplest ones: this process alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from podium.compute.desk import Desk, Errand

#: Outcomes of an errand, in the order of its parts; None where the worker was lost.
Reply = list[Any] | None


class Crew(Protocol):
    """Workers with a desk each. A name comes back for another process only after its loss was told."""

    bytes_sent: int
    """So far, of all errands."""
    bytes_received: int
    """So far, of all replies."""

    def workers(self) -> Sequence[str]:
        """Names of the workers there are, at least one. Raises WorkerLostError where none comes."""

    def give(self, worker: str, errand: Errand) -> None:
        """Send a worker, which has none under way, an errand."""

    def take(self) -> tuple[str, Reply]:
        """Wait for the next reply of a worker that has an errand, or for its loss."""

    def close(self) -> None:
        """End the workers, or let them forget; nobody waits for what is under way."""


class Here:
    """This process as the only worker. Nothing is sent, so no bytes are counted."""

    def __init__(self) -> None:
        self.bytes_sent = self.bytes_received = 0
        self._desk = Desk()
        self._errands: list[Errand] = []

    def workers(self) -> Sequence[str]:
        """Always the same one."""
        return ("here",)

    def give(self, worker: str, errand: Errand) -> None:
        """To be done by `take`."""
        del worker
        self._errands.append(errand)

    def take(self) -> tuple[str, Reply]:
        """Do the errand."""
        return "here", self._desk.serve(self._errands.pop())

    def close(self) -> None:
        """Forget the states."""
        self._desk = Desk()
