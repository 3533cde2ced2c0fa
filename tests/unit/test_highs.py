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


def test_another_user_of_highs_in_the_process_does_no_harm() -> None:
    """HiGHS refuses to run with one thread once somebody has started it with three; Podium then takes the three."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", THREADS + BATTERY], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
