"""Benchmark A against other tools, in one run: CPU milliseconds per POD, and how many times Podium's.

    python benchmarks/compare_a.py --pods 30

Needs the dependency group `compare`. Every tool solves the same PODs one after the other, as level 1 does; building a
model once and changing its numbers counts as that tool's best way, so only Pyomo's AbstractModel (the reference's
pattern) builds anew for every POD. Costs must agree to 1e-9 EUR with HiGHS, and to the others' tolerances.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from time import process_time
from typing import Any

import cvxpy
import highspy
import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.appsi.solvers import Highs as AppsiHighs

from podium.bench.benchmark_a import EFFICIENCY, ENERGY_KWH, POWER_KW, STEP_HOURS, STEPS, Batch, batches, optimised
from podium.flex.highs import QuietHighs

Costs = np.ndarray
INFINITY = highspy.kHighsInf


class HighsReused:
    """One HiGHS model; a POD's load and PV change bounds of rows and columns, and the basis stays.

    Columns: withdrawal, injection, PV, charge, discharge, energy (96 each). Rows: balance, store.
    """

    def __init__(self, batch: Batch) -> None:
        zeros, ones = np.zeros(STEPS), np.ones(STEPS)
        free, power, energy = INFINITY * ones, POWER_KW * ones, ENERGY_KWH * ones
        self.least_energy = np.where(np.arange(STEPS) == STEPS - 1, ENERGY_KWH / 2, 0.0)
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = 6 * STEPS, 2 * STEPS
        program.col_cost_ = np.concatenate([STEP_HOURS * batch.buy, -STEP_HOURS * batch.sell, *[zeros] * 4])
        program.col_lower_ = np.concatenate([*[zeros] * 5, self.least_energy])
        program.col_upper_ = np.concatenate([free, free, zeros, power, power, energy])
        start = np.zeros(2 * STEPS)
        start[STEPS] = ENERGY_KWH / 2
        program.row_lower_ = program.row_upper_ = start
        self._matrix(program)
        self.highs = QuietHighs()
        for name, value in (("threads", 1), ("presolve", "off")):
            self.highs.setOptionValue(name, value)
        self.highs.passModel(program)
        self.pv = np.arange(2 * STEPS, 3 * STEPS, dtype=np.int32)
        self.balance = np.arange(STEPS, dtype=np.int32)

    @staticmethod
    def _matrix(program: highspy.HighsLp) -> None:
        """withdrawal - injection + pv - charge + discharge = load;  e[t+1] - e[t] - dt (eta c - d / eta) = 0."""
        start, index, value = [0], [], []
        sides = (
            (1.0, None),
            (-1.0, None),
            (1.0, None),
            (-1.0, -STEP_HOURS * EFFICIENCY),
            (1.0, STEP_HOURS / EFFICIENCY),
        )
        for at_meter, in_store in sides:
            for step in range(STEPS):
                index += [step] + ([] if in_store is None else [STEPS + step])
                value += [at_meter] + ([] if in_store is None else [in_store])
                start.append(len(index))
        for step in range(STEPS):
            last = step == STEPS - 1
            index += [STEPS + step] + ([] if last else [STEPS + step + 1])
            value += [1.0] + ([] if last else [-1.0])
            start.append(len(index))
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_, program.a_matrix_.index_, program.a_matrix_.value_ = start, index, value

    def cost(self, load: np.ndarray, pv: np.ndarray) -> float:
        """EUR of one POD's cheapest day."""
        self.highs.changeColsBounds(STEPS, self.pv, np.zeros(STEPS), pv)
        self.highs.changeRowsBounds(STEPS, self.balance, load, load)
        self.highs.run()
        return float(self.highs.getInfo().objective_function_value)


