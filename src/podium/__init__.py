"""Podium: a virtual power plant simulator and optimiser.

    study = podium.load_study("folder")
    result = podium.run(study)
    result.summary["level2"]["profit_eur"]
"""

from podium.devices import (
    Battery,
    Chp,
    CurtailableLoad,
    EvCharger,
    FixedLoad,
    GivenProfile,
    HeatPump,
    Pv,
    ShiftableLoad,
    Wind,
)
from podium.errors import InputError, PodiumError, Problem
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.portfolio import Pod, Portfolio
from podium.profiles import Profiles

__version__ = "0.1.0"
