"""The reserve markets of step 1: each with its terms, added and removed."""

from __future__ import annotations

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from podium.study.presets import Preset, presets
from podium.web import parts
from podium.web.configure.choice import Choice
from podium.web.configure.reserve import FIELDS, Reserve
from podium.web.configure.written import written_to
from podium.web.tags import tag, words

#: Key -> words of its field.
LABELS = {
    "availability_eur_per_mw_h": "Price, EUR/MW/h",
    "sustain_hours": "Sustained for, h",
    "activation_eur_per_mwh": "Price of calls, EUR/MWh",
    "activated_share": "Share called, %",
    "minimum_mw": "Least offer, MW",
    "increment_mw": "In steps of, MW",
}
#: What counts where neither the field nor the preset says anything.
_ABSENT = {"sustain_hours": "1", "activated_share": "0", "minimum_mw": "any", "increment_mw": "any"}


class ReserveRows:
    """What is sold of reserve, a group of fields for each market, and a choice of those that can be added."""

    def __init__(self, chosen: Choice) -> None:
        self.chosen = chosen
        self.rows: list[dict[str, ui.number]] = []
        self.place = tag("div", "pd-reserves")
        self.more = ui.select({}, label="Add a reserve market", on_change=self._add)
        self._show()

    @property
    def fields(self) -> dict[str, ui.number]:
        """The fields by their places in the composition's market."""
        rows = enumerate(self.rows)
        return {f"reserve.{number}.{name}": known for number, row in rows for name, known in row.items()}

    def _add(self, event: ValueChangeEventArguments[str | None]) -> None:
        if event.value is not None:
            self.chosen.reserves.append(Reserve(kept={"preset": event.value}))
            self._show()

    def _remove(self, reserve: Reserve) -> None:
        self.chosen.reserves = [known for known in self.chosen.reserves if known is not reserve]
        self._show()
        self.more.run_method("focus")

    def _show(self) -> None:
        """All rows anew, and what there is beside them."""
        self.place.clear()
        with self.place:
            self.rows = [self._row(reserve) for reserve in self.chosen.reserves]
        used = {reserve.kept.get("preset") for reserve in self.chosen.reserves}
        more = {name: f"{name}: {preset.title}" for name, preset in presets().items() if name not in used}
        self.more.set_options(more, value=None)
        self.more.set_visibility(bool(more))

    def _row(self, reserve: Reserve) -> dict[str, ui.number]:
        async def remove() -> None:
            self._remove(reserve)

        with tag("div", "pd-stack pd-reserve", role="group", aria_label=f"Reserve {reserve.title}"):
            with tag("div", "pd-row pd-between"):
                words("h3", reserve.title, "pd-break")
                parts.action("Remove", remove, f"Remove {reserve.title}")
            if reserve.preset is not None:
                words("p", reserve.preset.title, "pd-muted pd-small")
            with tag("div", "pd-pair"):
                found = {name: _number(reserve, name) for name in FIELDS}
            if reserve.unseen:
                words("p", f"Kept as saved: {', '.join(reserve.unseen)}.", "pd-hint")
            if reserve.preset is not None and reserve.preset.note:
                words("p", note(reserve.preset), "pd-hint")
        return found


def _number(reserve: Reserve, name: str) -> ui.number:
    """A number that may be left empty; what counts then stands in its place."""
    least = None if name == "activation_eur_per_mwh" else 0
    most = 100 if name == "activated_share" else None
    found = ui.number(LABELS[name], min=least, max=most, placeholder=preset_text(reserve, name))
    written_to(found, reserve, "activated_percent" if name == "activated_share" else name)
    return found


def preset_text(reserve: Reserve, name: str) -> str:
    """What counts where a field is empty.

    >>> preset_text(Reserve(kept={"preset": "it-uvam-2021"}), "sustain_hours")
    '3 to 4'
    """
    if name in reserve.kept:
        return "as saved"
    products = reserve.products()
    if any(name in product.missing() for product in products):
        return ""
    scale = 100 if name == "activated_share" else 1
    values = sorted({getattr(product, name) for product in products} - {None})
    ends = dict.fromkeys((*values[:1], *values[-1:]))
    return " to ".join(f"{value * scale:g}" for value in ends) or _ABSENT.get(name, "")


def note(preset: Preset) -> str:
    """A preset's note, with the words of their fields for keys; what it says of study files stays as it is.

    >>> note(presets()["eu-mfrr-energy"])[:71]
    'Only what is called is paid, so set “Share called” and “Price of calls”'
    """
    here, files, there = preset.note.partition("In a study file")
    for key, label in LABELS.items():
        here = here.replace(key, f"“{label.partition(',')[0]}”")
    return here + files + there
