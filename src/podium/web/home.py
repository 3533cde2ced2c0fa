"""The first page after signing in: what to do next, and what one did last."""

from __future__ import annotations

from nicegui import ui

from podium.service import configurations, runs, studies
from podium.service.accounts import Caller, Role
from podium.service.composition_views import ConfigurationView
from podium.service.installation import Installation
from podium.service.routes.studies import from_example
from podium.service.views import RunView, RunWish, StudyView
from podium.web import parts, shell, uploads
from podium.web.runtable import run_table
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page

DEMO = "it-north-200"
_SHOWN = 6


@page("/", title="Home")
async def home(visitor: Visitor) -> None:
    """Where to go from here."""
    own = await visitor.query(studies.studies_of)
    latest = await visitor.query(lambda session, caller: runs.runs_of(session, caller, None, 0, _SHOWN))
    kept = await visitor.query(configurations.configurations_of)
    with shell.frame(visitor, "Home", active="home", lead=_lead(visitor, own, latest)):
        if visitor.may(Role.operator):
            with tag("div", "pd-grid pd-narrow"):
                _demo_card(visitor, first=not latest)
                _card("Configure a portfolio", "Choose plants, a date and a market.", "Configure", "/configure")
                _card("Use a study of your own", "A zip archive, or study.yaml and its tables.", "Upload", "/studies")
        with tag("div", "pd-two pd-wide"):
            with parts.panel("Latest runs", flush=True) as more:
                _all(more, "All runs", "/runs", shown=bool(latest))
                run_table(latest)
            with tag("div", "pd-stack"):
                with parts.panel("Latest studies", flush=True) as more:
                    _all(more, "All studies", "/studies", shown=bool(own))
                    _studies(own[:_SHOWN])
                if kept:
                    with parts.panel("Latest configurations", flush=True) as more:
                        _all(more, "All configurations", "/profile", shown=True)
                        _configurations(kept[:_SHOWN])


def _lead(visitor: Visitor, own: list[StudyView], latest: list[RunView]) -> str:
    if latest:
        return ""
    if not visitor.may(Role.operator):
        return "" if own else "Nobody shares a study with you yet."
    return "Start a run of one of the studies." if own else "Nothing has been computed yet. Here is where to begin."


def _demo_card(visitor: Visitor, first: bool) -> None:
    async def run() -> None:
        button.disable()
        told.text = "The study is being made; that takes some seconds."
        with parts.refusals():
            started = await visitor.change(run_demo)
            ui.navigate.to(f"/runs/{started.id}")
            return
        told.text = ""
        button.enable()

    with tag("section", "pd-card pd-stack"):
        words("h2", "Run the demo study")
        words("p", "200 PODs in Northern Italy on a real day: optimised and checked within a minute.", "pd-muted")
        told = words("p", "", "pd-muted pd-small pd-told", role="status")
        button = ui.button("Run the demo study", on_click=run).classes("pd-start" if first else "pd-start pd-quiet")


def run_demo(place: Installation, caller: Caller) -> RunView:
    """The run of the demo study for a caller: the one that is there, else a new one."""
    study = studies.kept(place, caller, from_example(DEMO))
    return runs.start(place, caller, RunWish(study=study.id), None).run


def _card(title: str, text: str, action: str, address: str) -> None:
    with tag("section", "pd-card pd-stack"):
        words("h2", title)
        words("p", text, "pd-muted")
        link(action, address, "pd-button pd-quiet pd-start")


def _all(place: ui.element, text: str, address: str, *, shown: bool) -> None:
    if shown:
        with place:
            link(text, address)


def _studies(latest: list[StudyView]) -> None:
    if not latest:
        parts.empty("No studies yet.")
        return
    with tag("ul", "pd-list"):
        for study in latest:
            with tag("li"):
                link(study.name, f"/studies/{study.id}", "pd-link pd-break")
                words("span", uploads.summary(study.facts), "pd-muted pd-small")


def _configurations(latest: list[ConfigurationView]) -> None:
    with tag("ul", "pd-list"):
        for kept in latest:
            with tag("li"):
                link(kept.name, f"/configure/{kept.id}", "pd-link pd-break")
                with tag("span", "pd-muted pd-small"):
                    parts.when(kept.changed_at)
