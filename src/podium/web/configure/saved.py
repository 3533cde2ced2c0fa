"""The configurations that somebody saved: opened, renamed, deleted."""

from __future__ import annotations

from uuid import UUID

from nicegui import ui

from podium.service import configurations
from podium.service.accounts import Role
from podium.service.composition_views import ConfigurationChange, ConfigurationView
from podium.study.composition import composition_of
from podium.web import parts
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor


async def saved_list(visitor: Visitor, current: UUID | None) -> None:
    """A panel with one's own configurations; `current` is the one that is open."""
    with parts.panel("Saved configurations", flush=True):
        shown = _Saved(visitor, current, tag("ul", "pd-list"))
        await shown.fill()


class _Saved:
    """The list, which is filled anew after each change."""

    def __init__(self, visitor: Visitor, current: UUID | None, place: ui.element) -> None:
        self.visitor, self.current, self.place = visitor, current, place

    async def fill(self) -> None:
        """Show what there is now."""
        found = await self.visitor.query(configurations.configurations_of, Role.operator)
        self.place.clear()
        with self.place:
            if not found:
                words("li", "Nothing is saved yet.", "pd-muted")
            for kept in found:
                self._row(kept)

    def _row(self, kept: ConfigurationView) -> None:
        async def rename() -> None:
            name = await _asked_name(kept.name)
            if name is None:
                return
            with parts.refusals():
                composition = composition_of({**kept.composition, "name": name})
                change = ConfigurationChange(name=name, composition=composition)
                await self.visitor.change(lambda place, caller: configurations.change(place, caller, kept.id, change))
                await self._changed(kept)

        async def delete() -> None:
            text = "Studies that were made of it stay. This cannot be undone."
            if not await parts.confirm(f"Delete “{kept.name}”?", text, "Delete"):
                return
            with parts.refusals():
                await self.visitor.change(lambda place, caller: configurations.delete(place, caller, kept.id))
                if kept.id == self.current:
                    ui.navigate.to("/configure")
                else:
                    await self.fill()

        with tag("li", "pd-between"):
            with tag("div", "pd-stack pd-tight"):
                current = {"aria_current": "page"} if kept.id == self.current else {}
                link(kept.name, f"/configure/{kept.id}", "pd-link pd-break", **current)
                with tag("span", "pd-muted pd-small"):
                    parts.when(kept.changed_at)
            with tag("div", "pd-row"):
                parts.action("Rename", rename, f"Rename {kept.name}")
                parts.action("Delete", delete, f"Delete {kept.name}")

    async def _changed(self, kept: ConfigurationView) -> None:
        if kept.id == self.current:
            ui.navigate.to(f"/configure/{kept.id}")
        else:
            await self.fill()


async def _asked_name(before: str) -> str | None:
    """Another name, or None."""
    with ui.dialog(value=True) as dialog, ui.card():
        dialog.props["aria-label"] = f"Rename {before}"
        words("h2", "Rename")
        name = parts.field("Name", before)
        with tag("div", "pd-row").style("justify-content: flex-end"):
            ui.button("Cancel", on_click=lambda: dialog.submit(None)).classes("pd-quiet")
            ui.button("Rename", on_click=lambda: dialog.submit(name.value))
    answer = await dialog
    dialog.delete()
    return str(answer).strip() or None if answer is not None else None
