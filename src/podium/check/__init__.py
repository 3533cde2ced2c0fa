"""The independent judge of schedules: physics and money worked out again from the study's data alone.

It knows neither the canonical form nor any solver; every kind's rules are written a second time, from what its fields
mean (docs/maths/check.md).
"""

from podium.check.judge import check_position, check_schedule
from podium.check.money import device_cost_eur, level1_cost_eur, market_profit_eur
from podium.check.replay import replay
from podium.check.report import CheckReport, Violation
from podium.check.results import check_results
from podium.check.schedule import Schedule

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
