"""Podium: a virtual power plant simulator and optimiser.

study = podium.load_study("folder")
result = podium.run(study)
result.summary["level2"]["profit_eur"]
"""

from typing import TYPE_CHECKING, Any

from podium.version import __version__

if TYPE_CHECKING:
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
    from podium.engine import Result, check, run
    from podium.errors import InputError, PodiumError, Problem
    from podium.explaining import Explanation, explain
    from podium.horizon import Horizon
    from podium.local import LocalResult, optimise_local
    from podium.market.plan import Plan, optimise_portfolio
    from podium.market.prices import EnergyPrices
    from podium.portfolio import Pod, Portfolio
    from podium.profiles import Profiles
    from podium.study import Options, Study, load_study, write_study

_HOME = {
    "podium.devices": (
        "Battery",
        "Chp",
        "CurtailableLoad",
        "EvCharger",
        "FixedLoad",
        "GivenProfile",
        "HeatPump",
        "Pv",
        "ShiftableLoad",
        "Wind",
    ),
    "podium.engine": ("Result", "check", "run"),
    "podium.errors": ("InputError", "PodiumError", "Problem"),
    "podium.explaining": ("Explanation", "explain"),
    "podium.horizon": ("Horizon",),
    "podium.local": ("LocalResult", "optimise_local"),
    "podium.market.plan": ("Plan", "optimise_portfolio"),
    "podium.market.prices": ("EnergyPrices",),
    "podium.portfolio": ("Pod", "Portfolio"),
    "podium.profiles": ("Profiles",),
    "podium.study": ("Options", "Study", "load_study", "write_study"),
}
_LAZY = {name: home for home, names in _HOME.items() for name in names}

__all__ = [
    "Battery",
    "Chp",
    "CurtailableLoad",
    "EnergyPrices",
    "EvCharger",
    "Explanation",
    "FixedLoad",
    "GivenProfile",
    "HeatPump",
    "Horizon",
    "InputError",
    "LocalResult",
    "Options",
    "Plan",
    "Pod",
    "PodiumError",
    "Portfolio",
    "Problem",
    "Profiles",
    "Pv",
    "Result",
    "ShiftableLoad",
    "Study",
    "Wind",
    "__version__",
    "check",
    "explain",
    "load_study",
    "optimise_local",
    "optimise_portfolio",
    "run",
    "write_study",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first asked for: the command line answers at once."""
    from importlib import import_module

    if name not in _LAZY:
        raise AttributeError(f"module 'podium' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
