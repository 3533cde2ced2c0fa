"""What can go wrong, said so that a reader can mend it: where, which value, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input.

    `where` names file and line, or an id; `value` is what stands there; `expected` what should.
    """

    where: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: {self.value}; expected {self.expected}"


class PodiumError(Exception):
    """Any error that Podium raises on purpose."""


class InputError(PodiumError):
    """Input that cannot be used. Carries every problem found, not only the first."""

    SHOWN = 20

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(self._text())

    def __reduce__(self) -> tuple[type[InputError], tuple[Sequence[Problem]]]:
        return type(self), (self.problems,)

    def _text(self) -> str:
        lines = [str(problem) for problem in self.problems[: self.SHOWN]]
        if len(self.problems) > self.SHOWN:
            lines.append(f"... and {len(self.problems) - self.SHOWN} more problems")
        return "\n".join(lines)


class SolverError(PodiumError):
    """A solver gave up for a reason that is not the input's fault."""


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names for an error message: sorted, quoted, cut after `most`."""
    ordered = sorted(names)
    text = ", ".join(repr(name) for name in ordered[:most])
    return text + (f" and {len(ordered) - most} more" if len(ordered) > most else "")
