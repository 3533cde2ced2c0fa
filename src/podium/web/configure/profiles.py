"""Step 2 of a configuration: its profiles for the days, found or missing, and profiles of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from podium.errors import InputError
from podium.service import compositions, configurations
from podium.service.accounts import Caller, Role
from podium.service.composition_views import ConfigurationChange, ConfigurationWhole
from podium.service.installation import Installation
from podium.service.problems import NotFoundError
from podium.study.composition import Composition, composition_of
from podium.study.forecast import Forecast, forecasts
from podium.study.supply import MARKET, Given, Needs, needs
from podium.web import figures, parts, shell, theme, uploads
from podium.web.configure.study_profiles import study_profiles
from podium.web.configure.supplies import (
    Line,
    badge,
    forecast_lines,
    forecast_tiles,
    horizon_words,
    price_panel,
    profile_table,
)
from podium.web.steps import PROFILES, steps
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page


@dataclass(frozen=True)
class _Found:
    """A configuration with what it needs."""

    kept: ConfigurationWhole
    composition: Composition
    needs: Needs
    sums: list[Forecast]
    by_plant: dict[str, list[Forecast]]
    refused: InputError | None
    """Why the profiles that came with it are left out."""


@page("/configure/{wanted}/profiles", title="Profiles", role=Role.operator)
async def configuration_profiles(visitor: Visitor, wanted: UUID) -> None:
    """Step 2 of a configuration, or of a study."""
    try:
        kept = await visitor.query(
            lambda session, caller: configurations.configuration(session, caller, wanted), Role.operator
        )
    except NotFoundError:
        await study_profiles(visitor, wanted)
        return
    try:
        found = await visitor.read(lambda place, _caller: _look(place, kept), Role.operator)
    except InputError as error:
        _refused(visitor, kept, error)
        return
    _Step(visitor, found).show()


def _look(place: Installation, kept: ConfigurationWhole) -> _Found:
    """Everything that the page shows of a configuration."""
    composition = composition_of(kept.composition)
    given, refused = Given(), None
    try:
        given = compositions.given_text(place, composition, kept.profiles) or Given()
    except InputError as error:
        refused = error
    found = needs(composition, given)
    by_plant = {name: forecasts(composition, found, name) for name in composition.templates()}
    return _Found(kept, composition, found, forecasts(composition, found), by_plant, refused)


def _refused(visitor: Visitor, kept: ConfigurationWhole, error: InputError) -> None:
    """A configuration of which no study could be made."""
    with shell.frame(visitor, kept.name, active="configure"):
        steps(PROFILES, None, kept.id)
        parts.problems(error)
        link("Back to the plants", f"/configure/{kept.id}", "pd-button pd-start")


class _Step:
    """The page of a configuration."""

    def __init__(self, visitor: Visitor, found: _Found) -> None:
        self.visitor, self.found = visitor, found
        self.told: ui.element

    @property
    def _id(self) -> UUID:
        return self.found.kept.id

    def show(self) -> None:
        """Build the page."""
        ui.add_head_html(f'<link rel="stylesheet" href="{theme.address()}/configure.css">')
        found = self.found
        lead = horizon_words(found.needs.horizon)
        with shell.frame(self.visitor, found.kept.name, active="configure", lead=lead):
            steps(PROFILES, None, self._id)
            self._state()
            forecast_tiles(found.composition.installed(), found.sums)
            with tag("div", "pd-side"):
                with tag("div", "pd-stack"):
                    self._plants()
                    with parts.panel("Profiles", flush=True):
                        profile_table(self._lines())
                with tag("div", "pd-stack"):
                    prices = found.needs.prices
                    price_panel(prices.values, prices.source, prices.detail, needed=found.needs.prices_needed)
                    self._own_profiles()
            self.told = tag("div")
            self._dock()

    def _state(self) -> None:
        """In a word whether anything is missing, and what to do about it."""
        found, missing = self.found, self.found.needs.missing
        if found.refused is not None:
            words("p", "The profiles that came with this configuration do not fit its days and are left out.")
            parts.problems(found.refused)
        if not missing:
            with tag("div", "pd-notice pd-good", role="status"):
                words("p", "Everything that these days need is there.")
            return
        profiles = [supply for supply in missing if supply.name != "prices"]
        with tag("div", "pd-notice pd-warn", role="status"), tag("div", "pd-stack"):
            if profiles:
                count = figures.counted(len(profiles), "profile is", "profiles are")
                words("p", f"{count} missing for these days. Upload them, or let other days stand in.")
                ui.button("Let the nearest days stand in", on_click=self._stand_in).classes("pd-quiet pd-start")
            if len(profiles) < len(missing):
                words("p", "There are no market prices for these days. Upload a column price_eur_per_mwh.")

    def _plants(self) -> None:
        sources = {supply.name: supply.source for supply in self.found.needs.profiles}
        with (
            parts.panel("Plants", flush=True),
            parts.listing("Plants and their profiles", "Plant", "Profiles", "For these days"),
        ):
            for name, (template, count) in self.found.composition.templates().items():
                with tag("tr"):
                    words("td", f"{figures.count(count)} × {template.title}", "pd-strong")
                    used = list(dict.fromkeys(template.profiles()))
                    with tag("td"), tag("div", "pd-chips"):
                        if not used:
                            words("span", "needs none", "pd-muted pd-small")
                        for source in dict.fromkeys(sources[profile] for profile in used):
                            badge(source)
                            of_source = [profile for profile in used if sources[profile] == source]
                            words("span", ", ".join(of_source), "pd-muted pd-small")
                    with tag("td"):
                        forecast_lines(self.found.by_plant[name])

    def _lines(self) -> list[Line]:
        return [
            Line(supply.name, supply.source, supply.detail, _users(supply.used_by), supply.values)
            for supply in self.found.needs.profiles
        ]

    def _own_profiles(self) -> None:
        """Upload of profiles, and what is there as a table to start from."""

        async def uploaded(event: GenericEventArguments) -> None:
            refused.clear()
            answer = event.args["detail"]
            if answer["status"] == HTTPStatus.OK:
                ui.navigate.to(f"/configure/{self._id}/profiles")
                return
            with refused:
                uploads.tell_refused(answer["content"] or {})

        with parts.panel("Profiles of your own"):
            words(
                "p",
                "A table (CSV, Parquet or Excel) with time and a column per profile, in kW per kW of size. It fills in "
                "what is missing and replaces what is there. Prices are a column price_eur_per_mwh.",
                "pd-muted",
            )
            with tag("div", "pd-upload pd-stack", data_upload="", data_csrf=self.visitor.csrf) as box:
                with tag("div", "pd-drop"):
                    words("button", "Choose a file", "pd-button pd-quiet", type="button", data_choose="input[data-one]")
                    tag("input", type="file", hidden="", data_one="", aria_label="File of profiles")
                    words("p", "", "pd-muted pd-break", data_files="", role="status")
                path = f"/configurations/{self._id}/profiles"
                words("button", "Upload", "pd-button pd-start", type="button", data_send=path, disabled="")
                tag("progress", max="1", value="0", hidden="", aria_label="Upload")
            refused = tag("div")
            box.on("podium-uploaded", uploaded, args=["detail"])
            with tag("div", "pd-row"):
                ui.button("Download the profiles", on_click=self._download).classes("pd-quiet")
                if self.found.kept.profiles is not None:
                    ui.button("Drop your profiles", on_click=self._drop).classes("pd-quiet")
            if self.found.needs.unused:
                words("p", f"Nothing uses {', '.join(self.found.needs.unused[:10])}.", "pd-hint")

    def _dock(self) -> None:
        with tag("div", "pd-dock"):
            link("Back to the plants", f"/configure/{self._id}", "pd-button pd-quiet")
            self.told_busy = words("p", "", "pd-muted pd-small", role="status")
            self.go = ui.button("Go on to optimise", on_click=self._go_on)
            if self.found.needs.missing:
                self.go.disable()

    async def _stand_in(self) -> None:
        with parts.refusals(place=self.told):
            change = ConfigurationChange(composition=self.found.composition.model_copy(update={"nearest_days": True}))
            await self.visitor.change(lambda place, caller: configurations.change(place, caller, self._id, change))
            ui.navigate.to(f"/configure/{self._id}/profiles")

    async def _drop(self) -> None:
        with parts.refusals(place=self.told):
            change = ConfigurationChange(profiles="")
            await self.visitor.change(lambda place, caller: configurations.change(place, caller, self._id, change))
            ui.navigate.to(f"/configure/{self._id}/profiles")

    def _download(self) -> None:
        """The profiles and prices that are there, as an upload would have them."""
        found = self.found.needs
        columns = {supply.name: supply.values for supply in found.profiles if supply.values is not None}
        text = Given(columns | dict(found.price_columns)).text(found.horizon)
        ui.download.content(text, "profiles.csv", "text/csv")

    async def _go_on(self) -> None:
        def made(place: Installation, caller: Caller) -> UUID:
            profiles = None if self.found.refused is not None else self.found.kept.profiles
            return compositions.study_of(place, caller, self.found.composition, profiles).id

        self.go.disable()
        self.told_busy.text = "The study is being made."
        self.told.clear()
        with parts.refusals(place=self.told):
            ui.navigate.to(f"/optimise/{await self.visitor.change(made)}?configuration={self._id}")
            return
        self.told_busy.text = ""
        self.go.enable()


def _users(used_by: Mapping[str, int]) -> str:
    """Who uses a profile."""
    return ", ".join("limits and reserve" if name == MARKET else name for name in used_by)
