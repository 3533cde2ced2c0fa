"""What the check found: each broken rule with the device, the step and the amount, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from podium.horizon import Horizon

Floats = NDArray[np.float64]

#: A rule that a whole portfolio breaks in every step lists only its worst cases; all of them are counted.
LISTED_PER_RULE = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken: by which device of which POD, in which step, and by how much.

    `device` is empty where the rule is about a POD, `pod` too where it is about the whole portfolio; `step` and `time`
    (start of the step) are None where it is about no single step.
    """

    pod: str
    device: str
    step: int | None
    time: datetime | None
    what: str
    amount: float
    unit: str

    def __str__(self) -> str:
        where = [f"POD {self.pod!r}"] if self.pod else []
        where += [repr(self.device)] if self.device else []
        where += [self.time.isoformat()] if self.time is not None else []
        return f"{', '.join(where) or 'portfolio'}: {self.what} (by {self.amount:.3g} {self.unit})"


@dataclass(frozen=True)
class CheckReport:
    """Verdict on a schedule. `violations` lists at most 100 of each rule, the worst; `count` is all of them.

    `max_violation_kw` is the greatest amount by which any limit is passed, those within the tolerance too, so that
    it shows how exact a good schedule is; energies count as the power that makes them within one step.
    """

    violations: tuple[Violation, ...]
    count: int
    max_violation_kw: float

    @property
    def good(self) -> bool:
        """True where no rule is broken."""
        return self.count == 0

    def __str__(self) -> str:
        shown = [str(violation) for violation in self.violations[:20]]
        if self.count > len(shown):
            shown.append(f"... and {self.count - len(shown)} more")
        return "\n".join([f"{self.count} violations, at most {self.max_violation_kw:.3g} kW", *shown])

    @classmethod
    def joined(cls, reports: Iterable[CheckReport]) -> CheckReport:
        """Several reports as one."""
        found = list(reports)
        violations = tuple(violation for report in found for violation in report.violations)
        greatest = max((report.max_violation_kw for report in found), default=0.0)
        return cls(violations, sum(report.count for report in found), greatest)


@dataclass
class Findings:
    """Violations as they are found. `tolerance` is relative above 1 kW (for energy, 1 kWh per hour), absolute below."""

    horizon: Horizon
    pod_ids: NDArray[np.object_]
    tolerance: float
    violations: list[Violation] = field(default_factory=list)
    count: int = 0
    max_violation_kw: float = 0.0
    noted: Counter[str] = field(default_factory=Counter)

    def tolerance_kw(self, scale_kw: Floats) -> Floats:
        """Allowed excess of power for quantities of this size. Same shape."""
        return self.tolerance * np.maximum(1.0, scale_kw)

    def tolerance_kwh(self, scale_kwh: Floats) -> Floats:
        """Allowed excess of energy: what the tolerated error of 1 kW makes over the horizon. Same shape."""
        hours = self.horizon.steps * self.horizon.step_hours
        return np.asarray(self.tolerance * np.maximum(max(1.0, hours), scale_kwh))

    def add(
        self,
        pod: NDArray[np.int64],
        device: NDArray[np.object_],
        excess: Floats,
        tolerance: Floats,
        words: Callable[[int, int], str],
        unit: str = "kW",
        step_of: NDArray[np.int64] | None = None,
    ) -> None:
        """Record where `excess` (row, column) is above `tolerance` (row, 1).

        `pod` (row,) and `device` (row,) say whose rows these are, `words(row, column)` what is wrong, and `step_of`
        (column,) the step of a column (its number where absent, none where below 0). NaN is no violation.
        """
        if not excess.size:
            return
        worst = float(np.fmax.reduce(excess, axis=None))
        per_kw = {"kW": 1.0, "kWh": 1.0 / self.horizon.step_hours}.get(unit, 0.0)
        self.max_violation_kw = max(self.max_violation_kw, worst * per_kw)
        if not worst > tolerance.min():
            return
        rows, columns = np.nonzero(excess > tolerance)
        self.count += len(rows)
        amounts = excess[rows, columns]
        for chosen in np.sort(np.argsort(-amounts, kind="stable")[:LISTED_PER_RULE]):
            row, column = int(rows[chosen]), int(columns[chosen])
            step = column if step_of is None else int(step_of[column])
            self._list(int(pod[row]), str(device[row]), step, words(row, column), float(amounts[chosen]), unit)

    def note(self, what: str, amount: float, unit: str, pod: str = "", device: str = "") -> None:
        """Record a violation that belongs to no step."""
        self.count += 1
        self.noted[what] += 1
        if self.noted[what] <= LISTED_PER_RULE:
            self.violations.append(Violation(pod, device, None, None, what, amount, unit))

    def report(self) -> CheckReport:
        """All that was found."""
        return CheckReport(tuple(self.violations), self.count, self.max_violation_kw)

    def _list(self, pod: int, device: str, step: int, what: str, amount: float, unit: str) -> None:
        name = str(self.pod_ids[pod]) if pod >= 0 else ""
        if step < 0:
            self.violations.append(Violation(name, device, None, None, what, amount, unit))
            return
        time = self.horizon.times[step].to_pydatetime()
        self.violations.append(Violation(name, device, step, time, what, amount, unit))
