"""One POD of a run: its schedule, its devices with their stores, what it pays, and why it does what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from nicegui import ui

from podium.errors import PodiumError
from podium.explaining import Explanation
from podium.service import pods
from podium.service.accounts import Caller
from podium.service.installation import Installation
from podium.service.problems import NotFoundError
from podium.web import figures, parts, shell
from podium.web.charts import Chart, Figure
from podium.web.charts.figure import Floats
from podium.web.runs import pod_charts
from podium.web.runs.pod_table import composition_text, pod_address
from podium.web.runs.run_page import identity
from podium.web.runs.sales import span_text
from podium.web.runs.shown import Shown, shown
from podium.web.runs.words import brief
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page

_GROUP = "pod"


@dataclass(frozen=True)
class Seen:
    """What there is to see of a POD."""

    shown: Shown
    pod: str
    facts: dict[str, Any]
    """Its row of the table of PODs."""
    series: pd.DataFrame
    devices: list[pd.DataFrame]
    terms: pods.PodTerms
    worth_eur_per_kwh: Floats | None
    """Price of energy that coordinated it; None where each POD met its tariff or the market alone."""
    before: str | None
    after: str | None

    @property
    def planned(self) -> bool:
        """Whether the run has a plan."""
        return self.shown.found.results.summary["level2"]["method"] is not None


def seen(place: Installation, caller: Caller, run: UUID, pod: str) -> Seen:
    """Read what a run says of a POD; raises NotFoundError where it is none of its PODs."""
    found = shown(place, caller, run)
    results = found.found.results
    names = results.pods["pod"].astype(str).tolist()
    if pod not in names:
        raise NotFoundError("no such POD in this run")
    at = names.index(pod)
    mine = [("pod", "==", pod)]
    series = pod_charts.series_of(pq.read_table(results.pod_series_file, filters=mine).to_pandas(), results.clock)
    schedule = pq.read_table(results.device_series_file, filters=mine).to_pandas()
    devices = [
        pod_charts.series_of(part, results.clock) for _, part in schedule.groupby("device", observed=True, sort=False)
    ]
    facts = {str(key): value for key, value in results.pods.iloc[at].items()}
    terms = pods.terms_of(place, caller, run, pod)
    worth = _worth(found.found.shadow, str(facts["group"]), len(results.clock.times))
    before, after = names[at - 1] if at else None, names[at + 1] if at + 1 < len(names) else None
    return Seen(found, pod, facts, series, devices, terms, worth, before, after)


def _worth(shadow: pd.DataFrame | None, group: str, steps: int) -> Floats | None:
    """Price of energy of a group, else of all others, EUR/kWh. Shape (step,)."""
    if shadow is None:
        return None
    energy = shadow[shadow["what"] == "energy"]
    rows = energy[energy["group"] == (group if (energy["group"] == group).any() else "")]
    return np.asarray(rows["eur_per_kwh"].to_numpy(dtype=float)) if len(rows) == steps else None


@page("/runs/{run}/pods/{pod:path}", title="POD")
async def pod_page(visitor: Visitor, run: str, pod: str) -> None:
    """A POD of a run."""
    key = identity(run)
    found = await visitor.read(lambda place, caller: seen(place, caller, key, pod))
    trail = [("Runs", "/runs"), (found.shown.run.study_name, f"/runs/{key}"), (pod, None)]
    lead = composition_text(str(found.facts["composition"]))
    with shell.frame(visitor, str(found.facts["name"] or pod), active="runs", lead=lead, crumbs=trail) as actions:
        with actions:
            for words_, other in (("Previous POD", found.before), ("Next POD", found.after)):
                if other is not None:
                    link(words_, pod_address(key, other), "pd-button pd-quiet")
        _tiles(found)
        if found.facts["message"]:
            words("p", f"{found.facts['message']}", "pd-notice pd-bad pd-break")
        with tag("div", "pd-side pd-pod"):
            charts = tag("div", "pd-stack")
            with tag("aside", "pd-panel pd-why-box", aria_label="Why"):
                why = _Why(visitor, found)
        with charts:
            why.charts = _charts(found, why.show)
    # Once the page is there: reasons take long where kernels must be compiled first.
    ui.timer(0.0, lambda: why.show(_first_step(found)), once=True)


def _tiles(found: Seen) -> None:
    facts = found.facts
    with parts.stats():
        if found.planned:
            parts.stat("Profit in the plan", figures.eur(facts["plan_profit_eur"]))
        parts.stat("Cost alone", figures.eur(facts["cost_eur"]), f"at least {figures.eur(facts['bound_eur'])}")
        parts.stat("Minimisation", brief(facts["min_seconds"]), "least energy")
        parts.stat("Maximisation", brief(facts["max_seconds"]), "greatest energy")
        parts.stat("Solver", str(facts["solver"]), f"least cost in {brief(facts['seconds'])}")
        most = found.terms.withdrawal_max_kw
        limit = figures.power_kw(most) if np.isfinite(most) else "no limit"
        parts.stat("Connection", limit, "greatest withdrawal")
        parts.stat("Status", str(facts["status"]))


def _charts(found: Seen, chosen: Callable[[int], Any]) -> list[Chart]:
    axis, planned = found.shown.found.axis, found.planned
    made = [
        _boxed(pod_charts.net_power(found.series, axis, planned=planned), chosen),
        _boxed(pod_charts.tariff(found.terms, found.worth_eur_per_kwh, axis), chosen, 180),
    ]
    for device in found.devices:
        room = found.terms.rooms.get(str(device["device"].iloc[0]))
        level = pod_charts.device_level(device, room, axis)
        with tag("div", "pd-card pd-stack"):
            made.append(_chart(pod_charts.device_power(device, room, axis, planned=planned), chosen, 200))
            if level is not None:
                made.append(_chart(level, chosen, 180))
    return made


def _boxed(figure: Figure, chosen: Callable[[int], Any], height_px: int = 260) -> Chart:
    with tag("div", "pd-card"):
        return _chart(figure, chosen, height_px)


def _chart(figure: Figure, chosen: Callable[[int], Any], height_px: int) -> Chart:
    return Chart(figure, height_px=height_px, group=_GROUP, on_step=chosen)


def _first_step(found: Seen) -> int:
    """The step in which most power flows: a place to begin."""
    net = np.abs(np.nan_to_num(found.series["plan_kw"].to_numpy(dtype=float, na_value=np.nan)))
    return int(net.argmax()) if len(net) else 0


class _Why:
    """Why the devices do what they do in the step that is chosen."""

    def __init__(self, visitor: Visitor, found: Seen) -> None:
        self.visitor, self.found, self.step = visitor, found, 0
        self.charts: list[Chart] = []
        with tag("div", "pd-panel-head"):
            words("h2", "Why")
            with tag("div", "pd-row"):
                ui.button("Earlier", on_click=lambda: self.show(self.step - 1)).classes("pd-quiet")
                ui.button("Later", on_click=lambda: self.show(self.step + 1)).classes("pd-quiet")
        with tag("div", "pd-panel-body"):
            words("p", "Click into a chart, or use arrow keys and Enter, to choose a step.", "pd-muted pd-small")
            self.place = tag("div", "pd-why", role="status")
            with self.place:
                words("p", "Finding reasons.", "pd-muted")

    async def show(self, step: int) -> None:
        """Explain a step, and mark it in all charts."""
        clock = self.found.shown.found.results.clock
        self.step = step = min(max(step, 0), len(clock.times) - 1)
        for chart in self.charts:
            chart.point_at(step)
        run, pod = self.found.shown.run.id, self.found.pod
        answer: Explanation | None = None
        reason = ""
        with parts.refusals():
            try:
                answer = await self.visitor.read(lambda place, caller: pods.why(place, caller, run, pod, step))
            except NotFoundError:
                raise
            except PodiumError as error:
                reason = str(error)
        if step != self.step:
            return  # another step was chosen meanwhile
        self.place.clear()
        with self.place:
            words("h3", span_text(clock, clock.edges[step], clock.edges[step + 1]))
            if answer is None:
                words("p", reason, "pd-muted pd-break")
            else:
                explained(answer)


def explained(answer: Explanation) -> None:
    """An explanation as `podium explain` gives it: what is indented there is a list here."""
    open_list = tag("ul")
    for line in answer.lines[1:]:
        if not line.startswith(" "):
            words("h3", line, "pd-break")
            open_list = tag("ul")
            continue
        with open_list:
            words("li", " ".join(line.split()), "pd-break")
