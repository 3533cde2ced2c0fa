"""Level 2: the portfolio on the markets."""

from podium.market.prices import EnergyPrices

__all__ = ["EnergyPrices"]
