"""Figures of a whole portfolio over time: flexibility, profit, prices, and the limits that bind."""

from __future__ import annotations

import numpy as np
import pandas as pd

from podium.report.files import Results
from podium.web import figures
from podium.web.charts import Band, Figure, Series, TimeAxis, ValueAxis
from podium.web.charts.figure import Floats

KWH_PER_MWH = 1000.0


def row(table: pd.DataFrame, name: str) -> Floats:
    """A column as numbers, NaN where there is none."""
    return np.asarray(table[name].to_numpy(dtype=float, na_value=np.nan))


def known(values: Floats) -> bool:
    """Whether there is any number."""
    return bool(np.isfinite(values).any())


def flexibility(results: Results) -> Figure:
    """Flexibility bound, the reference method's optimised bound within it, baseline, and the plan's position."""
    names = ("min_kw", "max_kw", "virtus_sum_min_kw", "virtus_sum_max_kw", "virtus_min_kw", "virtus_max_kw")
    low, high, sum_low, sum_high, promised_low, promised_high = (row(results.steps, name) for name in names)
    promised = known(sum_high)
    baseline, position = row(results.steps, "baseline_kw"), row(results.steps, "position_kw")
    band = "flexibility bound" if promised else "least to greatest energy"
    shown: list[Series | Band] = [Band(band, sum_low, sum_high, "band") if promised else Band(band, low, high, "band")]
    if promised:
        shown.append(Series("optimised bound, greatest", promised_high, "reference", dashed=True))
        shown.append(Series("optimised bound, least", promised_low, "1", dashed=True))
    shown.append(Series("baseline", baseline, "baseline"))
    planned = results.summary["level2"]["method"] is not None
    if planned:
        shown.append(Series("plan", position, "plan", width=2.2))
    peak = figures.power_kw(float(np.nanmax(np.abs(position if planned else baseline), initial=0.0)))
    return Figure(
        "Flexibility bound and optimised bound" if promised else "Flexibility bound",
        f"Net power of the portfolio in each step; {'the plan' if planned else 'the baseline'} peaks at {peak}.",
        TimeAxis.of(results.clock),
        ValueAxis("Net power (+ withdraws)", "kW"),
        shown,
        file_name="flexibility",
    )


def profit(results: Results) -> Figure | None:
    """Profit of each step on the energy market, its mean, and what the reference method claims."""
    plan, claimed = row(results.steps, "profit_eur"), row(results.steps, "virtus_profit_eur")
    if not known(plan):
        return None
    mean = float(np.nanmean(plan))
    shown = [
        Series("plan, on the energy market", plan, "plan", filled=True),
        Series("its mean", np.full(len(plan), mean), "plan", dashed=True, width=1.2),
    ]
    if known(claimed):
        of_method = float(np.nanmean(claimed))
        shown.append(Series("claimed by the reference method", claimed, "reference"))
        shown.append(Series("mean of the claim", np.full(len(plan), of_method), "reference", dashed=True, width=1.2))
    return Figure(
        "Profit per step",
        f"Mean {figures.eur(mean)} in each step for the whole portfolio.",
        TimeAxis.of(results.clock),
        ValueAxis("Profit per step", "EUR"),
        shown,
        file_name="profit",
        zoom=False,
    )


def price(results: Results, shadow: pd.DataFrame | None) -> Figure | None:
    """Market prices, and what energy is worth to the portfolio where something couples its PODs."""
    buy, sell, production = (row(results.steps, f"{name}_eur_per_mwh") for name in ("buy", "sell", "production"))
    if not known(buy):
        return None
    one = np.array_equal(buy, sell, equal_nan=True)
    shown = [Series("market" if one else "buying", buy, "plan", width=2.0)]
    if not one:
        shown.append(Series("selling", sell, "bound"))
    if np.nan_to_num(production).any():
        shown.append(Series("production", production, "other", dashed=True))
    worth = _worth_of_energy(shadow, len(buy))
    if worth is not None and not np.allclose(worth, buy, atol=0.005):
        shown.append(Series("worth to the portfolio (shadow price)", worth, "reference", dashed=True))
    least, most = float(np.nanmin(buy)), float(np.nanmax(buy))
    return Figure(
        "Energy prices",
        f"Market prices from {figures.eur_per_mwh(least)} to {figures.eur_per_mwh(most)}.",
        TimeAxis.of(results.clock),
        ValueAxis("Price", "EUR/MWh"),
        shown,
        file_name="prices",
        zoom=False,
    )


def _worth_of_energy(shadow: pd.DataFrame | None, steps: int) -> Floats | None:
    """The price of energy for PODs outside all groups, EUR/MWh; None where there is none. Shape (step,)."""
    if shadow is None:
        return None
    values = row(shadow[(shadow["what"] == "energy") & (shadow["group"] == "")], "eur_per_kwh") * KWH_PER_MWH
    return values if len(values) == steps else None


def reserve_prices(results: Results, shadow: pd.DataFrame | None) -> Figure | None:
    """What holding a kW ready for an hour is worth, for each product and side; None where nothing is sold."""
    if shadow is None:
        return None
    parts = shadow[(shadow["what"] != "energy") & (shadow["group"] == "")].groupby("what", sort=False)
    steps = len(results.clock.times)
    shown = [
        Series(str(name), KWH_PER_MWH * row(part, "eur_per_kwh"), str(number))
        for number, (name, part) in enumerate(parts)
        if len(part) == steps
    ]
    if not shown:
        return None
    return Figure(
        "Worth of reserve to the portfolio",
        "Shadow price of power held ready, for each product and side.",
        TimeAxis.of(results.clock),
        ValueAxis("Shadow price", "EUR/MW/h", from_zero=True),
        shown,
        file_name="reserve-shadow-prices",
        zoom=False,
    )


def limit_prices(results: Results, limits: pd.DataFrame) -> Figure:
    """What one kW more of each limit is worth in each step; zero where the limit does not bind."""
    times = results.clock.times
    shown = []
    for number, (name, part) in enumerate(limits.groupby(["what", "group"], sort=False)):
        values = np.zeros(len(times))
        step = times.get_indexer(pd.DatetimeIndex(part["time"]).tz_convert(times.tz))
        values[step[step >= 0]] = row(part, "eur_per_kw")[step >= 0]
        shown.append(Series(limit_name(*(str(word) for word in name)), values, str(number)))
    return Figure(
        "What one kW more of a limit is worth",
        f"Shadow prices of {figures.counted(len(shown), 'limit')} that bind in some step.",
        TimeAxis.of(results.clock),
        ValueAxis("Shadow price", "EUR/kW"),
        shown,
        file_name="limits",
    )


def limit_name(what: str, group: str) -> str:
    """A limit in words.

    >>> limit_name("withdrawal", ""), limit_name("injection", "north")
    ('withdrawal of the portfolio', 'injection of group north')
    """
    return f"{what} of {f'group {group}' if group else 'the portfolio'}"
