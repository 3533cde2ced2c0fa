"""The page of a run: while it is computed, when it is done, and when it failed."""

from __future__ import annotations

from uuid import UUID

from nicegui import ui

from podium.errors import InputError
from podium.service import runs
from podium.service.accounts import Role
from podium.service.problems import ConflictError, NotFoundError, Where
from podium.service.views import LogLine, RunOptions, RunView, RunWish
from podium.web import figures, parts, shell
from podium.web.runs.results_tabs import results_tabs
from podium.web.runs.shown import shown
from podium.web.runs.watching import Watch
from podium.web.runs.words import KINDS, options_text, seconds_of, state_badge
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page

_LOG_LINES_MAX = 2000


def identity(text: str) -> UUID:
    """The id in an address; raises NotFoundError where it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("no such run") from None


async def run_of(visitor: Visitor, run: UUID) -> RunView:
    """A run of the visitor's own; raises NotFoundError where there is none."""
    return await visitor.query(lambda session, caller: runs.view(session, runs.owned_run(session, caller, run)))


@page("/runs/{run}", title="Run")
async def run_page(visitor: Visitor, run: str) -> None:
    """State, progress, results and log of a run."""
    view = await run_of(visitor, identity(run))
    with shell.frame(
        visitor, view.study_name, active="runs", crumbs=[("Runs", "/runs"), ("This run", None)]
    ) as actions:
        with actions:
            _actions(visitor, view)
        _facts(view)
        body = tag("div", "pd-stack")
    with body:
        await _body(visitor, view)


async def _body(visitor: Visitor, view: RunView) -> None:
    """What there is to see of a run in its state."""
    if view.state not in runs.OVER:

        async def over(_run: RunView) -> None:
            ui.navigate.reload()

        box = tag("div", "pd-card")
        with parts.panel("Log", flush=True):
            log = _log_table()
        with box:
            Watch(visitor, view, over, lambda lines: _add_lines(log, lines))
    elif view.state == "done":
        await _results(visitor, view)
    else:
        if view.problem is not None:
            problem_box(view.problem)
        else:
            words("p", "This run was cancelled, so it has no results.", "pd-notice pd-warn")
        await _log(visitor, view.id)


async def _results(visitor: Visitor, view: RunView) -> None:
    try:
        found = await visitor.read(lambda place, caller: shown(place, caller, view.id))
    except (InputError, ConflictError) as error:
        words("p", f"The results cannot be read: {error}", "pd-notice pd-bad", role="alert")
        return
    lines = await _lines(visitor, view.id)
    results_tabs(found, {"Log": lambda: _add_lines(_log_table(), lines)})


def problem_box(problem: dict[str, object]) -> None:
    """Why a run failed, and everything wrong with its input."""
    with tag("div", "pd-stack", role="alert"):
        with tag("div", "pd-notice pd-bad"):
            words("div", "This run failed", "pd-strong")
            words("div", parts.sentence(str(problem["detail"])), "pd-break")
            words("div", f"Code: {problem['code']}", "pd-muted pd-small")
        listed = problem.get("problems")
        if isinstance(listed, list) and listed:
            parts.problems([Where.model_validate(each) for each in listed])


def _facts(view: RunView) -> None:
    """What the run is, in a line."""
    with tag("div", "pd-row pd-facts"):
        if view.state in runs.OVER:
            state_badge(view)
        words("span", KINDS[view.kind])
        with tag("span", "pd-muted"):
            words("span", "asked for ")
            parts.when(view.created_at)
        if view.finished_at is not None and view.started_at is not None:
            words("span", f"took {figures.duration(seconds_of(view))}", "pd-muted")
        if view.attempts > 1:
            words("span", f"{view.attempts} attempts", "pd-muted")
        if view.options:
            words("span", options_text(view.options), "pd-muted")
        link("Study", f"/studies/{view.study}")
        link("Step 3", f"/optimise/{view.study}")


def _actions(visitor: Visitor, view: RunView) -> None:
    """Buttons for what can be done with the run now."""
    if view.state == "done":
        link("Compare", f"/compare?a={view.id}", "pd-button pd-quiet")
        link("Report", f"/api/v1/runs/{view.id}/results/files/report.html", "pd-button pd-quiet", target="_blank")
    if not visitor.may(Role.operator) or view.state not in runs.OVER:
        return

    async def again() -> None:
        with parts.refusals():
            options = RunOptions.model_validate(view.options)
            wish = RunWish(study=view.study, kind=view.kind, local_run=view.local_run, options=options, again=True)
            started = await visitor.change(lambda place, caller: runs.start(place, caller, wish, None))
            ui.navigate.to(f"/runs/{started.run.id}")

    async def delete() -> None:
        if not await parts.confirm("Delete this run?", "Its results are deleted, too.", "Delete"):
            return
        with parts.refusals():
            await visitor.change(lambda place, caller: runs.delete(place, caller, view.id))
            ui.navigate.to("/runs")

    if view.kind != "portfolio" or view.local_run is not None:
        ui.button("Run again", on_click=again).classes("pd-quiet")
    ui.button("Delete", on_click=delete).classes("pd-quiet")


async def _log(visitor: Visitor, run: UUID) -> None:
    lines = await _lines(visitor, run)
    with parts.panel("Log", flush=True):
        _add_lines(_log_table(), lines)


async def _lines(visitor: Visitor, run: UUID) -> list[LogLine]:
    return await visitor.query(lambda session, caller: runs.log_of(session, caller, run, 0, _LOG_LINES_MAX))


def _log_table() -> ui.element:
    """A log without lines; gives the place for them."""
    around = tag("div", "pd-log", tabindex="0", role="region", aria_label="Log")
    with around, parts.listing("Log", "Time", "Event", "What") as place:
        return place


def _add_lines(place: ui.element, lines: list[LogLine]) -> None:
    with place:
        for line in lines:
            with tag("tr"):
                with tag("td"):
                    parts.when(line.at, seconds=True)
                words("td", line.event, "pd-muted")
                words("td", line.text, "pd-break")
