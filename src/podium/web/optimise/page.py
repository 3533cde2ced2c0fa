"""Step 3: local optimisation of each POD, then the portfolio from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from nicegui import ui
from sqlalchemy.orm import Session

from podium.service import configurations, runs, studies
from podium.service.accounts import Caller, Role
from podium.service.views import RunView, RunWish, StudyView
from podium.web import figures, parts, shell, steps
from podium.web.optimise.options import LocalOptions, PortfolioOptions
from podium.web.runs import overview
from podium.web.runs.results_tabs import pod_panel, results_tabs
from podium.web.runs.run_page import identity, problem_box
from podium.web.runs.shown import Shown, shown
from podium.web.runs.watching import Watch
from podium.web.runs.words import options_text
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page

#: Runs that are looked through for the newest that counts.
_LOOKED_THROUGH = 50
_LOCAL_FINDS = (
    "Finds the schedule of least cost, the least and the greatest energy and the band of each POD, as if the others "
    "were not there."
)
_PLAN_FINDS = (
    "Finds what the portfolio buys, sells and holds ready, how far that is from the best possible, and the set point "
    "of each device."
)
_COUNT = ("queued", "running", "done")


@page("/optimise/{study}", title="Optimise")
async def optimise_page(visitor: Visitor, study: str, configuration: str = "") -> None:
    """Local optimisation, aggregation, and their results. `configuration` is what the study was composed of."""
    key = identity(study)
    found = await visitor.query(lambda session, caller: studies.view(session, caller, key))
    kept = await visitor.query(lambda session, caller: _own_configuration(session, caller, configuration))
    facts = found.facts
    lead = f"{figures.counted(facts.pods, 'POD')}, {figures.counted(facts.devices, 'device')}, {period(found)}"
    with shell.frame(visitor, found.name, active="configure", lead=lead):
        steps.steps(steps.OPTIMISE, key, kept)
        step = _Step(visitor, found)
    await step.refresh()


def _own_configuration(session: Session, caller: Caller, named: str) -> UUID | None:
    """The configuration that an address names, where it is still there and the caller's own."""
    kept = (found.id for found in configurations.configurations_of(session, caller))
    return next((key for key in kept if str(key) == named), None)


def period(study: StudyView) -> str:
    """The days of a study, as its own clock has them."""
    facts = study.facts
    first = figures.moment(facts.start, facts.time_zone)[:10]
    return f"{first}, {figures.counted(facts.steps, 'step')} of {facts.step_minutes} min, {facts.time_zone}"


def newest(found: list[RunView]) -> RunView | None:
    """The newest run that waits, runs or is done, else the newest of all."""
    return next((run for run in found if run.state in _COUNT), found[0] if found else None)


