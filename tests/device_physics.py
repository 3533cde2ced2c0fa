"""What the fields of each kind of device mean, written once more in cvxpy: no canonical form, no columns, no kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from podium.devices import (
    Battery,
    Chp,
    CurtailableLoad,
    Device,
    EvCharger,
    FixedLoad,
    GivenProfile,
    HeatPump,
    Pv,
    ShiftableLoad,
    Wind,
)
from podium.horizon import Horizon
from podium.portfolio import Pod

Floats = NDArray[np.float64]


@dataclass
class Model:
    """Net power, kW (step,), cost, EUR, and rules of everything behind one meter."""

    horizon: Horizon
    profiles: dict[str, Floats]
    net: list[Any] = field(default_factory=list)
    cost: list[Any] = field(default_factory=list)
    rules: list[Any] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return self.horizon.steps

    @property
    def dt(self) -> float:
        return self.horizon.step_hours

    def profile(self, name: str | None, scale: float = 1.0) -> Floats:
        return np.zeros(self.steps) if name is None else scale * np.asarray(self.profiles[name])

    def flow(self, most: Any, steps: int | None = None) -> cp.Variable:
        """A flow between 0 and `most`, kW."""
        found = cp.Variable(steps or self.steps, nonneg=True)
        self.rules.append(found <= most)
        return found

    def either(self, one: Any, one_max: float, other: Any, other_max: float) -> None:
        """Never both flows in one step."""
        first = cp.Variable(one.shape, boolean=True)
        self.rules += [one <= one_max * first, other <= other_max * (1 - first)]

    def days(self) -> list[NDArray[np.int64]]:
        """Steps of each local calendar day."""
        found = defaultdict(list)
        for n, moment in enumerate(self.horizon.times):
            found[moment.date()].append(n)
        return [np.array(steps) for steps in found.values()]

    def window(self, first: str | None, last: str | None) -> Floats:
        """1 in the steps that start in the daily window, which may pass midnight."""
        if first is None or last is None:
            return np.ones(self.steps)
        clock = [moment.strftime("%H:%M") for moment in self.horizon.times]
        if first < last:
            return np.array([float(first <= each < last) for each in clock])
        return np.array([float(each >= first or each < last) for each in clock])


def fixed_load(m: Model, d: FixedLoad) -> None:
    m.net.append(m.profile(d.profile, d.scale_kw))


def renewable(m: Model, d: Pv | Wind) -> None:
    available = m.profile(d.profile, d.scale_kw)
    m.net.append(-m.flow(available) if d.curtailable else -available)


def given_profile(m: Model, d: GivenProfile) -> None:
    middle = m.profile(d.profile, d.scale_kw)
    band = d.band_kw or 0.0
    power = cp.Variable(m.steps)
    m.rules += [power <= middle + band, power >= middle - band]
    m.net.append(power)


def curtailable_load(m: Model, d: CurtailableLoad) -> None:
    load = m.profile(d.profile, d.scale_kw)
    most = load if d.curtailable_fraction is None else load * d.curtailable_fraction
    if d.curtailable_max_kw is not None:
        most = np.minimum(most, d.curtailable_max_kw)
    cut = m.flow(most * m.window(d.curtailable_from, d.curtailable_to))
    if d.curtailable_energy_kwh_per_day is not None:
        m.rules += [m.dt * cp.sum(cut[day]) <= d.curtailable_energy_kwh_per_day for day in m.days()]
    m.cost.append(m.dt * d.curtailment_eur_per_kwh * cp.sum(cut))
    m.net.append(load - cut)


def shiftable_load(m: Model, d: ShiftableLoad) -> None:
    load = m.profile(d.profile, d.scale_kw)
    movable = load * m.window(d.shiftable_from, d.shiftable_to)
    moved = cp.Variable(m.steps)
    m.rules += [moved <= d.shift_up_fraction * movable, moved >= -d.shift_down_fraction * movable]
    for day in m.days():
        ahead = m.dt * cp.cumsum(moved[day])
        m.rules += [ahead[-1] <= 0, ahead[-1] >= -d.energy_loss_max_kwh]
        if d.shift_energy_max_kwh is not None:
            m.rules.append(cp.abs(ahead) <= d.shift_energy_max_kwh)
    m.net.append(load + moved)


def battery(m: Model, d: Battery) -> None:
    charge, discharge = m.flow(d.charge_max_kw), m.flow(d.discharge_max_kw)
    m.either(charge, d.charge_max_kw, discharge, d.discharge_max_kw)
    level = cp.Variable(m.steps + 1)
    kept = (1 - d.self_discharge_per_hour) ** m.dt
    drawn = discharge / d.discharge_efficiency
    m.rules += [
        level[0] == d.energy_initial_kwh,
        level[1:] == kept * level[:-1] + m.dt * (d.charge_efficiency * charge - drawn),
        level[1:] <= d.energy_max_kwh,
        level[1:] >= d.energy_min_kwh,
    ]
    if d.energy_end_min_kwh is not None:
        m.rules.append(level[-1] >= d.energy_end_min_kwh)
    elif d.energy_end_eur_per_kwh == 0:
        m.rules.append(level[-1] >= d.energy_initial_kwh)
    if d.cycles_max_per_day is not None:
        m.rules += [m.dt * cp.sum(drawn[day]) <= d.cycles_max_per_day * d.energy_max_kwh for day in m.days()]
    m.cost += [m.dt * d.wear_eur_per_kwh * cp.sum(discharge), -d.energy_end_eur_per_kwh * level[-1]]
    m.net.append(charge - discharge)


def ev_session(m: Model, d: EvCharger) -> None:
    step = timedelta(hours=m.dt)
    starts: list[datetime] = [moment.to_pydatetime().astimezone(UTC) for moment in m.horizon.times]
    inside = np.array([n for n, at in enumerate(starts) if at >= d.arrival and at + step <= d.departure], dtype=int)
    over = d.departure < starts[0] + step or d.arrival > starts[-1]
    if not len(inside):
        if not over:
            m.cost.append(d.shortfall_eur_per_kwh * max(0.0, d.energy_wanted_kwh - d.energy_arrival_kwh))
        return
    charge, discharge = m.flow(d.charge_max_kw, len(inside)), m.flow(d.discharge_max_kw, len(inside))
    m.either(charge, d.charge_max_kw, discharge, d.discharge_max_kw)
    if d.charge_min_kw > 0:
        on = cp.Variable(len(inside), boolean=True)
        m.rules += [charge <= d.charge_max_kw * on, charge >= d.charge_min_kw * on]
    level = d.energy_arrival_kwh + m.dt * cp.cumsum(d.charge_efficiency * charge - discharge / d.discharge_efficiency)
    m.rules += [level >= 0, level <= d.energy_max_kwh]
    later = max(0, (d.departure - (starts[-1] + step)) // step)
    wanted = max(0.0, d.energy_wanted_kwh - later * m.dt * d.charge_max_kw * d.charge_efficiency)
    m.cost += [d.shortfall_eur_per_kwh * cp.pos(wanted - level[-1]), m.dt * d.wear_eur_per_kwh * cp.sum(discharge)]
    place = np.zeros((m.steps, len(inside)))
    place[inside, np.arange(len(inside))] = 1.0
    m.net.append(place @ (charge - discharge))


def heat_pump(m: Model, d: HeatPump) -> None:
    power, backup = m.flow(d.electric_max_kw), m.flow(d.backup_heat_max_kw)
    if d.electric_min_kw > 0:
        on = cp.Variable(m.steps, boolean=True)
        m.rules += [power <= d.electric_max_kw * on, power >= d.electric_min_kw * on]
    cop = np.full(m.steps, d.cop) if d.cop_profile is None else m.profile(d.cop_profile)
    heat = cp.multiply(cop, power) + backup
    level = _heat_store(m, d, heat)
    m.rules.append(level[1:] >= d.heat_store_min_kwh)
    m.cost.append(m.dt * d.backup_heat_eur_per_kwh * cp.sum(backup))
    m.net.append(power)


def chp(m: Model, d: Chp) -> None:
    power, boiler, vent = m.flow(d.electric_max_kw), m.flow(d.boiler_max_kw), m.flow(d.heat_spill_max_kw)
    level = _heat_store(m, d, d.heat_ratio * power + boiler - vent)
    m.rules.append(level >= 0)
    m.cost.append(m.dt * cp.sum(d.fuel_eur_per_kwh * power + d.boiler_eur_per_kwh * boiler))
    if d.ramp_kw_per_hour is not None and m.steps > 1:
        m.rules.append(cp.abs(power[1:] - power[:-1]) <= d.ramp_kw_per_hour * m.dt)
    if d.electric_min_kw > 0:
        _engine(m, d, power)
    m.net.append(-power)


def _heat_store(m: Model, d: HeatPump | Chp, heat: Any) -> Any:
    level = cp.Variable(m.steps + 1)
    kept = (1 - d.heat_store_loss_per_hour) ** m.dt
    demand = m.profile(d.heat_profile, d.heat_scale_kw)
    end = d.heat_store_initial_kwh if d.heat_store_end_min_kwh is None else d.heat_store_end_min_kwh
    m.rules += [
        level[0] == d.heat_store_initial_kwh,
        level[1:] == kept * level[:-1] + m.dt * (heat - demand),
        level[1:] <= d.heat_store_max_kwh,
        level[-1] >= end,
    ]
    return level


def _engine(m: Model, d: Chp, power: Any) -> None:
    """Runs and rests last long enough; only those that begin within the horizon count."""
    on = cp.Variable(m.steps + 1, boolean=True)
    m.rules += [on[0] == float(d.on_initial), power <= d.electric_max_kw * on[1:], power >= d.electric_min_kw * on[1:]]
    m.cost.append(d.start_eur * cp.sum(cp.pos(on[1:] - on[:-1])))
    for t in range(1, m.steps + 1):
        for later in range(t + 1, m.steps + 1):
            hours = (later - t) * m.dt
            if hours < d.min_up_hours - 1e-9:
                m.rules.append(on[later] >= on[t] - on[t - 1])
            if hours < d.min_down_hours - 1e-9:
                m.rules.append(1 - on[later] >= on[t - 1] - on[t])


MEANING: dict[type[Device], Callable[[Model, Any], None]] = {
    FixedLoad: fixed_load,
    Pv: renewable,
    Wind: renewable,
    GivenProfile: given_profile,
    CurtailableLoad: curtailable_load,
    ShiftableLoad: shiftable_load,
    Battery: battery,
    EvCharger: ev_session,
    HeatPump: heat_pump,
    Chp: chp,
}


def least_cost_eur(pod: Pod, devices: Sequence[Device], horizon: Horizon, profiles: dict[str, Floats]) -> float | None:
    """The least that a POD can pay, None where no schedule exists."""
    m = Model(horizon, profiles)
    for device in devices:
        MEANING[type(device)](m, device)
    withdrawal, injection = m.flow(pod.withdrawal_max_kw or np.inf), m.flow(pod.injection_max_kw or np.inf)
    m.rules.append(withdrawal - injection == sum(m.net, np.zeros(m.steps)))
    buy, sell = m.profile(pod.buy_profile), m.profile(pod.sell_profile)
    bill = m.dt * (buy @ withdrawal - sell @ injection) + pod.peak_eur_per_kw * cp.max(withdrawal)
    problem = cp.Problem(cp.Minimize(bill + sum(m.cost)), [rule for rule in m.rules if not isinstance(rule, bool)])
    problem.solve(solver=cp.HIGHS, mip_rel_gap=1e-9, primal_feasibility_tolerance=1e-9, mip_feasibility_tolerance=1e-9)
    if problem.status in ("infeasible", "infeasible_or_unbounded"):
        return None
    assert problem.status == "optimal", problem.status
    return float(problem.value)
