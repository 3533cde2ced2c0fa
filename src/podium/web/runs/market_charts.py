"""Figures of what is sold and proven: reserve and what backs it, bid curves, rounds, and what the pool is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from podium.report.sold import Backed, worth_rows
from podium.report.text import kind_text
from podium.web import figures
from podium.web.charts import Figure, NameAxis, NumberAxis, Series, Stack, TimeAxis, ValueAxis
from podium.web.charts.figure import Floats
from podium.web.runs.portfolio_charts import row

#: PODs that are drawn of those that contribute.
SHOWN_SHARES = 15


def product_name(product: str, direction: str) -> str:
    """A side of a product in words.

    >>> product_name("afrr-up", "up"), product_name("fcr", "down")
    ('afrr-up', 'fcr, down')
    """
    return product if product.endswith(direction) else f"{product}, {direction}"


def backing(backed: Backed, axis: TimeAxis, colours: Mapping[str, str]) -> Figure:
    """What is offered of a side of a product, and what backs it, by kind of device (`colours`: kind -> colour)."""
    parts = [(kind_text(kind), values, colours[kind]) for kind, values in backed.kinds.items()]
    shown: list[Series | Stack] = [Stack(parts)]
    if backed.offer_kw is not None:
        shown.append(Series("offered", backed.offer_kw, "bound", width=2.0))
    name = product_name(backed.product, backed.direction)
    kinds = ", ".join(text for text, _, _ in parts) or "nothing"
    return Figure(
        f"Reserve {name}",
        f"Power held ready in each step, backed by {kinds}.",
        axis,
        ValueAxis("Power held ready", "kW", from_zero=True),
        shown,
        file_name=f"reserve-{backed.product}-{backed.direction}",
    )


def kind_colours(backed: Sequence[Backed]) -> dict[str, str]:
    """A colour for each kind of device, the same in all figures."""
    kinds = dict.fromkeys(kind for each in backed for kind in each.kinds)
    return {kind: str(number) for number, kind in enumerate(kinds)}


def bid_curve(span: str, bid: pd.DataFrame) -> Figure:
    """The energy bid of a market time unit: quantity against price."""
    price, quantity = row(bid, "price_eur_per_mwh"), row(bid, "quantity_mw")
    return Figure(
        f"Energy bid, {span}",
        f"{figures.counted(len(price), 'price')}; positive quantities are bought, negative ones sold.",
        NumberAxis("Price", "EUR/MWh", price),
        ValueAxis("Net quantity (+ bought)", "MW"),
        [Series("bid", quantity, "plan", look="point" if len(price) == 1 else "step", width=2.0)],
        file_name=f"bid-{span}",
    )


def rounds(told: Sequence[Mapping[str, Any]]) -> Figure:
    """Bound and profit of the best mix, round by round; the first rounds, far off, are left out of many."""
    late = told[_first_shown(told) :]
    number = np.array([each["round"] for each in late], dtype=float)
    bound, profit = (_money(late, name) for name in ("bound_eur", "profit_eur"))
    last = figures.eur(float(bound[-1]) - float(profit[-1])) if len(late) else figures.ABSENT
    return Figure(
        "Bound and profit by round",
        f"{figures.counted(len(told), 'round')}; the distance at the end is {last}.",
        NumberAxis("Round", "", number, decimals=0),
        ValueAxis("Profit", "EUR"),
        [
            Series("no plan can earn more (bound)", bound, "reference", look="line", width=2.0),
            Series("best mix (profit)", profit, "plan", look="line", width=2.0),
        ],
        note="" if len(late) == len(told) else f"From round {late[0]['round']} on",
        file_name="rounds",
    )


def gaps(told: Sequence[Mapping[str, Any]]) -> Figure:
    """The gap of each round, on a logarithmic axis."""
    number = np.array([each["round"] for each in told], dtype=float)
    gap = 100.0 * _money(told, "gap")
    return Figure(
        "Gap by round",
        "Distance of bound and profit, relative to the profit.",
        NumberAxis("Round", "", number, decimals=0),
        ValueAxis("Gap", "%", logarithmic=True),
        [Series("gap", np.where(gap > 0, gap, np.nan), "plan", look="line", width=2.0)],
        file_name="gaps",
    )


def _first_shown(told: Sequence[Mapping[str, Any]]) -> int:
    """The round from which on bound and profit fit one axis: the last half at least."""
    profit, bound = _money(told, "profit_eur"), _money(told, "bound_eur")
    half = len(told) // 2
    if half == 0:
        return 0
    room = 3.0 * max(float(np.nanmax(bound[half:]) - np.nanmin(profit[half:])), 1e-9)
    far = np.flatnonzero(~(np.nanmin(profit[half:]) - profit[:half] <= room))
    return int(far[-1]) + 1 if len(far) else 0


def _money(told: Sequence[Mapping[str, Any]], name: str) -> Floats:
    return np.array([np.nan if each[name] is None else each[name] for each in told], dtype=float)


def worth(found: Mapping[str, float | None]) -> Figure | None:
    """Profit of the plan beside each POD alone, and the reference method's promise and what can be delivered of it."""
    rows = worth_rows(dict(found))
    if not rows:
        return None
    values = np.array([value for _, value in rows])
    words = "; ".join(f"{name}: {figures.eur(value)}" for name, value in rows)
    axis = NameAxis("Profit of", [name for name, _ in rows])
    bars = [Series("profit", values, "plan", look="bar")]
    return Figure("What the pool is worth", words, axis, ValueAxis("Profit", "EUR"), bars, file_name="worth")


def shares(found: pd.DataFrame) -> Figure:
    """The PODs that contribute most to the profit, in either direction."""
    order = found["contribution_eur"].abs().sort_values(ascending=False, kind="stable").index
    most = found.loc[order].head(SHOWN_SHARES)
    others = len(found) - len(most)
    return Figure(
        "Greatest contributions",
        f"The {len(most)} PODs that contribute most, out of {len(found)}.",
        NameAxis("POD", [str(name) for name in most["pod"]]),
        ValueAxis("Contribution to the profit", "EUR"),
        [Series("contribution", row(most, "contribution_eur"), "plan", look="bar")],
        note=f"{others:,} others are in the table" if others else "",
        file_name="contributions",
    )
