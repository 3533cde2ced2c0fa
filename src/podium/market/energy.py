"""`method="exact"` in the energy market: a price-taker whose PODs do not couple (docs/maths/level2.md).

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
    """Every POD's best response to the market price.

    Raises InputError where buying and selling prices differ.
    """
    require_one_price(prices, portfolio.horizon)
    return respond(portfolio, prices.buy / KWH_PER_MWH, limits=limits, workers=workers, progress=progress)


def require_one_price(prices: EnergyPrices, horizon: Horizon) -> None:
    """Raise InputError where buying and selling prices differ.

    The portfolio settles its net position, which then couples its PODs; and where selling pays more, buying and
    selling at once has no limit.
    """
    if not prices.one_price:
        dear = prices.sell > prices.buy
        step = int(np.argmax(dear if dear.any() else prices.sell != prices.buy))
        why = "profit would have no limit" if dear.any() else "PODs would net each other"
        value = f"buying at {prices.buy[step]:g} and selling at {prices.sell[step]:g} EUR/MWh: {why}"
        expected = "one price for both (price_eur_per_mwh) with method 'exact'; method 'virtus' takes different ones"
        raise InputError(Problem(f"prices at {horizon.times[step].isoformat(timespec='minutes')}", value, expected))
