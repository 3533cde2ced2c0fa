"""The independent judge of schedules: physics and money worked out again from the study's data alone.

It knows neither the canonical form nor any solver; every kind's rules are written a second time, from what its fields
mean (docs/maths/check.md).
"""

from podium.checking.activation import Calls, check_delivery, replay_calls
from podium.checking.backing import HEADROOM, Backing
from podium.checking.ends import free_to_end
from podium.checking.judge import check_position, check_schedule
from podium.checking.money import device_cost_eur, level1_cost_eur, market_profit_eur
from podium.checking.offers import check_backed, check_offers, check_portfolio_limits
from podium.checking.replay import replay
from podium.checking.report import CheckReport, Violation
from podium.checking.reserve import check_reserve
from podium.checking.results import check_files, check_results
from podium.checking.results_folder import ResultsFolder
from podium.checking.schedule import Schedule

__all__ = [
    "HEADROOM",
    "Backing",
    "Calls",
    "CheckReport",
    "ResultsFolder",
    "Schedule",
    "Violation",
    "check_backed",
    "check_delivery",
    "check_files",
    "check_offers",
    "check_portfolio_limits",
    "check_position",
    "check_reserve",
    "check_results",
    "check_schedule",
    "device_cost_eur",
    "free_to_end",
    "level1_cost_eur",
    "market_profit_eur",
    "replay",
    "replay_calls",
]
