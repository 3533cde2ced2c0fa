"""The results of a run in numbers and figures, part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from podium.report.sold import REFERENCE_NOTE, worth_rows
from podium.web import figures, parts
from podium.web.charts import Chart
from podium.web.runs import market_charts, portfolio_charts
from podium.web.runs.shown import Found, Shown
from podium.web.runs.words import brief
from podium.web.tags import link, tag, words

_GROUP = "portfolio"
_UNDELIVERED_KWH = 0.005
_LIMITS = ("Limit", "Steps in which it binds", "Value", "1 kW more in all of them", "Greatest in a step")


def tiles(found: Found) -> None:
    """What a run came to, in a few numbers."""
    summary = found.results.summary
    level1, level2, check, virtus = (summary[name] for name in ("level1", "level2", "check", "virtus"))
    with parts.stats():
        if level2["method"] is not None:
            bound = f"no plan exceeds {figures.eur(level2['bound_eur'])}" if level2["bound_eur"] is not None else ""
            parts.stat("Profit of the plan", figures.eur(level2["profit_eur"]), bound)
            steps = int(summary["steps"])
            of_pod = _mean(level2["profit_eur"], int(summary["pods"]))
            parts.stat("Mean profit", _mean(level2["profit_eur"], steps), f"per step; {of_pod} per POD")
            rounds = figures.counted(int(level2.get("rounds", 0)), "round")
            gap = level2["gap"]
            if gap is not None:
                parts.stat("Gap", figures.percent(gap, 3), f"{rounds}, {figures.duration(level2['seconds'])}")
        parts.stat("Cost, each POD alone", figures.eur(level1["cost_eur"]), f"level 1, {brief(level1['seconds'])}")
        failed = int(level1["failed"])
        parts.stat(
            "PODs", figures.count(summary["pods"]),
            f"{figures.counted(summary['devices'], 'device')}, {failed or 'none'} failed",
        )  # fmt: skip
        violations = int(check["violations"])
        tile = parts.stat("Check", figures.counted(violations, "violation"), _check_note(summary))
        if violations:
            tile.classes("pd-stat-bad")
        if virtus is not None and level2["method"] is None:
            parts.stat("Promise of the reference method", figures.eur(virtus["profit_eur"]))


def _mean(total_eur: float, count: int) -> str:
    """A mean amount; small ones with more decimals."""
    mean = total_eur / max(count, 1)
    return figures.eur(mean, 2 if abs(mean) >= 1 else 4)


def _check_note(summary: dict[str, Any]) -> str:
    undelivered = float(summary["undelivered_kwh"])
    if undelivered > _UNDELIVERED_KWH:
        return f"{figures.energy_kwh(undelivered)} undelivered"
    planned = summary["level2"]["method"] is not None
    return "all of the plan can be delivered" if planned else "devices, connections and money"


def notices(found: Found) -> None:
    """What the run wants its reader to know, and which PODs failed."""
    summary = found.results.summary
    for text in summary["notices"][:20]:
        words("p", parts.sentence(str(text)), "pd-notice pd-warn pd-break")
    failures = summary["level1"]["failures"]
    if failures:
        with tag("details", "pd-notice pd-bad"):
            words("summary", f"{figures.counted(len(failures), 'POD')} failed and keep their declared baseline")
            with tag("ul"):
                for failure in failures[:50]:
                    words("li", f"{failure['pod']}: {failure['reason']}", "pd-break")


def overview(shown: Shown) -> None:
    """Tiles, flexibility, profit and price."""
    found = shown.found
    with tag("div", "pd-stack"):
        tiles(found)
        notices(found)
        _boxed(portfolio_charts.flexibility(found.results), height_px=300)
        with tag("div", "pd-two"):
            for figure in (
                portfolio_charts.profit(found.results),
                portfolio_charts.price(found.results, found.shadow),
            ):
                if figure is not None:
                    _boxed(figure, height_px=230)


def _boxed(figure: Any, height_px: int = 240) -> None:
    with tag("div", "pd-card"):
        Chart(figure, height_px=height_px, group=_GROUP)


def comparison(found: Found) -> None:
    """The plan beside the reference method: what is promised, what can be delivered, what each POD would pay alone."""
    rows = dict(worth_rows(found.sold.worth or {}))
    figure = market_charts.worth(found.sold.worth or {})
    virtus = found.results.summary["virtus"]
    if figure is None:
        parts.empty("There is nothing to compare: the study has no market prices, or the run no plan.")
        return
    with tag("div", "pd-two"):
        with tag("div", "pd-card"):
            Chart(figure)
        with tag("div", "pd-card pd-stack"):
            words("h2", "The reference method (VIRTUS) and the plan")
            plan, alone = rows.get("The plan"), rows.get("Each POD alone, at its tariff")
            told = {name: figures.eur(value) for name, value in rows.items()}
            if plan is not None and alone is not None:
                told["The pool adds (plan less each POD alone)"] = figures.eur(plan - alone)
            pairs(told)
            if virtus is not None:
                words("p", REFERENCE_NOTE, "pd-muted pd-small")
                _promise(virtus)


def _promise(virtus: dict[str, Any]) -> None:
    """How much of its promise devices can deliver."""
    words("h3", "Energy that the reference method promises to shift")
    with parts.listing(
        "Promised and undelivered energy",
        "",
        "Promised",
        "Cannot be delivered",
        numbers=("Promised", "Cannot be delivered"),
    ):
        for side, name in (("max", "Upper bound"), ("min", "Lower bound")):
            least, most = virtus[f"undelivered_{side}_kwh"]
            with tag("tr"):
                words("td", name)
                words("td", figures.energy_kwh(virtus[f"promised_{side}_kwh"]), "pd-num")
                words("td", _between(least, most), "pd-num")
    words(
        "p",
        f"Its own mean profit is {figures.eur(virtus['mean_profit_eur_per_step'])} per step. Where two values stand, "
        "the truth lies between them.",
        "pd-muted pd-small",
    )


def _between(least: float, most: float) -> str:
    low, high = figures.energy_kwh(least), figures.energy_kwh(most)
    return low if low == high else f"{low} to {high}"


def pairs(rows: Mapping[str, str]) -> None:
    """Names with their values at the right, a line each."""
    with tag("dl", "pd-pairs"):
        for name, value in rows.items():
            with tag("div"):
                words("dt", name)
                words("dd", value, "pd-num")


def certificate(found: Found) -> None:
    """Bound and plan, and how they came about round by round."""
    certificate, level2 = found.results.certificate, found.results.summary["level2"]
    told = certificate.get("rounds") or []
    with tag("div", "pd-stack"):
        with parts.stats():
            parts.stat("Profit of the plan", figures.eur(certificate["profit_eur"]))
            parts.stat("No plan can earn more than", figures.eur(certificate["bound_eur"]))
            parts.stat("Gap", figures.percent(certificate["gap"], 4), "(bound − profit) / |profit|")
            parts.stat("Rounds", figures.count(len(told)), figures.duration(level2["seconds"]))
        if certificate["bound_eur"] is None:
            words("p", "The reference method proves nothing: it has no bound.", "pd-notice")
        elif len(told) < 2:
            words("p", "Nothing couples the PODs: one round is exact.", "pd-notice")
        if len(told) > 1:
            with tag("div", "pd-two"):
                for figure in (market_charts.rounds(told), market_charts.gaps(told)):
                    _boxed(figure)
            words(
                "p",
                "A round's best mix becomes the plan when it is made real and offers are whole: that costs a little.",
                "pd-muted pd-small",
            )
        _money_table(level2)


def _money_table(level2: dict[str, Any]) -> None:
    """What the profit is made of."""
    told = (
        ("Energy market", 1, "energy_eur"), ("Reserve", 1, "reserve_eur"), ("Retail bills", -1, "retail_eur"),
        ("Use of devices", -1, "device_eur"), ("Peak charge of the portfolio", -1, "peak_eur"),
    )  # fmt: skip
    if level2["profit_eur"] is None:
        return
    with tag("div", "pd-card pd-stack"):
        words("h2", "What the profit is made of")
        amounts = {name: sign * float(level2[key]) for name, sign, key in told if level2.get(key) is not None}
        pairs(
            {
                name: figures.eur(value)
                for name, value in (amounts | {"Profit of the plan": level2["profit_eur"]}).items()
            }
        )


def limits(found: Found) -> None:
    """Limits that bind, and what one unit more is worth."""
    table = found.limits
    if table is None or not len(table):
        parts.empty("No limit of the portfolio or of a group binds.")
        return
    with tag("div", "pd-stack"):
        _boxed(portfolio_charts.limit_prices(found.results, table))
        with tag("div", "pd-card"), parts.listing("Limits", *_LIMITS, numbers=_LIMITS[1:]):
            for (what, group), part in table.groupby(["what", "group"], sort=False):
                with tag("tr"):
                    words("td", portfolio_charts.limit_name(str(what), str(group)))
                    words("td", figures.count(len(part)), "pd-num")
                    least, most = float(part["limit_kw"].min()), float(part["limit_kw"].max())
                    value = figures.power_kw(least)
                    words(
                        "td", value if math.isclose(least, most) else f"{value} to {figures.power_kw(most)}", "pd-num"
                    )
                    words("td", figures.eur(float(part["eur_per_kw"].sum()), 4), "pd-num")
                    words("td", figures.eur(float(part["eur_per_kw"].max()), 5), "pd-num")


def files(shown: Shown) -> None:
    """Every file of the results: as it is, and tables as CSV too."""
    base = f"/api/v1/runs/{shown.run.id}/results"
    with (
        tag("div", "pd-card pd-files"),
        parts.listing("Files", "File", "Size", "Rows", "Download", numbers=("Size", "Rows")),
    ):
        for file in shown.files:
            stem, _, ending = file.name.rpartition(".")
            with tag("tr"):
                words("td", file.name, "pd-mono")
                words("td", figures.size(file.bytes), "pd-num")
                words("td", "" if file.rows is None else figures.count(file.rows), "pd-num")
                with tag("td"), tag("div", "pd-row"):
                    if ending == "parquet":
                        link("Parquet", f"{base}/tables/{stem}/parquet", download=file.name)
                        link("CSV", f"{base}/tables/{stem}/csv", download=f"{stem}.csv")
                    else:
                        link("Download", f"{base}/files/{file.name}", download=file.name)
                    if ending in ("html", "png", "json"):
                        link("Open", f"{base}/files/{file.name}", target="_blank")


def lazily(tabs: dict[str, Callable[[], object]]) -> None:
    """Tabs by name, each built when it is first opened."""
    panels: dict[str, ui.tab_panel] = {}
    built: set[str] = set()

    def build(name: str) -> None:
        if name in panels and name not in built:
            built.add(name)
            with panels[name]:
                tabs[name]()

    first = next(iter(tabs))
    with ui.tabs(on_change=lambda event: build(str(event.value))).classes("pd-tabs") as bar:
        for name in tabs:
            ui.tab(name)
    with ui.tab_panels(bar, value=first, animated=False, keep_alive=True).classes("pd-panels"):
        for name in tabs:
            panels[name] = ui.tab_panel(name)
    build(first)
