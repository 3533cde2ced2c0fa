"""A run under way: its phases, PODs done, rounds and log, told by the server as they come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import background_tasks, ui
from sqlalchemy.orm import Session

from podium.service import runs
from podium.service.accounts import Caller, Role
from podium.service.problems import NotFoundError, SignInError
from podium.service.rounds import ToldRound, round_of
from podium.service.views import LogLine, RunView
from podium.web import figures, parts
from podium.web.charts import Chart
from podium.web.runs import market_charts
from podium.web.runs.words import STATES, seconds_of
from podium.web.tags import tag, words
from podium.web.visitor import Visitor

_LOOK_SECONDS = 1.0
_ROUNDS_DRAWN_FROM = 2


class Watch:
    """Shows a run until it is over; then `over` is called with it. `heard` gets the lines of its log as they come."""

    def __init__(
        self,
        visitor: Visitor,
        run: RunView,
        over: Callable[[RunView], Awaitable[None]],
        heard: Callable[[list[LogLine]], None] | None = None,
    ) -> None:
        self.visitor, self.run, self.over, self.heard = visitor, run, over, heard
        self.client = ui.context.client
        self.last_line = 0
        self.rounds: list[ToldRound] = []
        self.chart: Chart | None = None
        with tag("div", "pd-stack pd-watch"):
            with tag("div", "pd-row pd-between"):
                with tag("div", "pd-row"):
                    self.badge = words("span", STATES[run.state], parts.badge_classes(run.state))
                    self.told = words("span", "", "pd-strong", role="status")
                with tag("div", "pd-row"):
                    self.spent = words("span", "", "pd-muted")
                    if visitor.may(Role.operator):
                        self.stop = ui.button("Cancel", on_click=self._cancel).classes("pd-quiet")
            self.bar = ui.linear_progress(0.0, show_value=False, size="8px").props("rounded")
            self.bar.props["aria-label"] = "PODs done in this phase"
            with tag("ol", "pd-phases", aria_label="Phases"):
                self.phases = {name: words("li", name) for name in run.phases}
            self.drawn = tag("div")
        self._show()
        self.timer = ui.timer(_LOOK_SECONDS, self._look)

    async def _cancel(self) -> None:
        self.stop.disable()
        with parts.refusals():
            await self.visitor.change(lambda place, caller: runs.cancel(place, caller, self.run.id))
            self.told.text = "Cancelling"
            return
        self.stop.enable()

    async def _look(self) -> None:
        try:
            self.run, lines = await self.visitor.query(self._now)
        except SignInError:
            self.timer.cancel()
            ui.navigate.to("/sign-in")
            return
        except NotFoundError:
            self.timer.cancel()
            self.told.text = "This run was deleted."
            return
        self._hear(lines)
        if self.heard is not None and lines:
            self.heard(lines)
        self._show()
        if self.run.state in runs.OVER:
            self.timer.cancel()
            # Not from within the timer, which ends with this element when the page shows something else in its place.
            background_tasks.create(self._ended())

    async def _ended(self) -> None:
        with self.client:
            await self.over(self.run)

    def _now(self, session: Session, caller: Caller) -> tuple[RunView, list[LogLine]]:
        view = runs.view(session, runs.owned_run(session, caller, self.run.id))
        return view, runs.log_of(session, caller, self.run.id, self.last_line)

    def _hear(self, lines: list[LogLine]) -> None:
        told = [found for line in lines if line.event == "round" and (found := round_of(line.text)) is not None]
        self.last_line = lines[-1].id if lines else self.last_line
        if any(line.event == "state" and "attempt" in line.text for line in lines):
            self.rounds = []  # another worker began the phase anew
        self.rounds += told
        if told and len(self.rounds) >= _ROUNDS_DRAWN_FROM:
            self._draw()

    def _draw(self) -> None:
        figure = market_charts.rounds(told_rows(self.rounds))
        if self.chart is None:
            with self.drawn:
                self.chart = Chart(figure, height_px=220)
        else:
            self.chart.show(figure)

    def _show(self) -> None:
        run = self.run
        self.badge.text = STATES[run.state]
        self.badge.classes(replace=parts.badge_classes(run.state))
        self.told.text = progress_text(run, self.rounds[-1] if self.rounds else None)
        self.spent.text = figures.duration(seconds_of(run)) if run.started_at else ""
        self.bar.value = run.pods_done / max(run.pods, 1) if run.state == "running" else 0.0
        self.bar.props["indeterminate"] = run.state == "running" and not run.pods_done
        at = run.phases.index(run.phase) if run.phase in run.phases else -1
        for number, (name, item) in enumerate(self.phases.items()):
            item.classes(replace="pd-phase-done" if number < at else "pd-phase-now" if name == run.phase else "")


def told_rows(rounds: list[ToldRound]) -> list[dict[str, Any]]:
    """Rounds as the figure takes them."""
    return [
        {"round": each.number, "bound_eur": each.bound_eur, "profit_eur": each.profit_eur, "gap": each.gap}
        for each in rounds
    ]


def progress_text(run: RunView, last: ToldRound | None = None) -> str:
    """Where a run is, in a line."""
    if run.state == "queued":
        ahead = run.ahead or 0
        return "Next in the queue" if ahead == 0 else f"{figures.counted(ahead, 'run')} before this one"
    if run.state != "running" or run.phase is None:
        return {"running": "Starting", "done": "Done", "failed": "Failed", "cancelled": "Cancelled"}[run.state]
    text = run.phase[:1].upper() + run.phase[1:]
    if run.phase == "level 2" and last is not None:
        text += f", round {last.number + 1}, gap {figures.percent(last.gap, 2)}"
    if run.pods_done:
        text += f": {figures.count(run.pods_done)} of {figures.counted(run.pods, 'POD')}"
    return text
