"""What a plan sells: energy bids, offers of reserve and what backs them, and the shares of the PODs."""

from __future__ import annotations

from uuid import UUID

import pandas as pd
from nicegui import ui

from podium.report.clock import LocalClock, day_text
from podium.report.sold import Sold
from podium.web import figures, parts
from podium.web.charts import Chart
from podium.web.paged import Paged
from podium.web.runs import market_charts, portfolio_charts
from podium.web.runs.overview import pairs
from podium.web.runs.pod_table import pod_address
from podium.web.runs.shown import Found
from podium.web.tags import tag, words


def bids(found: Found) -> None:
    """The energy curve of a market time unit that can be chosen, and all offers of reserve."""
    sold = found.sold
    if sold.bids is None or not len(sold.bids):
        parts.empty("This run has no bids: they come with method exact, where something is sold or PODs are coupled.")
        return
    with tag("div", "pd-stack"):
        if sold.curves:
            with tag("div", "pd-card"):
                _curve(found.results.clock, sold)
        if sold.offers is not None and len(sold.offers):
            with tag("div", "pd-card pd-stack"):
                words("h2", "Offers of reserve")
                _offers(found.results.clock, sold.offers)


def _curve(clock: LocalClock, sold: Sold) -> None:
    spans = {number: span_text(clock, start, end) for number, (start, end, _) in enumerate(sold.curves)}
    middle = len(spans) // 2

    def show(number: int) -> None:
        chart.show(market_charts.bid_curve(spans[number], sold.curves[number][2]))

    choice = ui.select(spans, value=middle, label="Market time unit", on_change=lambda event: show(int(event.value)))
    choice.classes("pd-choice")
    chart = Chart(market_charts.bid_curve(spans[middle], sold.curves[middle][2]))


def _offers(clock: LocalClock, offers: pd.DataFrame) -> None:
    """Every block of every product, with what holding it ready pays."""
    hours = (offers["end"] - offers["start"]).dt.total_seconds() / 3600.0
    rows = offers.assign(
        block=[span_text(clock, start, end) for start, end in zip(offers["start"], offers["end"], strict=True)],
        paid_eur=offers["quantity_mw"] * offers["availability_eur_per_mw_h"] * hours,
    )
    columns = [
        parts.Column("market", "Reserve"),
        parts.Column("direction", "Direction"),
        parts.Column("block", "Block"),
        parts.Column("quantity_mw", "Offer, MW", text=lambda value: figures.number(value, 3), numeric=True),
        parts.Column("availability_eur_per_mw_h", "Availability, EUR/MW/h", text=figures.cents, numeric=True),
        parts.Column("paid_eur", "Availability, EUR", text=figures.cents, numeric=True),
    ]
    Paged(rows, columns, label="Offers of reserve", searched=("market", "direction", "block"), choices="market")


def span_text(clock: LocalClock, start: pd.Timestamp, end: pd.Timestamp) -> str:
    """A span of local time, with its day where the horizon has several."""
    first, last = (moment.tz_convert(clock.times.tz) for moment in (start, end))
    if end - start <= pd.Timedelta(hours=1):  # by the clock of its start, where the clocks change at its end
        last = first.tz_localize(None) + (end - start)
    until = "24:00" if f"{last:%H:%M}" == "00:00" else f"{last:%H:%M}"
    several = clock.times[0].date() != clock.times[-1].date()
    return f"{f'{day_text(first)}, ' if several else ''}{first:%H:%M}–{until} {first:%Z}"


def reserve(found: Found) -> None:
    """Each side of each product: what is offered, and what backs it."""
    backed = found.sold.backed
    if not backed:
        parts.empty("This plan holds no reserve.")
        return
    colours = market_charts.kind_colours(backed)
    with tag("div", "pd-two"):
        for each in backed:
            with tag("div", "pd-card"):
                Chart(market_charts.backing(each, found.axis, colours), height_px=230, group="portfolio")
        figure = portfolio_charts.reserve_prices(found.results, found.shadow)
        if figure is not None:
            with tag("div", "pd-card"):
                Chart(figure, height_px=230, group="portfolio")


def shares(run: UUID, found: Found) -> None:
    """What each POD contributes to the profit."""
    table = found.sold.shares
    if table is None or not len(table):
        parts.empty("This run has no shares: they come where something couples the PODs.")
        return
    names = {
        "contribution_eur": "Contribution",
        "energy_eur": "Energy",
        "reserve_eur": "Reserve",
        "retail_eur": "Retail bill",
        "device_eur": "Devices",
        "limits_eur": "Limits and rest",
    }
    columns = [parts.Column("pod", "POD", href=lambda row: pod_address(run, str(row["pod"])))]
    columns += [parts.Column(key, f"{name}, EUR", text=figures.cents, numeric=True) for key, name in names.items()]
    with tag("div", "pd-stack"):
        with tag("div", "pd-two"):
            with tag("div", "pd-card"):
                Chart(market_charts.shares(table))
            with tag("div", "pd-card pd-stack"):
                words("h2", "All PODs together")
                pairs({name: figures.eur(float(table[key].sum())) for key, name in names.items()})
                words(
                    "p",
                    "Energy and reserve are valued at the prices that coordinate the PODs; costs are negative.",
                    "pd-muted pd-small",
                )
        with tag("div", "pd-card"):
            Paged(table, columns, label="Shares", searched=("pod",), sort="contribution_eur", descending=True)
