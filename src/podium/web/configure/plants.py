"""The plants of the catalogue as a table, each with how many of it are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from podium.study.catalogue import Template, TemplateDevice, catalogue
from podium.study.composition import PODS_MAX
from podium.web import figures, parts
from podium.web.configure.choice import Choice
from podium.web.tags import tag, words

#: Words of each group of templates, in the order of the page.
GROUPS = {
    "home": "Homes",
    "shop": "Business",
    "factory": "Business",
    "park": "Parks and storage",
    "storage": "Parks and storage",
    "conf": "Mixed sites",
}


_TITLES = ("Plant", "Generation", "Storage", "Loads", "How many")


def plant_table(chosen: Choice, changed: Callable[[], None]) -> None:
    """All templates with a field for the number wanted of each; `changed` is called after each change."""
    with parts.listing("Plants of the catalogue", *_TITLES, numbers=_TITLES[1:]):
        for group in dict.fromkeys(GROUPS.values()):
            with tag("tr", "pd-plant-group"):
                words("th", group, scope="colgroup", colspan="5")
            for template in _of_group(group):
                _row(template, chosen, changed)


def _of_group(group: str) -> Iterator[Template]:
    found = [template for template in catalogue().values() if GROUPS.get(template.group, "Mixed sites") == group]
    yield from sorted(found, key=lambda template: (template.installed.devices, template.name))


def _row(template: Template, chosen: Choice, changed: Callable[[], None]) -> None:
    installed = template.installed
    storage = f"{figures.power_kw(installed.storage_kw)}, {figures.energy_kwh(installed.storage_kwh)}"
    with tag("tr", "pd-plant") as row:
        row.classes("pd-chosen" if template.name in chosen.quantities else "")
        with tag("td"):
            _what(template)
        words("td", figures.power_kw(installed.generation_kw) if installed.generation_kw else "", "pd-num")
        words("td", storage if installed.storage_kw else "", "pd-num")
        words("td", figures.power_kw(installed.load_kw) if installed.load_kw else "", "pd-num")
        with tag("td"):
            _quantity(template, chosen, row, changed)


def _what(template: Template) -> None:
    """Title and, on demand, everything that stands behind the meter."""
    words("div", template.title, "pd-strong")
    with tag("details", "pd-behind"):
        words("summary", figures.counted(template.installed.devices, "device"), "pd-muted pd-small")
        words("p", template.description, "pd-muted")
        with tag("ul"):
            for device in template.devices:
                with tag("li"):
                    number = "" if device.count == 1 else f"{device.count} × "
                    words("span", f"{number}{device.name}, {device_size(device)}. ", "pd-strong")
                    words("span", device.what, "pd-muted")


def device_size(device: TemplateDevice) -> str:
    """The size of a device in words."""
    fields = device.fields
    if device.kind == "battery":
        power, energy = float(fields["discharge_max_kw"]), float(fields["energy_max_kwh"])
        return f"{figures.power_kw(power)}, {figures.energy_kwh(energy)}"
    names = ("scale_kw", "electric_max_kw", "charge_max_kw")
    return figures.power_kw(next((float(fields[name]) for name in names if name in fields), 1.0))


def _quantity(template: Template, chosen: Choice, row: ui.element, changed: Callable[[], None]) -> None:
    """A number with buttons for one less and one more; the row shows whether any is chosen."""

    def set_to(event: ValueChangeEventArguments[float | None]) -> None:
        count = int(min(max(event.value or 0, 0), PODS_MAX))
        chosen.quantities[template.name] = count
        if count:
            row.classes(add="pd-chosen")
        else:
            del chosen.quantities[template.name]
            row.classes(remove="pd-chosen")
        changed()

    def add(step: int) -> None:
        number.value = min(max(int(number.value or 0) + step, 0), PODS_MAX)

    label = f"Number of {template.title}"
    with tag("div", "pd-quantity"):
        _step("−", lambda: add(-1), f"One less: {template.title}")
        number = ui.number(value=chosen.quantities.get(template.name, 0), min=0, max=PODS_MAX, precision=0)
        number.props["aria-label"] = label
        number.props("debounce=200").on_value_change(set_to)
        _step("+", lambda: add(1), f"One more: {template.title}")


def _step(sign: str, done: Callable[[], None], label: str) -> None:
    ui.button(sign, on_click=done).props("flat dense").props["aria-label"] = label
