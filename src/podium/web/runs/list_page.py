"""All runs of a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args
from uuid import UUID

from nicegui import ui
from sqlalchemy.orm import Session

from podium.service import runs
from podium.service.accounts import Caller
from podium.service.views import RunKind, RunState, RunView
from podium.web import figures, parts, shell
from podium.web.runs.words import KINDS, STATES, cost_of, gap_of, options_text, profit_of, seconds_of, state_badge
from podium.web.tags import tag, words
from podium.web.visitor import Visitor, page

_PAGE = 25
_LOOK_SECONDS = 3.0
_HEADINGS = ("Compare", "Study", "Kind", "State", "Profit", "Gap", "Took", "Cost, level 1", "Asked for")
_NUMBERS = ("Profit", "Gap", "Took", "Cost, level 1")
_ALL = "all"


@page("/runs", title="Runs")
async def runs_page(visitor: Visitor, study: str = "", state: str = "", kind: str = "") -> None:
    """Runs with filters; two of them can be compared."""
    names = await visitor.query(runs.studies_with_runs)
    lead = "Everything that you have had computed, newest first."
    with shell.frame(visitor, "Runs", active="runs", lead=lead), tag("div", "pd-panel"):
        listed = _Listed(visitor, names, chosen(names, study, state, kind))
        await listed.refresh()


def chosen(names: Mapping[UUID, str], study: str, state: str, kind: str) -> runs.Chosen:
    """The filters of an address; what is none is left out."""
    return runs.Chosen(
        study=next((known for known in names if str(known) == study), None),
        state=next((known for known in get_args(RunState) if known == state), None),
        kind=next((known for known in get_args(RunKind) if known == kind), None),
    )


class _Listed:
    """A page of runs, looked at anew while some of them are under way."""

    def __init__(self, visitor: Visitor, names: Mapping[UUID, str], wanted: runs.Chosen) -> None:
        self.visitor, self.wanted, self.offset = visitor, wanted, 0
        self.ticked: list[UUID] = []
        self.seen: list[RunView] = []
        with tag("div", "pd-panel-head"):
            with tag("div", "pd-row"):
                self._filter("study", "Study", {str(key): name for key, name in names.items()})
                self._filter("state", "State", dict(STATES))
                self._filter("kind", "Kind", dict(KINDS))
            self.compare = ui.button("Compare", on_click=self._compare).classes("pd-quiet")
            self.compare.props["title"] = "Tick two runs that are done"
            self.compare.disable()
        self.place = tag("div", "pd-runs")
        with tag("div", "pd-row pd-between pd-pages"):
            self.count = words("span", "", "pd-muted pd-small", role="status")
            with tag("div", "pd-row"):
                self.newer = ui.button("Newer", on_click=lambda: self._turn(-_PAGE)).classes("pd-quiet")
                self.older = ui.button("Older", on_click=lambda: self._turn(_PAGE)).classes("pd-quiet")
        ui.timer(_LOOK_SECONDS, self._look, immediate=False)

    def _filter(self, name: str, label: str, options: dict[str, str]) -> None:
        value = getattr(self.wanted, name)

        async def changed(event: Any) -> None:
            picked = None if event.value == _ALL else event.value
            given = {**vars(self.wanted), name: UUID(picked) if name == "study" and picked else picked}
            self.wanted, self.offset = runs.Chosen(**given), 0
            await self.refresh()

        every = {_ALL: "All"} | options
        ui.select(every, value=_ALL if value is None else str(value), label=label, on_change=changed).classes(
            "pd-choice"
        )

    async def _turn(self, by: int) -> None:
        self.offset = max(self.offset + by, 0)
        await self.refresh()

    async def _look(self) -> None:
        if any(run.state not in runs.OVER for run in self.seen):
            await self.refresh()

    async def refresh(self) -> None:
        """Show the runs that are wanted now."""
        with parts.refusals():
            found, total = await self.visitor.query(self._ask)
            if found != self.seen or not found:
                self.seen = found
                self._draw()
            last = min(self.offset + _PAGE, total)
            self.count.text = f"{self.offset + 1} to {last} of {figures.counted(total, 'run')}" if total else ""
            self.newer.set_visibility(self.offset > 0)
            self.older.set_visibility(last < total)

    def _ask(self, session: Session, caller: Caller) -> tuple[list[RunView], int]:
        found = runs.runs_of(session, caller, None, self.offset, _PAGE, self.wanted)
        return found, runs.count_of(session, caller, self.wanted)

    def _draw(self) -> None:
        self.ticked = [run.id for run in self.seen if run.id in self.ticked]
        self.place.clear()
        with self.place:
            if not self.seen:
                anything = any(value is not None for value in vars(self.wanted).values())
                action = None if anything else ("Configure a portfolio", "/configure")
                parts.empty("No run fits these filters." if anything else "You have no runs yet.", action)
                return
            with parts.listing("Runs", *_HEADINGS, numbers=_NUMBERS):
                for run in self.seen:
                    self._row(run)

    def _row(self, run: RunView) -> None:
        with tag("tr"):
            with tag("td"):
                if run.state == "done":
                    box = ui.checkbox(value=run.id in self.ticked, on_change=lambda event: self._tick(run, event.value))
                    box.props["aria-label"] = f"Compare {run.study_name}, {KINDS[run.kind]}"
            with tag("td"):
                words("a", run.study_name, "pd-link pd-break", href=f"/runs/{run.id}")
            with tag("td"), tag("div"):
                words("div", KINDS[run.kind])
                if run.options:
                    words("div", options_text(run.options), "pd-muted pd-small")
            with tag("td"):
                state_badge(run)
            words("td", figures.eur(profit_of(run)), "pd-num")
            words("td", figures.percent(gap_of(run), 3), "pd-num")
            words("td", figures.duration(seconds_of(run)), "pd-num")
            words("td", figures.eur(cost_of(run)), "pd-num")
            with tag("td"):
                parts.when(run.created_at)

    def _tick(self, run: RunView, ticked: bool) -> None:
        self.ticked = [known for known in self.ticked if known != run.id] + ([run.id] if ticked else [])
        self.compare.set_enabled(len(self.ticked) == 2)

    def _compare(self) -> None:
        first, second = self.ticked
        ui.navigate.to(f"/compare?a={first}&b={second}")
