"""Names that try to be code stay text on every page: no element, script or expression of Vue comes of them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from podium.service import accounts, configurations, studies
from podium.service.accounts import Role
from podium.service.composition_views import NewConfiguration
from podium.service.installation import Installation
from podium.study.composition import composition_of, parse_plants
from unit.study_folders import one_home, write_files
from web.conftest import SignedIn, open_tab
from web.test_run_pages import caller, made_run

#: What a browser runs as HTML, as a script in the page's own JSON, and as an expression of Vue (pages allow eval).
HOSTILE = (
    "<img src=x onerror=window.hacked=1></script><script>window.hacked=2</script>"
    "{{constructor.constructor('window.hacked=3')()}}"
)


def hostile_home() -> dict[str, str]:
    """A study whose every name is hostile."""
    names = ("home-1", "home-2", "pv-1", "pv-2", "load-1", "load-2", "battery-1", "car-1", "household", "sun", "north")
    files = one_home()
    for name in (*names, "One", "Two"):
        for file in files.keys() - {"study.yaml"}:
            files[file] = files[file].replace(name, f"{name}{HOSTILE}")
    files["study.yaml"] = files["study.yaml"].replace("name: One home", f'name: "{HOSTILE}"')
    return files


def assert_text(tab: Page) -> None:
    """The names can be read, and nothing of them has become more than text."""
    expect(tab.get_by_text("window.hacked=3").first).to_be_attached()
    assert tab.evaluate("window.hacked") is None, tab.url
    assert tab.locator("[onerror]").count() == 0, tab.url


def open_all(tab: Page) -> None:
    """Look into every tab and chart of the page that is open."""
    for chosen in tab.get_by_role("tab").all() or [None]:
        if chosen is not None:
            open_tab(chosen)
            tab.wait_for_timeout(300)  # charts come behind all else
        for drawing in tab.locator(".podium-chart-drawing:visible").all():
            drawing.scroll_into_view_if_needed()
            drawing.hover()
            drawing.press("ArrowRight")
        assert_text(tab)


@pytest.mark.parametrize("of_run", [True, False])
def test_names_stay_text(signed_in: SignedIn, place: Installation, of_run: bool) -> None:
    """On pages of runs with their charts' tooltips, and on all others; the name is there to be read."""
    tab = signed_in(role=Role.admin)
    ada = caller(place)
    accounts.rename_user(place, ada.user_id, HOSTILE)
    study = studies.create(place, ada, lambda folder: write_files(folder, hostile_home()), HOSTILE).id
    run = made_run(place, study)
    pod = quote(f"home-1{HOSTILE}", safe="")
    composition = composition_of({"name": HOSTILE, "start": "2018-05-14", "plants": parse_plants("1 x home")})
    kept = configurations.keep(place, ada, NewConfiguration(name=HOSTILE, composition=composition)).id
    again = made_run(place, study, again=True)
    of_runs = [f"/runs/{run.id}", f"/runs/{run.id}/pods/{pod}", f"/optimise/{study}"]
    of_runs.append(f"/compare?a={run.id}&b={again.id}")
    others = ["/", "/studies", f"/studies/{study}", f"/profiles/{study}", "/runs", "/configure", f"/configure/{kept}"]
    others += [f"/configure/{kept}/profiles", "/profile", "/admin"]
    for address in of_runs if of_run else others:
        answer = tab.goto(address)
        assert answer is not None
        assert answer.status == 200
        expect(tab.locator("main h1")).to_be_visible()
        open_all(tab)


def test_what_is_wrong_with_hostile_files_is_told_as_text(signed_in: SignedIn, tmp_path: Path) -> None:
    """Names of columns and values that are refused stand in the list of problems."""
    tab = signed_in()
    files = hostile_home()
    files["pods.csv"] = files["pods.csv"].replace("0.25", HOSTILE).replace("buy_eur", f"{HOSTILE}buy_eur")
    folder = write_files(tmp_path / "wrong", files)
    tab.goto("/studies")
    tab.locator("input[data-one]").set_input_files([str(path) for path in sorted(folder.iterdir())])
    tab.get_by_role("button", name="Only check").click()
    expect(tab.get_by_text("onerror=window.hacked=1").first).to_be_visible()
    assert_text(tab)