class PyomoAbstract:
    """The reference's pattern: an AbstractModel, an instance per POD, HiGHS to solve it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        model = self.model = pyo.AbstractModel()
        model.step = pyo.RangeSet(0, STEPS - 1)
        for name in ("load_kw", "pv", "buy", "sell"):
            setattr(model, name, pyo.Param(model.step))
        for name, most in (("charge", POWER_KW), ("discharge", POWER_KW), ("energy", ENERGY_KWH)):
            setattr(model, name, pyo.Var(model.step, bounds=(0, most)))
        model.withdrawal, model.injection = (pyo.Var(model.step, domain=pyo.NonNegativeReals) for _ in range(2))
        model.used = pyo.Var(model.step, bounds=lambda m, t: (0, m.pv[t]))
        model.balance = pyo.Constraint(model.step, rule=self._balance)
        model.store = pyo.Constraint(model.step, rule=self._store)
        model.end = pyo.Constraint(rule=lambda m: m.energy[STEPS - 1] >= ENERGY_KWH / 2)
        model.bill = pyo.Objective(rule=self._bill)
        self.solver = AppsiHighs()
        self.solver.highs_options = {"threads": 1}

    @staticmethod
    def _balance(m: Any, t: int) -> Any:
        return m.withdrawal[t] - m.injection[t] == m.load_kw[t] - m.used[t] + m.charge[t] - m.discharge[t]

    @staticmethod
    def _store(m: Any, t: int) -> Any:
        before = m.energy[t - 1] if t else ENERGY_KWH / 2
        return m.energy[t] == before + STEP_HOURS * (EFFICIENCY * m.charge[t] - m.discharge[t] / EFFICIENCY)

    @staticmethod
    def _bill(m: Any) -> Any:
        return STEP_HOURS * sum(m.buy[t] * m.withdrawal[t] - m.sell[t] * m.injection[t] for t in m.step)

    def cost(self, load: np.ndarray, pv: np.ndarray) -> float:
        """EUR of one POD's cheapest day."""
        series = {"load_kw": load, "pv": pv, "buy": self.batch.buy, "sell": self.batch.sell}
        data = {name: dict(enumerate(values.tolist())) for name, values in series.items()}
        instance = self.model.create_instance({None: data})
        self.solver.set_instance(instance)
        return float(self.solver.solve(instance).best_feasible_objective)


class CvxpyParameters:
    """One cvxpy problem whose load and PV are parameters (disciplined parametrised programming), HiGHS to solve it."""

    def __init__(self, batch: Batch) -> None:
        self.load, self.pv = (cvxpy.Parameter(STEPS) for _ in range(2))
        flows = withdrawal, injection, used, charge, discharge = [cvxpy.Variable(STEPS, nonneg=True) for _ in range(5)]
        energy = cvxpy.Variable(STEPS + 1)
        limits = [flow >= 0 for flow in flows] + [used <= self.pv, charge <= POWER_KW, discharge <= POWER_KW]
        limits += [withdrawal - injection == self.load - used + charge - discharge, energy[0] == ENERGY_KWH / 2]
        limits += [energy[1:] == energy[:-1] + STEP_HOURS * (EFFICIENCY * charge - discharge / EFFICIENCY)]
        limits += [energy >= 0, energy <= ENERGY_KWH, energy[STEPS] >= ENERGY_KWH / 2]
        bill = STEP_HOURS * (batch.buy @ withdrawal - batch.sell @ injection)
        self.problem = cvxpy.Problem(cvxpy.Minimize(bill), limits)

    def cost(self, load: np.ndarray, pv: np.ndarray) -> float:
        """EUR of one POD's cheapest day."""
        self.load.value, self.pv.value = load, pv
        return float(self.problem.solve(solver=cvxpy.HIGHS))


def one_by_one(tool: Any, batch: Batch) -> Costs:
    return np.array([tool.cost(load, pv) for load, pv in zip(batch.load, batch.pv, strict=True)])


def taken(work: Callable[[], Costs]) -> tuple[Costs, float]:
    """Costs, and CPU seconds."""
    begun = process_time()
    costs = work()
    return costs, process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=30, help="PODs for each of the other tools")
    parser.add_argument("--rounds", type=int, default=3, help="all tools take turns so often; the median counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    batch, many = next(batches(options.pods)), next(batches(1000))
    tools = {"HiGHS reused": HighsReused(batch), "cvxpy DPP": CvxpyParameters(batch)}
    tools["Pyomo AbstractModel"] = PyomoAbstract(batch)
    truth = optimised(batch).cost_eur
    for tool in tools.values():
        tool.cost(batch.load[0], batch.pv[0])
    optimised(many)
    seconds: dict[str, list[float]] = {name: [] for name in ("Podium", *tools)}
    worst = {}
    for _ in range(options.rounds):
        seconds["Podium"].append(taken(lambda: optimised(many).cost_eur)[1] / len(many.load))
        for name, tool in tools.items():
            costs, spent = taken(lambda tool=tool: one_by_one(tool, batch))
            seconds[name].append(spent / options.pods)
            worst[name] = float(np.abs(costs - truth).max())
    own = statistics.median(seconds["Podium"])
    rows = {
        name: {
            "cpu_ms_per_pod": 1000 * statistics.median(values),
            "times_podium": statistics.median(values) / own,
            "largest_difference_eur": worst.get(name, 0.0),
        }
        for name, values in seconds.items()
    }
    if worst["HiGHS reused"] > 1e-9:
        raise SystemExit(f"HiGHS and Podium differ by {worst['HiGHS reused']:g} EUR at a POD")
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'tool':22}{'CPU ms/POD':>12}{'x Podium':>10}{'largest difference, EUR':>26}")
    for name, row in rows.items():
        print(f"{name:22}{row['cpu_ms_per_pod']:12.3f}{row['times_podium']:10.0f}{row['largest_difference_eur']:26.1e}")


if __name__ == "__main__":
    main()
