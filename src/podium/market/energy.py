"""`method="exact"` where nothing couples PODs: a price-taker with one price of energy (docs/maths/level2.md).

With one price for buying and selling, the portfolio's profit is the sum of the PODs': every POD answers the price with
its own optimum, and no coordination could do better. The certificate is the sum of the PODs' bounds.
"""

from __future__ import annotations

import numpy as np

from podium.compute import Progress, Workers, silent
from podium.errors import InputError, Problem
from podium.flex.exclusive import Limits
from podium.horizon import Horizon
from podium.local import Response, respond
from podium.market.prices import KWH_PER_MWH, EnergyPrices
from podium.portfolio import Portfolio


def respond_to_market(
    portfolio: Portfolio,
    prices: EnergyPrices,
    limits: Limits,
    workers: Workers = None,
    progress: Progress = silent,
) -> Response:
    """Every POD's best response to the market price, which is one for buying and selling."""
    return respond(portfolio, prices.buy / KWH_PER_MWH, limits=limits, workers=workers, progress=progress)


def ensure_no_arbitrage(prices: EnergyPrices | None, horizon: Horizon) -> None:
    """Raise InputError where the market pays more for selling than it asks for buying: profit would have no limit."""
    if prices is None or not (prices.sell > prices.buy).any():
        return
    step = int(np.argmax(prices.sell > prices.buy))
    value = f"buying at {prices.buy[step]:g} and selling at {prices.sell[step]:g} EUR/MWh: profit would have no limit"
    expected = "a selling price at most as high as the buying price, with method 'exact'"
    raise InputError(Problem(f"prices at {horizon.times[step].isoformat(timespec='minutes')}", value, expected))
