"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from nicegui import ui

from podium.report.sections import period_text
from podium.service import runs
from podium.service.views import RunView
from podium.web import figures, parts, shell
from podium.web.charts import Chart
from podium.web.paged import Paged
from podium.web.runs import comparing
from podium.web.runs.pod_table import composition_text
from podium.web.runs.run_page import identity
from podium.web.runs.shown import Shown, shown
from podium.web.runs.words import KINDS, options_text
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page

_OFFERED = 200
_SIDES = ("A", "B", "Difference, B less A")
_VERDICTS = {1: "pd-higher", -1: "pd-lower", 0: ""}


@page("/compare", title="Compare runs")
async def compare_page(visitor: Visitor, a: str = "", b: str = "") -> None:
    """Figures of two runs with their differences, and their charts in one."""
    done = await visitor.query(lambda session, caller: runs.runs_of(session, caller, None, 0, _OFFERED, _DONE))
    chosen = [None if not text else identity(text) for text in (a, b)]
    found = [None if key is None else await _read(visitor, key) for key in chosen]
    trail = [("Runs", "/runs"), ("Compare", None)]
    with shell.frame(visitor, "Compare runs", active="runs", crumbs=trail):
        _choices(done, chosen)
        if found[0] is None or found[1] is None:
            parts.empty("Choose two runs that are done.", ("All runs", "/runs"))
            return
        _compared(found[0], found[1])


_DONE = runs.Chosen(state="done")


async def _read(visitor: Visitor, run: UUID) -> Shown:
    return await visitor.read(lambda place, caller: shown(place, caller, run))


def _choices(done: list[RunView], chosen: list[UUID | None]) -> None:
    """Which runs are compared; another choice is another address."""
    offered = {run.id for run in done}
    with tag("div", "pd-card pd-two"):
        for number, letter in enumerate("AB"):
            other = chosen[1 - number]

            def changed(event: object, letter: str = letter, other: UUID | None = other) -> None:
                first, second = str(getattr(event, "value", "") or ""), str(other or "")
                a, b = (first, second) if letter == "A" else (second, first)
                ui.navigate.to(f"/compare?a={a}&b={b}")

            parts.dated_choice(
                [run.created_at for run in done],
                partial(_names, done),
                value=str(chosen[number]) if chosen[number] in offered else None,
                label=f"Run {letter}",
                with_input=True,
                on_change=changed,
            )


def _names(done: Sequence[RunView], moments: Sequence[str]) -> dict[str, str]:
    """What tells runs apart."""
    named = zip(done, moments, strict=True)
    return {str(run.id): f"{run.study_name} · {run_name(run)} · {moment}" for run, moment in named}


def run_name(run: RunView) -> str:
    """A run in a few words.

    >>> from uuid import uuid4
    >>> from datetime import datetime, UTC
    >>> run_name(RunView.model_construct(kind="local", options={"method": "virtus"}))
    'Local, method virtus'
    """
    return ", ".join(text for text in (KINDS[run.kind], options_text(run.options)) if text)


def _compared(first: Shown, second: Shown) -> None:
    with tag("div", "pd-panel"), parts.listing("Figures compared", "", *_SIDES, numbers=_SIDES):
        with tag("tr"):
            words("td", "Run")
            for each in (first, second):
                with tag("td", "pd-wraps pd-num"), tag("div"):
                    link(each.run.study_name, f"/runs/{each.run.id}", "pd-link pd-break")
                    words("div", run_name(each.run), "pd-muted pd-small")
            words("td", "")
        for fact in comparing.facts(first.found.results.summary, second.found.results.summary):
            with tag("tr"):
                words("td", fact.name)
                words("td", fact.text(fact.first), "pd-num")
                words("td", fact.text(fact.second), "pd-num")
                words("td", _signed(fact), f"pd-num {_VERDICTS[fact.verdict]}")
    results = first.found.results, second.found.results
    if not comparing.same_steps(*results):
        periods = " ".join(f"{letter}: {period_text(each)}." for letter, each in zip("AB", results, strict=True))
        words("p", f"The runs are of different steps, so their charts do not fit one axis. {periods}", "pd-notice")
    else:
        _charts(first, second)
    _pods(first, second)


def _signed(fact: comparing.Fact) -> str:
    difference = fact.difference
    if difference is None:
        return figures.ABSENT
    text = fact.text(difference)
    if text == fact.text(0.0):
        return "the same"
    return f"+{text}" if difference > 0 else text


def _charts(first: Shown, second: Shown) -> None:
    names = ("A", "B")
    drawn = comparing.overlaid(first.found.results, second.found.results, names)
    if not drawn:
        words("p", "Position, baseline, profit and prices are the same in both runs.", "pd-notice")
    for figure in drawn:
        with tag("div", "pd-card"):
            Chart(figure, group="compare")


def _pods(first: Shown, second: Shown) -> None:
    table = comparing.pods_compared(first.found.results, second.found.results)
    if not len(table):
        return
    table["composition"] = [composition_text(str(text)) for text in table["composition"]]
    columns = [parts.Column("pod", "POD"), parts.Column("composition", "Composition")]
    for key, name in (("cost_eur", "Cost alone"), ("plan_profit_eur", "Profit in the plan")):
        if table[[f"{key}_a", f"{key}_b"]].isna().all(axis=None):
            continue
        columns += [
            parts.Column(f"{key}_{side}", f"{name}, {words_}, EUR", text=figures.cents, numeric=True)
            for side, words_ in (("a", "A"), ("b", "B"), ("difference", "B less A"))
        ]
    with parts.panel("PODs that both runs have"):
        Paged(table, columns, label="PODs compared", searched=("pod", "composition"))
