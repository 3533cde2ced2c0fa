"""How benchmarks measure: CPU time of this process, the least of a few repeats, since other work only adds to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, Generic, TypeVar

Done = TypeVar("Done")

#: What a benchmark found, as it is printed.
Found = dict[str, Any]


@dataclass(frozen=True)
class Measured(Generic[Done]):
    """What a piece of work gave, and the seconds that it took."""

    result: Done
    cpu_seconds: float
    """CPU time of all threads of this process."""
    wall_seconds: float


def measured(work: Callable[[], Done]) -> Measured[Done]:
    """Do it once."""
    begun, cpu_begun = perf_counter(), process_time()
    result = work()
    return Measured(result, process_time() - cpu_begun, perf_counter() - begun)


def least(work: Callable[[], Done], repeats: int) -> Measured[Done]:
    """Do it `repeats` times; the one that took least CPU time."""
    return min((measured(work) for _ in range(max(repeats, 1))), key=lambda one: one.cpu_seconds)


def certified(objective_eur: float, bound_eur: float) -> Found:
    """A cost that was found, a bound that no plan costs less than, EUR, and the gap relative to the cost."""
    gap = (objective_eur - bound_eur) / abs(objective_eur)
    return {"objective_eur": objective_eur, "bound_eur": bound_eur, "gap": gap}


def as_text(found: Mapping[str, Any]) -> str:
    """A benchmark's findings, a line each; nested ones indented."""
    return "\n".join(_lines(found, ""))


def as_json(found: Mapping[str, Any]) -> str:
    """The same for machines."""
    return json.dumps(found, indent=2)


def _lines(found: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}", *_lines(value, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name:{28 - len(indent)}} {_number(value)}")
    return lines


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) and abs(value) < 1e4 else str(value)
