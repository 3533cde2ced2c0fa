"""Compiling the kernels before they are needed."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from podium.devices import Battery, FixedLoad
from podium.horizon import Horizon
from podium.local import optimise_local
from podium.portfolio import Pod, Portfolio


def compile_kernels() -> float:
    """Run every kernel once on a small study; they are kept on disk. Returns the seconds it took."""
    begun = perf_counter()
    horizon = Horizon.days("2018-03-25", 1, 60, "Europe/Rome")
    battery = Battery(device="battery", charge_max_kw=2, discharge_max_kw=2, energy_max_kwh=5, energy_initial_kwh=2)
    pod = Pod(pod="pod", devices=[FixedLoad(device="load", profile="load"), battery])
    portfolio = Portfolio.of([pod], horizon, {"load": np.ones(horizon.steps)})
    optimise_local(portfolio, market_eur_per_kwh=np.linspace(-0.1, 0.2, horizon.steps), workers=1)
    return perf_counter() - begun
