"""docs/catalogue.md lists every template as the data files have it."""

from __future__ import annotations

import re
from pathlib import Path

from podium.study.catalogue import Template, catalogue
from podium.study.supply import bundled_weeks


def row(found: Template) -> str:
    """A template as the page lists it."""
    installed = found.installed
    devices = ", ".join(f"{device.count} × {device.name}" for device in found.devices)
    kilowatts = [f"{value:,g} kW" if value else "" for value in (installed.generation_kw, installed.load_kw)]
    storage = f"{installed.storage_kw:,g} kW, {installed.storage_kwh:,g} kWh" if installed.storage_kw else ""
    cells = (f"`{found.name}`", found.title, devices, kilowatts[0], storage, kilowatts[1])
    return "| " + " | ".join(cells) + " |"


def test_the_page_lists_all_templates(repository: Path) -> None:
    """To write the table anew: print `row` of each template between the marks."""
    page = (repository / "docs" / "catalogue.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- catalogue -->\n\n\|.*?\|\n\|[ -|]*\|\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert found is not None
    assert found[1].strip().splitlines() == [row(template) for template in catalogue().values()]


def test_the_page_names_the_bundled_weeks(repository: Path) -> None:
    page = " ".join((repository / "docs" / "catalogue.md").read_text(encoding="utf-8").split())
    for first, last in bundled_weeks():
        months = f"{first.day} to {last.day} {last:%B}" if first.month == last.month else ""
        assert (months or f"{first.day} {first:%B} to {last.day} {last:%B}") in page
