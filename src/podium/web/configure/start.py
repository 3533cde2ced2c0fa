"""Step 1: a portfolio of plants of the catalogue, an example, or a study of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from nicegui import ui

from podium.errors import InputError
from podium.service import configurations, studies
from podium.service.accounts import Role
from podium.service.composition_views import ConfigurationChange, ConfigurationWhole, NewConfiguration
from podium.service.routes.studies import from_example
from podium.service.views import StudyView
from podium.study.examples import EXAMPLES
from podium.web import figures, parts, shell, theme, uploads
from podium.web.configure.choice import Choice, choice_of
from podium.web.configure.plants import plant_table
from podium.web.configure.saved import saved_list
from podium.web.configure.terms import Terms
from podium.web.configure.written import Field, written_to
from podium.web.steps import CONFIGURE, steps
from podium.web.tags import tag, words
from podium.web.visitor import Visitor, page

LEAD = "Choose plants, a date and a market. What is chosen here can be saved and opened again."


@page("/configure", title="Configure", role=Role.operator)
async def new_configuration(visitor: Visitor) -> None:
    """A new portfolio."""
    await _Step(visitor, Choice(), None).show()


@page("/configure/{configuration}", title="Configure", role=Role.operator)
async def open_configuration(visitor: Visitor, configuration: UUID) -> None:
    """A portfolio that was saved."""
    kept = await visitor.query(
        lambda session, caller: configurations.configuration(session, caller, configuration), Role.operator
    )
    try:
        chosen = choice_of(kept.composition)
    except InputError as error:
        with shell.frame(visitor, kept.name, active="configure", lead="This configuration cannot be opened any more."):
            parts.problems(error)
        return
    chosen.name = kept.name
    await _Step(visitor, chosen, kept).show()


class _Step:
    """The page: fields that write into a choice, and what is done with it."""

    def __init__(self, visitor: Visitor, chosen: Choice, kept: ConfigurationWhole | None) -> None:
        self.visitor, self.chosen, self.kept = visitor, chosen, kept
        self.name: ui.input
        self.terms: Terms
        self.told: ui.element
        self.totals: ui.element

    async def show(self) -> None:
        """Build the page."""
        ui.add_head_html(f'<link rel="stylesheet" href="{theme.address()}/configure.css">')
        title = self.kept.name if self.kept else "Configure a portfolio"
        with shell.frame(self.visitor, title, active="configure", lead=LEAD):
            steps(CONFIGURE, None, self.kept.id if self.kept else None)
            with ui.tabs().props('aria-label="What to start from"') as tabs:
                catalogue = ui.tab("Plant catalogue")
                examples = ui.tab("Example")
                upload = ui.tab("Upload a study")
            with ui.tab_panels(tabs, value=catalogue, animated=False).classes("pd-starts"):
                with ui.tab_panel(catalogue):
                    await self._catalogue()
                with ui.tab_panel(examples):
                    self._examples()
                with ui.tab_panel(upload):
                    self._upload()

    async def _catalogue(self) -> None:
        with tag("div", "pd-side"):
            with parts.panel("Plants", flush=True):
                plant_table(self.chosen, self._tell_totals)
            with tag("div", "pd-stack"):
                with parts.panel("Name"):
                    self.name = parts.field("Name of the portfolio", self.chosen.name)
                    written_to(self.name, self.chosen, "name")
                self.terms = Terms(self.chosen)
                await saved_list(self.visitor, self.kept.id if self.kept else None)
        self.told = tag("div")
        with tag("div", "pd-dock"):
            self.totals = tag("dl", "pd-dock-totals", role="status", aria_label="Totals")
            with tag("div", "pd-row"):
                if self.kept is not None:
                    ui.button("Save as new", on_click=self._save_as_new).classes("pd-quiet")
                ui.button("Save", on_click=self._save).classes("pd-quiet")
                ui.button("Go on to profiles", on_click=self._go_on)
        self._tell_totals()

    def _tell_totals(self) -> None:
        found = self.chosen.installed
        shown = {
            "PODs": figures.count(found.pods),
            "Devices": figures.count(found.devices),
            "Generation": figures.power_kw(found.generation_kw),
            "Storage": f"{figures.power_kw(found.storage_kw)}, {figures.energy_kwh(found.storage_kwh)}",
            "Loads": figures.power_kw(found.load_kw),
        }
        self.totals.clear()
        with self.totals:
            for label, value in shown.items():
                with tag("div"):
                    words("dt", label)
                    words("dd", value)

    async def _keep(self, *, new: bool = False) -> ConfigurationWhole:
        """Save what is chosen, as what was opened or as something new. Raises InputError with everything wrong."""
        composition = self.chosen.composition()
        name, kept = composition.name, self.kept
        if kept is None or new:
            wish = NewConfiguration(name=name, composition=composition, profiles=kept.profiles if kept else None)
            return await self.visitor.change(lambda place, caller: configurations.keep(place, caller, wish))
        change = ConfigurationChange(name=name, composition=composition)
        return await self.visitor.change(lambda place, caller: configurations.change(place, caller, kept.id, change))

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Errors beside their fields, of which the first comes into sight."""
        fields: dict[str, Field] = {"name": self.name, **self.terms.fields}
        self.told.clear()
        with parts.refusals(fields, self.told):
            yield
        if any(found.error for found in fields.values()):
            ui.run_javascript("document.querySelector('.q-field--error')?.scrollIntoView({block: 'center'})")

    async def _save(self, *, new: bool = False) -> None:
        with self._refusals():
            saved = await self._keep(new=new)
            if self.kept is None or new:
                ui.navigate.to(f"/configure/{saved.id}")
            else:
                parts.say(f"“{saved.name}” is saved")

    async def _save_as_new(self) -> None:
        await self._save(new=True)

    async def _go_on(self) -> None:
        with self._refusals():
            self.chosen.composition().templates()
            saved = await self._keep()
            ui.navigate.to(f"/configure/{saved.id}/profiles")

    def _examples(self) -> None:
        with tag("div", "pd-grid"):
            for name, what in EXAMPLES.items():
                with tag("section", "pd-card pd-stack"):
                    words("h2", name)
                    words("p", what.replace("`", ""), "pd-muted")
                    self._example_button(name)

    def _example_button(self, name: str) -> None:
        async def use() -> None:
            button.disable()
            with parts.refusals():
                fill = from_example(name)
                await _to_profiles(await self.visitor.change(lambda place, caller: studies.kept(place, caller, fill)))
            button.enable()

        button = ui.button("Use this example", on_click=use).classes("pd-quiet pd-start")
        button.props["aria-label"] = f"Use the example {name}"

    def _upload(self) -> None:
        with parts.panel("Upload a study"):
            words("p", "A zip archive, or study.yaml and its tables. Everything that is wrong is listed.", "pd-muted")
            uploads.upload_box(self.visitor, _to_profiles)


async def _to_profiles(study: StudyView) -> None:
    """Go on to step 2 with a study."""
    ui.navigate.to(f"/profiles/{study.id}")
