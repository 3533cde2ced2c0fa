"""HiGHS as the programmes use it: silent, and exact about what it could not do."""

import os
import subprocess
import sys

BATTERY = """
from datetime import UTC, datetime
from podium.devices import Battery, FixedLoad
from podium.flex.solve import solve
from podium.horizon import Horizon
from podium.portfolio import Pod, Portfolio

one, two = (
    Battery(device=name, charge_max_kw=2, discharge_max_kw=3, energy_max_kwh=4, energy_initial_kwh=2)
    for name in ("one", "two")
)
load = FixedLoad(device="load", profile="load")
pod = Pod(pod="home", devices=[load, one, two], buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.1)
horizon = Horizon(datetime(2018, 5, 14, tzinfo=UTC), 30, 4, "Europe/Rome")
portfolio = Portfolio.of([pod], horizon, {"load": [1.0, 2.0, 0.5, 3.0]})
solution = solve(portfolio.store(), portfolio.meter(), horizon.step_hours, horizon.day)
assert solution.method[0] == "lp"
"""


def test_nothing_is_printed() -> None:
    """HiGHS shows its banner once per process, on its own standard output: a fresh process shows none."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BATTERY], capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


THREADS = """
import highspy

other = highspy.Highs()
other.setOptionValue("threads", 3)
other.addVariable(0.0, 1.0, 1.0)
other.run()
"""


def test_another_user_of_highs_in_the_process_does_no_harm_and_takes_none() -> None:
    """HiGHS refuses to run with one thread once somebody has started it with three, and the other way round."""
    again = "other.clearSolver()\nassert other.run() == highspy.HighsStatus.kOk\n"
    command = [sys.executable, "-W", "error", "-c", THREADS + BATTERY + again + BATTERY + again]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_results_are_those_of_one_thread_whoever_runs_highs_beside_it() -> None:
    """Branch and bound that is cut short: its bound is the same whether somebody else has started three threads."""
    commands = ([sys.executable, "-c", first + CUT_SHORT] for first in ("", THREADS))
    done = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    alone, beside = (out.splitlines()[-1] for out in done)
    assert alone == beside
    assert int(alone.split()[1]) >= 300


CUT_SHORT = """
import numpy as np
from highspy import HighsVarType
from podium.flex.highs import QuietHighs

random, count = np.random.default_rng(0), 60
highs = QuietHighs()
highs.addVars(count, np.zeros(count), np.ones(count))
columns = np.arange(count, dtype=np.int32)
highs.changeColsCost(count, columns, -random.integers(5, 50, count).astype(float))
highs.changeColsIntegrality(count, columns, np.array([HighsVarType.kInteger] * count))
for _ in range(25):
    highs.addRow(-np.inf, 100.0, count, columns, random.integers(1, 20, count).astype(float))
highs.setOptionValue("mip_max_nodes", 300)
highs.run()
print(highs.getInfo().mip_dual_bound, highs.getInfo().mip_node_count)
"""
