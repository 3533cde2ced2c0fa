"""Tables for those who hear them: on phones CSS makes blocks of their rows, and they stay tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from podium.service.installation import Installation
from unit.synthetic_results import Case
from web.conftest import SignedIn
from web.test_run_pages import made_study, pretended

_PARTS = ("table", "row", "columnheader", "cell")


def heard(tab: Page, name: str) -> list[tuple[str, str]]:
    """Role and name of a table and of its rows, headings and cells, as a screen reader is told them."""
    tree = tab.context.new_cdp_session(tab).send("Accessibility.getFullAXTree")["nodes"]
    nodes = {node["nodeId"]: node for node in tree}

    def within(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
        role = node["role"]["value"]
        if role in _PARTS:
            yield role, node["name"]["value"]
        for child in node["childIds"]:
            yield from within(nodes[child])

    def is_it(node: dict[str, Any]) -> bool:
        return node.get("role", {}).get("value") == "table" and node["name"]["value"] == name

    (table,) = filter(is_it, tree)
    return list(within(table))


@pytest.mark.parametrize("width", [390, 1440])
def test_tables_are_heard_as_tables_at_any_width(
    signed_in: SignedIn, place: Installation, tmp_path: Path, width: int
) -> None:
    """A plain one, one that the browser sorts, one that the server sends in pages: headings once, not in each cell."""
    tab = signed_in()
    tab.set_viewport_size({"width": width, "height": 900})
    run = pretended(place, made_study(place), Case(pods=2), tmp_path)
    tab.goto("/runs")
    expect(tab.get_by_role("table", name="Runs")).to_be_visible()
    titles = ["Compare", "Study", "Kind", "State", "Profit", "Gap", "Took", "Cost, level 1", "Asked for"]
    found = heard(tab, "Runs")
    assert found[:11] == [("table", "Runs"), ("row", ""), *(("columnheader", title) for title in titles)]
    assert ("cell", "One home") in found
    assert ("cell", "2.00 EUR") in found
    assert [role for role, _ in found].count("cell") == len(titles)
    tab.goto("/")
    expect(tab.get_by_role("table", name="Runs")).to_be_visible()
    assert [told for told in heard(tab, "Runs") if told[0] == "columnheader"][1] == ("columnheader", "Kind")
    assert ("cell", "Both levels") in heard(tab, "Runs")
    tab.goto(f"/runs/{run.id}")
    tab.get_by_role("tab", name="PODs").click()
    expect(tab.get_by_role("table", name="PODs")).to_be_visible()
    assert ("columnheader", "Minimisation") in heard(tab, "PODs")
    assert [role for role, _ in heard(tab, "PODs")].count("row") == 3
    assert tab.evaluate("document.querySelectorAll(':is(table, thead, tbody, tr, th, td):not([role])').length") == 0


def test_an_empty_cell_keeps_its_place(signed_in: SignedIn) -> None:
    """A home has no generation: on phones nothing is shown of it, and what follows is heard below its own heading."""
    tab = signed_in()
    tab.set_viewport_size({"width": 390, "height": 900})
    tab.goto("/configure")
    expect(tab.get_by_role("table", name="Plants of the catalogue")).to_be_visible()
    found = heard(tab, "Plants of the catalogue")
    at = next(number for number, (_, name) in enumerate(found) if name.startswith("Home 1 device"))
    assert [role for role, _ in found[at : at + 5]] == ["cell"] * 5
    assert (found[at + 1], found[at + 3]) == (("cell", ""), ("cell", "2.2 kW"))


def test_on_a_phone_the_keyboard_still_sorts(signed_in: SignedIn, place: Installation) -> None:
    """Headings are out of sight there until one of them has the focus, and it keeps that when the table is sorted."""
    tab = signed_in()
    tab.set_viewport_size({"width": 390, "height": 900})
    made_study(place)
    tab.goto("/studies")
    tab.wait_for_load_state("networkidle")
    heading = tab.get_by_role("columnheader", name="PODs")
    assert heading.evaluate("found => found.closest('thead').offsetWidth") == 1
    heading.get_by_role("button").focus()
    expect(heading).to_be_in_viewport(ratio=1)
    for order in ("sorted", "sort-desc"):
        tab.keyboard.press("Enter")
        expect(heading).to_have_class(re.compile(order))
        expect(heading.get_by_role("button")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("columnheader", name="Devices").get_by_role("button")).to_be_focused()
