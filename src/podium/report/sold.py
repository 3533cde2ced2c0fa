"""What a plan sells: the parts of the page that come of bids, reserve, shares and worth, where a run has left them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from podium.report.clock import LocalClock, day_text
from podium.report.files import Results
from podium.report.text import eur, fixed, table, tag

#: The largest contributions are shown, this many.
SHOWN_SHARES = 10
#: Rows of the table of offers, and market time units whose energy curve can be looked at.
SHOWN_OFFERS = 240
SHOWN_CURVES = 200
KW_PER_MW = 1000.0
#: Why the reference method's figures stand beside the plan's, and not in one sum with them.
REFERENCE_NOTE = (
    "The reference method's amounts are those of its own formula: it counts both of its bounds in every step, and "
    "neither limits nor costs of devices. No plan earns them, also where they are greater than the plan's."
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Backed:
    """What backs one side of a product, by kind of device."""

    product: str
    direction: str
    kinds: dict[str, Floats]
    """kW. Shape (step,) each, greatest sum first."""
    offer_kw: Floats | None
    """None where nothing is offered (headroom). Shape (step,)."""


@dataclass(frozen=True)
class Sold:
    """What a run has left of what is sold; each part None where it has left no such file."""

    clock: LocalClock
    bids: pd.DataFrame | None
    backed: list[Backed] | None
    shares: pd.DataFrame | None
    worth: dict[str, float | None] | None

    @cached_property
    def offers(self) -> pd.DataFrame | None:
        """The bids for reserve."""
        return None if self.bids is None else self.bids[self.bids["market"] != "energy"]

    @cached_property
    def curves(self) -> list[tuple[pd.Timestamp, pd.Timestamp, pd.DataFrame]]:
        """Start, end and rows of each energy bid."""
        if self.bids is None:
            return []
        energy = self.bids[self.bids["market"] == "energy"]
        return [(part["start"].iloc[0], part["end"].iloc[0], part) for _, part in energy.groupby("start")]


def read_sold(results: Results) -> Sold:
    """Read what there is in a results folder."""
    bids, shares = (_optional(results, name) for name in ("bids", "shares"))
    return Sold(results.clock, bids, _read_backed(results, bids), shares, results.certificate.get("worth"))


def _optional(results: Results, name: str) -> pd.DataFrame | None:
    path = results.folder / f"{name}.parquet"
    if not path.is_file():
        return None
    found: pd.DataFrame = pq.read_table(path).to_pandas()
    return found


def _read_backed(results: Results, bids: pd.DataFrame | None) -> list[Backed] | None:
    path = results.folder / "reserve.parquet"
    if not path.is_file():
        return None
    summed = _by_kind(results)
    steps = len(results.clock.times)
    found = []
    for (product, direction), part in summed.groupby(["product", "direction"], observed=True):
        step = results.clock.times.get_indexer(pd.DatetimeIndex(part["time"]).tz_convert(results.clock.times.tz))
        kinds: dict[str, Floats] = {}
        for kind, rows in part.assign(step=step).groupby("kind", observed=True):
            row = np.zeros(steps)
            row[rows["step"]] = rows["backed_kw"]
            kinds[str(kind)] = row
        ordered = dict(sorted(kinds.items(), key=lambda item: -float(item[1].sum())))
        offer = _offer_kw(results.clock, bids, str(product), str(direction))
        found.append(Backed(str(product), str(direction), ordered, offer))
    order = [] if bids is None else list(dict.fromkeys(bids["market"]))
    return sorted(found, key=lambda each: (_place(order, each.product), each.product, each.direction != "up"))


def _place(order: list[str], product: str) -> int:
    """Products as they are bid, then what is not bid."""
    return order.index(product) if product in order else len(order)


def _by_kind(results: Results) -> pd.DataFrame:
    """Backing summed over the devices of each kind."""
    columns = ["device", "product", "direction", "time", "backed_kw"]
    reserve = _worded(pq.read_table(results.folder / "reserve.parquet", columns=columns), columns[:3])
    names = ["device", "kind"]
    known = pq.read_table(results.device_series_file, columns=names).group_by(names).aggregate([])
    known = _worded(known, names)
    joined = reserve.join(known, "device", join_type="inner")
    summed = joined.group_by(["product", "direction", "kind", "time"]).aggregate([("backed_kw", "sum")])
    frame: pd.DataFrame = summed.to_pandas().rename(columns={"backed_kw_sum": "backed_kw"})
    return frame


def _worded(held: pa.Table, names: list[str]) -> pa.Table:
    """The table with these columns as plain text, whatever way they are kept."""
    return pa.table(
        {name: pc.cast(held[name], pa.string()) if name in names else held[name] for name in held.column_names}
    )


def _offer_kw(clock: LocalClock, bids: pd.DataFrame | None, product: str, direction: str) -> Floats | None:
    """What is offered of a side in each step, kW; None where there is no bid of that name."""
    if bids is None:
        return None
    mine = bids[(bids["market"] == product) & bids["direction"].isin([direction, "symmetric"])]
    if not len(mine):
        return None
    offer = np.zeros(len(clock.times))
    for row in _rows(mine):
        offer[(clock.times >= row.start) & (clock.times < row.end)] = KW_PER_MW * row.quantity_mw
    return offer


def sold_sections(sold: Sold) -> str:
    """Sections of the page, each only where there is something to show."""
    return "".join(
        _section(*each)
        for each in (
            ("reserve", "Reserve", _reserve_html(sold)),
            ("bids", "Bids", _bids_html(sold)),
            ("worth", "What the pool is worth", _worth_html(sold)),
            ("shares", "Shares", _shares_html(sold)),
        )
        if each[2]
    )


def sold_links(sold: Sold) -> str:
    """Links to the sections for the head of the page."""
    there = (
        ("reserve", "Reserve", sold.backed),
        ("bids", "Bids", sold.bids is not None and len(sold.bids)),
        ("worth", "Worth", sold.worth),
        ("shares", "Shares", sold.shares is not None),
    )
    return "".join(f'<a href="#{name}">{words}</a>' for name, words, shown in there if shown)


def _section(name: str, title: str, content: str) -> str:
    heading = f'<h2 id="h-{name}">{title}</h2>'
    return f'<section id="{name}" aria-labelledby="h-{name}">{heading}{content}</section>'


def _reserve_html(sold: Sold) -> str:
    """A figure for each side of each product; the scripts draw them."""
    if not sold.backed:
        return ""
    figures = "".join(f'<figure id="chart-reserve-{number}"></figure>' for number in range(len(sold.backed)))
    return tag("div", figures, "grid")


def _bids_html(sold: Sold) -> str:
    if sold.bids is None or not len(sold.bids):
        return ""
    parts = []
    if sold.curves:
        parts.append('<figure id="chart-curve"></figure>')
    if sold.offers is not None and len(sold.offers):
        parts.append(tag("div", _offers_table(sold, sold.offers), "panel"))
    return tag("div", "".join(parts), "grid")


def _offers_table(sold: Sold, offers: pd.DataFrame) -> str:
    rows = [
        [_whole(row.market), escape(row.direction), _whole(_span(sold.clock, row.start, row.end)),
         fixed(row.quantity_mw, 3), fixed(row.availability_eur_per_mw_h, 2), fixed(_earned_eur(row), 2)]
        for row in _rows(offers.head(SHOWN_OFFERS))
    ]  # fmt: skip
    more = len(offers) - SHOWN_OFFERS
    note = tag("p", f"{more:,} more offers are in <code>bids.parquet</code>.", "quiet under") if more > 0 else ""
    head = ["Reserve", "Direction", "Block", "Offer, MW", "Availability, EUR/MW/h", "Availability, EUR"]
    return table(head, rows, {3, 4, 5}) + note


def _whole(text: str) -> str:
    """Text that is not broken into lines."""
    return tag("span", escape(text), "whole")


@dataclass(frozen=True)
class _Offer:
    """A bid for reserve."""

    market: str
    direction: str
    start: pd.Timestamp
    end: pd.Timestamp
    quantity_mw: float
    availability_eur_per_mw_h: float


def _rows(offers: pd.DataFrame) -> list[_Offer]:
    names = [field.name for field in fields(_Offer)]
    return [_Offer(*row) for row in offers[names].itertuples(index=False, name=None)]


def _earned_eur(row: _Offer) -> float:
    hours = (row.end - row.start).total_seconds() / 3600.0
    return row.quantity_mw * row.availability_eur_per_mw_h * hours


def _span(clock: LocalClock, start: pd.Timestamp, end: pd.Timestamp) -> str:
    """A span of local time, with its day where the horizon has several."""
    first, last = (moment.tz_convert(clock.times.tz) for moment in (start, end))
    until = "24:00" if f"{last:%H:%M}" == "00:00" and last > first else f"{last:%H:%M}"
    several = clock.times[0].date() != clock.times[-1].date()
    return f"{f'{day_text(first)}, ' if several else ''}{first:%H:%M}–{until}"


def _worth_html(sold: Sold) -> str:
    if not sold.worth:
        return ""
    rows = [[words, eur(value)] for words, value in worth_rows(sold.worth)]
    plan, alone = sold.worth.get("plan_eur"), sold.worth.get("alone_eur")
    if plan is not None and alone is not None:
        rows.append(["The pool adds, plan less each POD alone", eur(plan - alone)])
    note = tag("p", REFERENCE_NOTE, "quiet") if sold.worth.get("reference_promise_eur") is not None else ""
    panel = tag("div", table(["Profit", ""], rows, {1}) + note, "panel")
    return tag("div", f'<figure id="chart-worth"></figure>{panel}', "grid")


def worth_rows(worth: dict[str, float | None]) -> list[tuple[str, float]]:
    """What is compared, in words, EUR; without what there is not."""
    names = (
        ("The plan", "plan_eur"),
        ("Each POD alone, at its tariff", "alone_eur"),
        ("Reference method, as promised", "reference_promise_eur"),
        ("Reference method, as devices can deliver", "reference_delivered_eur"),
    )
    return [(words, float(value)) for words, key in names if (value := worth.get(key)) is not None]


def _shares_html(sold: Sold) -> str:
    """The PODs that contribute most, and all together."""
    shares = sold.shares
    if shares is None or not len(shares):
        return ""
    names = ["contribution_eur", "energy_eur", "reserve_eur", "retail_eur", "device_eur", "limits_eur"]
    largest = shares.reindex(shares["contribution_eur"].abs().sort_values(ascending=False, kind="stable").index)
    rows = [
        [_whole(str(row["pod"])), *(fixed(float(row[name]), 2) for name in names)]
        for _, row in largest.head(SHOWN_SHARES).iterrows()
    ]
    others = largest.iloc[SHOWN_SHARES:]
    if len(others):
        rows.append([f"{len(others):,} others", *(fixed(float(others[name].sum()), 2) for name in names)])
    rows.append(["<b>All PODs</b>", *(f"<b>{fixed(float(shares[name].sum()), 2)}</b>" for name in names)])
    head = ["POD", "Contribution, EUR", "Energy", "Reserve", "Retail bill", "Devices", "Limits and rest"]
    note = (
        "What each POD contributes to the profit at the final prices, greatest amounts first; costs are negative. "
        "All PODs are in <code>shares.parquet</code>."
    )
    return tag("div", tag("p", note, "quiet") + table(head, rows, {1, 2, 3, 4, 5, 6}), "panel")


def sold_data(sold: Sold) -> dict[str, Any]:
    """What the charts of what is sold need."""
    curves = sold.curves[:SHOWN_CURVES]
    return {
        "reserve": [
            {"product": each.product, "direction": each.direction,
             "kinds": [[kind, row.round(3).tolist()] for kind, row in each.kinds.items()],
             "offer_kw": None if each.offer_kw is None else each.offer_kw.round(3).tolist()}
            for each in sold.backed or []
        ],
        "curves": [
            {"span": _span(sold.clock, start, end), "price": part["price_eur_per_mwh"].round(4).tolist(),
             "quantity": part["quantity_mw"].round(4).tolist()}
            for start, end, part in curves
        ],
        "more_curves": len(sold.curves) - len(curves),
        "worth": [list(each) for each in worth_rows(sold.worth or {})],
    }  # fmt: skip