class _Step:
    """Both parts of the step; looked at anew whenever one of their runs is over."""

    def __init__(self, visitor: Visitor, study: StudyView) -> None:
        self.visitor, self.study = visitor, study
        self.local: RunView | None = None
        self.plans: list[RunView] = []
        self.chosen: UUID | None = None
        """The aggregation that is shown, where it is not the newest."""
        with parts.panel("Local optimisation: each POD alone") as head:
            self.local_head, self.local_place = head, tag("div", "pd-stack")
        with parts.panel("Aggregate: the portfolio on the markets") as head:
            self.plan_head, self.plan_place = head, tag("div", "pd-stack")

    async def refresh(self) -> None:
        """Show both parts as they are now."""
        with parts.refusals():
            self.local, self.plans = await self.visitor.query(self._ask)
            await self._show_local()
            await self._show_plan()

    def _ask(self, session: Session, caller: Caller) -> tuple[RunView | None, list[RunView]]:
        key = self.study.id
        wanted = runs.Chosen(study=key, kind="local")
        local = newest(runs.runs_of(session, caller, None, 0, _LOOKED_THROUGH, wanted))
        if local is None:
            return None, []
        built = runs.Chosen(study=key, kind="portfolio", local_run=local.id)
        return local, runs.runs_of(session, caller, None, 0, _LOOKED_THROUGH, built)

    # Local ------------------------------------------------------------------------------------------------------------

    async def _show_local(self) -> None:
        self.local_head.clear()
        self.local_place.clear()
        run = self.local
        with self.local_head:
            if run is not None:
                link("Open the run", f"/runs/{run.id}")
        with self.local_place:
            if run is not None and run.state not in runs.OVER:
                Watch(self.visitor, run, self._over)
                return
            if run is not None and run.problem is not None:
                problem_box(run.problem)
            if run is not None and run.state == "cancelled":
                words("p", "The last local optimisation was cancelled.", "pd-notice pd-warn")
            done = await self._read(run) if run is not None and run.state == "done" else None
            if done is None:
                words("p", _LOCAL_FINDS, "pd-muted")
                self._local_form(first=True)
                return
            overview.tiles(done.found)
            overview.notices(done.found)
            pod_panel(done.run.id, done.found, planned=False, page_size=10)
            with tag("details", "pd-again"):
                words("summary", "Run local optimisation with other options")
                self._local_form(first=False)

    def _local_form(self, *, first: bool) -> None:
        if not self._may_start():
            return
        if first:
            with tag("details", "pd-again"):
                words("summary", "Options")
                options = LocalOptions(self.study.facts.options)
        else:
            options = LocalOptions(self.study.facts.options)

        async def start() -> None:
            button.disable()
            with parts.refusals(fields=options.fields):
                wish = RunWish(study=self.study.id, kind="local", options=options.read())
                await self._start(wish)
                return
            button.enable()

        button = ui.button("Run local optimisation", on_click=start).classes("pd-start")

    # Portfolio --------------------------------------------------------------------------------------------------------

    async def _show_plan(self) -> None:
        self.plan_head.clear()
        self.plan_place.clear()
        with self.plan_place:
            if self.local is None or self.local.state != "done":
                words("p", "Can be started once local optimisation is done.", "pd-muted")
                ui.button("Aggregate").classes("pd-start").disable()
                return
            run = next((plan for plan in self.plans if plan.id == self.chosen), newest(self.plans))
            if run is None:
                words("p", _PLAN_FINDS, "pd-muted")
                self._plan_form(self.local)
                return
            self._earlier(run)
            if run.state not in runs.OVER:
                Watch(self.visitor, run, self._over)
                return
            with tag("details", "pd-again"):
                words("summary", "Aggregate with other options")
                self._plan_form(self.local)
            if run.problem is not None:
                problem_box(run.problem)
            elif run.state == "cancelled":
                words("p", "This aggregation was cancelled.", "pd-notice pd-warn")
            done = await self._read(run) if run.state == "done" else None
            if done is not None:
                results_tabs(done)

    def _earlier(self, shown_run: RunView) -> None:
        """Which aggregation is shown; others can be chosen, and compared with it."""
        with self.plan_head:
            done = [plan for plan in self.plans if plan.state == "done"]
            if len(self.plans) > 1:
                parts.dated_choice(
                    [plan.created_at for plan in self.plans],
                    partial(_plan_names, self.plans),
                    value=str(shown_run.id),
                    label="Aggregation",
                    on_change=lambda event: self._choose(event.value),
                ).classes("pd-choice pd-wide")
            other = next((plan for plan in done if plan.id != shown_run.id), None)
            if other is not None and shown_run.state == "done":
                link("Compare", f"/compare?a={other.id}&b={shown_run.id}")
            link("Open the run", f"/runs/{shown_run.id}")

    async def _choose(self, run: str) -> None:
        self.chosen = UUID(run)
        with parts.refusals():
            await self._show_plan()

    def _plan_form(self, local: RunView) -> None:
        if not self._may_start():
            return
        options = PortfolioOptions(self.study.facts.options)

        async def start() -> None:
            button.disable()
            with parts.refusals(fields=options.fields):
                wish = RunWish(study=self.study.id, kind="portfolio", local_run=local.id, options=options.read())
                await self._start(wish)
                return
            button.enable()

        button = ui.button("Aggregate", on_click=start).classes("pd-start")

    # Both -------------------------------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        """Whether the visitor may start runs; says so where not."""
        may = self.visitor.may(Role.operator)
        if not may:
            words("p", "Your role may look at runs, but not start any.", "pd-muted")
        return may

    async def _start(self, wish: RunWish) -> None:
        started = await self.visitor.change(lambda place, caller: runs.start(place, caller, wish, None))
        if wish.kind == "portfolio":
            self.chosen = started.run.id
        if not started.fresh:
            parts.say("There is a run of these options already; it is shown.", "info")
        await self.refresh()

    async def _over(self, _run: RunView) -> None:
        await self.refresh()

    async def _read(self, run: RunView) -> Shown:
        return await self.visitor.read(lambda place, caller: shown(place, caller, run.id))


def _plan_names(plans: Sequence[RunView], moments: Sequence[str]) -> dict[str, str]:
    """What tells aggregations apart."""
    return {
        str(plan.id): f"{moment}, {options_text(plan.options) or 'options of the study'}, {plan.state}"
        for plan, moment in zip(plans, moments, strict=True)
    }
