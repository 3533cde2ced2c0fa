"""The independent judge of schedules: physics and money worked out again from the study's data alone.

It knows neither the canonical form nor any solver; every kind's rules are written a second time, from what its fields
mean (docs/maths/check.md).
"""

from podium.checking.judge import check_position, check_schedule
from podium.checking.money import device_cost_eur, level1_cost_eur, market_profit_eur
from podium.checking.replay import replay
from podium.checking.report import CheckReport, Violation
from podium.checking.results import check_results
from podium.checking.schedule import Schedule

__all__ = [
    "CheckReport",
    "Schedule",
    "Violation",
    "check_position",
    "check_results",
    "check_schedule",
    "device_cost_eur",
    "level1_cost_eur",
    "market_profit_eur",
    "replay",
]
