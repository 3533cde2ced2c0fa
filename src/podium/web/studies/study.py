"""One study: what it is about, its tables as files, and what its owner may do with it."""

from __future__ import annotations

from uuid import UUID

from nicegui import ui

from podium.service import runs, studies
from podium.service.accounts import Role
from podium.service.views import ShareView, ShareWish, StudyName, StudyView
from podium.web import figures, parts, shell
from podium.web.accounts.entrance import EMAIL, NAME
from podium.web.runtable import run_table
from podium.web.tags import link, tag, words
from podium.web.uploads import go_to
from podium.web.visitor import Visitor, page

_RUNS_SHOWN = 10
_DOWNLOAD = "Its files in a zip archive, for podium run or another upload"


@page("/studies/{study}", title="Study")
async def one_study(visitor: Visitor, study: UUID) -> None:
    """Facts, tables, runs, and what may be done."""
    found = await visitor.query(lambda session, caller: studies.view(session, caller, study))
    latest = await visitor.query(lambda session, caller: runs.runs_of(session, caller, study, 0, _RUNS_SHOWN))
    lead = "" if found.mine else f"Shared with you by {found.owner}"
    crumbs = [("Studies", "/studies"), (found.name, None)]
    with shell.frame(visitor, found.name, active="studies", lead=lead, crumbs=crumbs) as actions:
        with actions:
            link("Download", f"/api/v1/studies/{study}/archive", "pd-button pd-quiet", download="", title=_DOWNLOAD)
            link("Profiles", f"/profiles/{study}", "pd-button pd-quiet")
            if visitor.may(Role.operator):
                link("Optimise", f"/optimise/{study}", "pd-button")
        _facts(found)
        for notice in found.facts.notices:
            with tag("div", "pd-notice pd-warn"):
                words("p", notice)
        with tag("div", "pd-side"):
            with tag("div", "pd-stack"):
                with parts.panel("Your latest runs of it", flush=True):
                    run_table(latest, of_one_study=True)
                with parts.panel("Tables", flush=True):
                    _tables(found)
            with tag("div", "pd-stack"):
                if visitor.may(Role.operator):
                    _owner_panels(visitor, found)
                if found.mine and visitor.may(Role.operator):
                    await _Shares(visitor, study).show()


def _facts(study: StudyView) -> None:
    facts = study.facts
    with parts.stats():
        parts.stat("PODs", figures.count(facts.pods))
        parts.stat("Devices", figures.count(facts.devices))
        parts.stat("From", figures.day(facts.start, facts.time_zone), facts.time_zone)
        parts.stat("Steps", figures.count(facts.steps), f"of {facts.step_minutes} min")
        parts.stat("Market prices", "yes" if facts.prices else "no")


def _tables(study: StudyView) -> None:
    with parts.listing("Tables", "Table", "Rows", "Download", numbers=("Rows",)):
        for table, rows in study.facts.tables.items():
            address = f"/api/v1/studies/{study.id}/tables/{table}"
            with tag("tr"):
                words("td", table, "pd-mono")
                words("td", figures.count(rows), "pd-num")
                with tag("td"), tag("div", "pd-row"):
                    link("CSV", f"{address}/csv", download="", aria_label=f"{table} as CSV")
                    link("Parquet", f"{address}/parquet", download="", aria_label=f"{table} as Parquet")


def _owner_panels(visitor: Visitor, study: StudyView) -> None:
    """Rename, copy and delete; of a study of others only copy."""

    async def rename() -> None:
        with parts.refusals({"name": name}):
            wish = parts.checked(StudyName, name=name.value)
            await visitor.change(lambda place, caller: studies.rename(place, caller, study.id, wish.name))
            go_to(study)

    async def copy() -> None:
        with parts.refusals({"name": name}):
            wish = parts.checked(StudyName, name=name.value)
            go_to(await visitor.change(lambda place, caller: studies.copy(place, caller, study.id, wish.name)))

    async def delete() -> None:
        text = "Its runs go with it, those of others too. This cannot be undone."
        if not await parts.confirm(f"Delete “{study.name}”?", text, "Delete"):
            return
        with parts.refusals():
            await visitor.change(lambda place, caller: runs.delete_study(place, caller, study.id))
            ui.navigate.to("/studies")

    with parts.panel("Name" if study.mine else "Copy"):
        name = parts.field("Name", study.name, expected=NAME)
        with tag("div", "pd-row"):
            if study.mine:
                ui.button("Rename", on_click=rename)
            ui.button("Copy under this name", on_click=copy).classes("pd-quiet")
            if study.mine:
                ui.button("Delete", on_click=delete).classes("pd-quiet")


class _Shares:
    """With whom a study is shared."""

    def __init__(self, visitor: Visitor, study: UUID) -> None:
        self.visitor, self.study = visitor, study
        self.list: ui.element

    async def show(self) -> None:
        async def share() -> None:
            with parts.refusals({"email": email}):
                wish = parts.checked(ShareWish, email=email.value)
                await self.visitor.change(lambda place, caller: studies.share(place, caller, self.study, wish.email))
                email.value = ""
                await self._fill()

        with parts.panel("Shared with"):
            words("p", "They may read, run and copy it.", "pd-muted")
            self.list = tag("ul", "pd-stack")
            email = parts.field("E-mail", expected=EMAIL)
            ui.button("Share", on_click=share).classes("pd-start")
        await self._fill()

    async def _fill(self) -> None:
        found = await self.visitor.read(lambda place, caller: studies.shares(place, caller, self.study))
        self.list.clear()
        with self.list:
            for share in found:
                self._row(share)

    def _row(self, share: ShareView) -> None:
        async def end() -> None:
            with parts.refusals():
                await self.visitor.change(lambda place, caller: studies.unshare(place, caller, self.study, share.id))
                await self._fill()

        with tag("li", "pd-row pd-between"):
            words("span", share.email, "pd-break")
            parts.action("End", end, f"End sharing with {share.email}")
