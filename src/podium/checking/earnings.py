"""What a plan earns on all its markets, part by part, worked out again from the study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.checking.bids import units_of
from podium.checking.limits import Floats
from podium.checking.money import KWH_PER_MWH, MarketPrices, retail_eur
from podium.checking.offers import KW_PER_MW, Offers
from podium.market.terms import Market, ReserveProduct
from podium.portfolio import Portfolio


@dataclass(frozen=True)
class Earnings:
    """Parts of a plan's profit, EUR; none but the first two is an income."""

    energy_by_unit_eur: Floats
    """Paid by the energy market for each market time unit. Shape (unit,)."""
    reserve_eur: float
    retail_by_pod_eur: Floats
    """Bills of the PODs under their own tariffs. Shape (pod,)."""
    device_by_pod_eur: Floats
    """Costs of the use of the PODs' devices. Shape (pod,)."""
    peak_eur: float

    @property
    def parts(self) -> dict[str, float]:
        """The parts by the names of summary.json."""
        return {
            "energy_eur": float(self.energy_by_unit_eur.sum()),
            "reserve_eur": self.reserve_eur,
            "retail_eur": float(self.retail_by_pod_eur.sum()),
            "device_eur": float(self.device_by_pod_eur.sum()),
            "peak_eur": self.peak_eur,
        }

    @property
    def profit_eur(self) -> float:
        """Energy and reserve less retail bills, devices and peak charge."""
        parts = self.parts
        return parts["energy_eur"] + parts["reserve_eur"] - sum(parts[f"{n}_eur"] for n in ("retail", "device", "peak"))

    @property
    def scale_eur(self) -> float:
        """Size of the sums in it, for tolerances."""
        sums = (self.energy_by_unit_eur, self.retail_by_pod_eur, self.device_by_pod_eur)
        return float(sum(abs(part).sum() for part in sums) + abs(self.reserve_eur) + self.peak_eur)


def earnings_of(
    portfolio: Portfolio, net_kw: Floats, device_eur: Floats, market: Market, prices: MarketPrices | None,
    offers_kw: Offers, position_kw: Floats,
) -> Earnings:  # fmt: skip
    """The profit of net powers (pod, step), device costs (pod,), EUR, and offers, at position (step,)."""
    horizon = portfolio.horizon
    unit = units_of(horizon, market.time_unit_minutes)
    energy = np.zeros(int(unit[-1]) + 1)
    if prices is not None and market.settlement != "retail":
        energy = _energy_eur(position_kw, prices, unit, horizon.step_hours)
    retail = np.zeros(len(portfolio))
    if market.settlement != "market":
        price = (
            None if prices is None else (prices.buy / KWH_PER_MWH, np.minimum(prices.sell, prices.buy) / KWH_PER_MWH)
        )
        retail = retail_eur(portfolio, np.nan_to_num(net_kw), price)
    price_eur = np.zeros(horizon.steps) if prices is None else (prices.buy + prices.sell) / 2.0
    reserve = sum(
        reserve_eur(product, np.asarray(offers_kw[product.name]), price_eur, horizon.step_hours)
        for product in market.reserves
        if product.name in offers_kw
    )
    peak = market.peak_eur_per_kw * float(np.maximum(position_kw, 0.0).max(initial=0.0))
    return Earnings(energy, float(reserve), retail, device_eur, peak)


def reserve_eur(product: ReserveProduct, offer_kw: Floats, energy_eur_per_mwh: Floats, step_hours: float) -> float:
    """What offers (block,) earn: availability, and for the expected share that is called the margin over energy."""
    total = 0.0
    for step, block in enumerate(product.block):
        if block < 0:
            continue
        margin = {
            "up": product.activation_eur_per_mwh[step] - energy_eur_per_mwh[step],
            "down": energy_eur_per_mwh[step] - product.activation_eur_per_mwh[step],
            "symmetric": 0.0,
        }[product.direction]
        rate = product.availability_eur_per_mw_h[block] + product.activated_share * margin
        total += offer_kw[block] / KW_PER_MW * step_hours * rate
    return float(total)


def _energy_eur(position_kw: Floats, prices: MarketPrices, unit: np.ndarray, step_hours: float) -> Floats:
    """The mean position of each unit, bought or sold at the unit's mean price. Shape (unit,)."""
    count = np.bincount(unit)
    mean, buy, sell = (np.bincount(unit, row) / count for row in (position_kw, prices.buy, prices.sell))
    paid = np.where(mean > 0, buy, sell)
    return np.asarray(-paid * mean * count * step_hours / KWH_PER_MWH)
