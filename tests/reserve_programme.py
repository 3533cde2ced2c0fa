"""A store that sells energy and backs reserve, as a programme for scipy written row by row (docs/maths/reserve.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from podium.devices import Battery

Floats = NDArray[np.float64]
Row = Mapping[tuple[str, int], float]


@dataclass(frozen=True)
class Home:
    """A battery behind a meter, beside what is fixed and sun that may be left; one or more products."""

    battery: Battery
    step_hours: float
    fixed_kw: Floats
    sun_kw: Floats
    buy: Floats
    """EUR/kWh, shape (step,)."""
    sell: Floats
    withdrawal_max_kw: float
    injection_max_kw: float
    sustain_hours: Floats
    price: Floats
    """EUR per kW and step. Shape (product, 2, step)."""


@dataclass
class _Rows:
    names: dict[tuple[str, int], int] = field(default_factory=dict)
    high: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    rows: list[tuple[Row, float, float]] = field(default_factory=list)

    def column(self, name: str, t: int, high: float = np.inf, cost: float = 0.0, *, whole: bool = False) -> None:
        """A column between 0 and `high`."""
        self.names[name, t] = len(self.cost)
        self.high.append(high)
        self.cost.append(cost)
        self.whole.append(whole)

    def row(self, terms: Row, low: float = -np.inf, high: float = np.inf) -> None:
        self.rows.append((terms, low, high))

    def least_eur(self) -> float:
        matrix = np.zeros((len(self.rows), len(self.cost)))
        for n, (terms, _, _) in enumerate(self.rows):
            for name, value in terms.items():
                matrix[n, self.names[name]] = value
        limits = LinearConstraint(matrix, [row[1] for row in self.rows], [row[2] for row in self.rows])
        found = milp(
            self.cost, integrality=self.whole, bounds=Bounds(0.0, self.high), constraints=limits,
            options={"mip_rel_gap": 0.0},
        )  # fmt: skip
        assert found.success, found.message
        return float(found.fun)


def least_eur(home: Home, *, apart: bool, windows: bool = False) -> float:
    """The least cost, EUR, earnings of reserve taken off.

    `apart`: never charging and discharging in one step; else both at once are allowed, which can only cost less.
    `windows`: calls are held over all of their steps, not only from the end of the one in which they begin.
    """
    b, dt, r = home.battery, home.step_hours, _Rows()
    steps, last = len(home.buy), len(home.buy) - 1
    for t in range(steps):
        r.column("charge", t, b.charge_max_kw)
        r.column("discharge", t, b.discharge_max_kw, dt * b.wear_eur_per_kwh)
        r.column("energy", t, b.energy_max_kwh, -b.energy_end_eur_per_kwh * (t == last))
        r.column("sun", t, home.sun_kw[t])
        r.column("withdrawal", t, home.withdrawal_max_kw, dt * home.buy[t])
        r.column("injection", t, home.injection_max_kw, -dt * home.sell[t])
        r.column("charges", t, 1.0, whole=True)
        for k in range(len(home.sustain_hours)):
            for side, name in enumerate(("up", "down")):
                r.column(f"{name} {k}", t, cost=-home.price[k, side, t])
    for t in range(steps):
        _physics(home, r, t)
        _backing(home, r, t)
        if windows:
            _windows(home, r, t)
        if apart:
            r.row({("charge", t): 1.0, ("charges", t): -b.charge_max_kw}, high=0.0)
            r.row({("discharge", t): 1.0, ("charges", t): b.discharge_max_kw}, high=b.discharge_max_kw)
    end = b.energy_initial_kwh if b.energy_end_min_kwh is None else b.energy_end_min_kwh
    r.row({("energy", last): 1.0}, low=end)
    return r.least_eur()


def _physics(home: Home, r: _Rows, t: int) -> None:
    b, dt = home.battery, home.step_hours
    kept = (1.0 - b.self_discharge_per_hour) ** dt
    gained = {("charge", t): -dt * b.charge_efficiency, ("discharge", t): dt / b.discharge_efficiency}
    before = {("energy", t - 1): -kept} if t else {}
    start = 0.0 if t else kept * b.energy_initial_kwh
    r.row({("energy", t): 1.0, **gained, **before}, start, start)
    r.row({("energy", t): 1.0}, low=b.energy_min_kwh)
    net = {("charge", t): 1.0, ("discharge", t): -1.0, ("sun", t): -1.0}
    r.row({**net, ("withdrawal", t): -1.0, ("injection", t): 1.0}, -home.fixed_kw[t], -home.fixed_kw[t])


def _moved(home: Home) -> float:
    """kWh of the store per kWh called, at most."""
    b = home.battery
    return max(
        b.charge_efficiency if b.charge_max_kw else 0.0, 1 / b.discharge_efficiency if b.discharge_max_kw else 0.0
    )


def _backing(home: Home, r: _Rows, t: int) -> None:
    b, products, moved = home.battery, range(len(home.sustain_hours)), _moved(home)
    up, down = ({(f"{name} {k}", t): 1.0 for k in products} for name in ("up", "down"))
    r.row({("discharge", t): 1.0, ("charge", t): -1.0, **up}, high=b.discharge_max_kw)
    r.row({("charge", t): 1.0, ("discharge", t): -1.0, **down}, high=b.charge_max_kw)
    r.row({("withdrawal", t): 1.0, ("injection", t): -1.0, **down}, high=home.withdrawal_max_kw)
    r.row({("injection", t): 1.0, ("withdrawal", t): -1.0, **up}, high=home.injection_max_kw)
    lasting = {
        name: {(f"{name} {k}", t): moved * float(home.sustain_hours[k]) for k in products} for name in ("up", "down")
    }
    r.row({**lasting["up"], ("energy", t): -1.0}, high=-b.energy_min_kwh)
    r.row({**lasting["down"], ("energy", t): 1.0}, high=b.energy_max_kwh)


def _windows(home: Home, r: _Rows, t: int) -> None:
    """What calls up to the end of step t have moved."""
    spans = [max(1, int(np.ceil(hours / home.step_hours - 1e-9))) for hours in home.sustain_hours]
    moved = home.step_hours * _moved(home)
    up, down = (
        {(f"{name} {k}", s): moved for k, span in enumerate(spans) for s in range(max(t - span + 1, 0), t + 1)}
        for name in ("up", "down")
    )
    r.row({**up, ("energy", t): -1.0}, high=-home.battery.energy_min_kwh)
    r.row({**down, ("energy", t): 1.0}, high=home.battery.energy_max_kwh)
