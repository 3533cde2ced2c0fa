"""Steps 1 and 2 in a browser: plants, days and market are chosen, saved and opened; profiles are found or missing."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from playwright.sync_api import Locator, Page, expect

from podium.service import accounts, configurations, studies
from podium.service.accounts import Caller, Role
from podium.service.composition_views import ConfigurationWhole, NewConfiguration
from podium.service.installation import Installation
from podium.service.tables import Login
from podium.study.composition import Composition, composition_of, parse_plants
from podium.study.market_schema import ReserveKeys
from web.conftest import SignedIn

EMAIL = "ada@example.org"


def caller(place: Installation, email: str = EMAIL) -> Caller:
    with place.database.reading() as session:
        user = accounts.user_by_email(session, email)
        assert user is not None
        return accounts.caller_of(user)


def kept(place: Installation, email: str = EMAIL) -> list[ConfigurationWhole]:
    """The configurations of a user, that changed last first."""
    who = caller(place, email)
    with place.database.reading() as session:
        found = configurations.configurations_of(session, who)
        return [configurations.configuration(session, who, view.id) for view in found]


def keep(place: Installation, plants: str, start: str) -> ConfigurationWhole:
    """A configuration of Ada's, made without a browser."""
    composition = composition_of({"name": "Pool", "start": start, "plants": parse_plants(plants)})
    return configurations.keep(place, caller(place), NewConfiguration(name="Pool", composition=composition))


def totals(tab: Page) -> dict[str, str]:
    """The running totals."""
    dock = tab.get_by_label("Totals")
    return dict(zip(dock.locator("dt").all_inner_texts(), dock.locator("dd").all_inner_texts(), strict=True))


def quantity(tab: Page, title: str) -> None:
    """One more of a plant, by its button."""
    tab.get_by_role("button", name=f"One more: {title}", exact=True).click()


def add_reserve(tab: Page, preset: str) -> Locator:
    """A reserve market more; gives the group of its fields."""
    tab.get_by_label("Add a reserve market").click()
    tab.get_by_role("option", name=re.compile(preset)).click()
    group = tab.get_by_role("group", name=f"Reserve {preset}")
    expect(group).to_be_visible()
    return group


def test_a_portfolio_is_chosen_and_saved_and_opened_again(signed_in: SignedIn, place: Installation) -> None:
    """Numbers by button and by keyboard, totals that follow, every field kept."""
    tab = signed_in(EMAIL)
    tab.goto("/configure")
    quantity(tab, "Home with PV and battery")
    number = tab.get_by_label("Number of Grid battery")
    number.fill("3")
    number.press("Tab")
    expect(tab.get_by_label("Totals")).to_contain_text("3.00 MW, 6.01 MWh")
    assert totals(tab)["PODs"] == "4"
    assert totals(tab)["Devices"] == "6"
    tab.get_by_label("Name of the portfolio").fill("Evening peak")
    tab.get_by_label("First day").fill("2018-07-17")
    tab.get_by_label("Days").fill("2")
    tab.get_by_label("Sizes vary by ± %").fill("10")
    add_reserve(tab, "eu-afrr")
    tab.get_by_label("Price, EUR/MW/h").fill("8")
    tab.get_by_label("Least offer, MW").fill("0.1")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab).to_have_url(re.compile(r"/configure/[0-9a-f-]{36}$"))
    expect(tab.get_by_role("heading", name="Evening peak")).to_be_visible()
    expect(tab.get_by_label("Number of Grid battery")).to_have_value("3")
    expect(tab.get_by_label("Price, EUR/MW/h")).to_have_value("8")
    (saved,) = kept(place)
    composition = composition_of(saved.composition)
    assert {name: count for name, (_, count) in composition.templates().items()} == {
        "home-pv-battery": 1,
        "grid-battery": 3,
    }
    assert (composition.start.isoformat(), composition.days, composition.size_variation) == ("2018-07-17", 2, 0.1)
    (reserve,) = composition.market.reserve
    assert (reserve.preset, reserve.availability_eur_per_mw_h, reserve.minimum_mw) == ("eu-afrr", 8.0, 0.1)


def test_several_reserve_markets_are_chosen(signed_in: SignedIn, place: Installation) -> None:
    """Added and removed, each with its own errors and terms; a market stands once; saved and opened, all are there."""
    tab = signed_in(EMAIL)
    tab.goto("/configure")
    quantity(tab, "Home")
    afrr, fcr = add_reserve(tab, "eu-afrr"), add_reserve(tab, "eu-fcr")
    expect(afrr).to_contain_text("so set “Sustained for”")
    expect(afrr.get_by_label("Sustained for, h")).to_have_attribute("placeholder", "1")
    uvam = add_reserve(tab, "it-uvam-2021")
    expect(uvam.get_by_label("Sustained for, h")).to_have_attribute("placeholder", "3 to 4")
    tab.get_by_label("Add a reserve market").click()
    expect(tab.get_by_role("option")).to_have_text([re.compile("eu-mfrr-energy:"), re.compile("eu-mfrr:")])
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="Remove it-uvam-2021").click()
    expect(uvam).to_have_count(0)
    expect(tab.get_by_label("Add a reserve market")).to_be_focused()
    afrr.get_by_label("Price, EUR/MW/h").fill("8")
    fcr.get_by_label("Sustained for, h").fill("0")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(fcr).to_contain_text("A price, EUR/MW/h; the preset has none.")
    expect(fcr).to_contain_text("Greater than 0.")
    expect(afrr.locator(".q-field--error")).to_have_count(0)
    assert kept(place) == []
    fcr.get_by_label("Price, EUR/MW/h").fill("12")
    fcr.get_by_label("Sustained for, h").fill("0.5")
    fcr.get_by_label("In steps of, MW").fill("0.2")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab).to_have_url(re.compile(r"/configure/[0-9a-f-]{36}$"))
    expect(afrr.get_by_label("Price, EUR/MW/h")).to_have_value("8")
    expect(fcr.get_by_label("Sustained for, h")).to_have_value("0.5")
    assert composition_of(kept(place)[0].composition).market.reserve == (
        ReserveKeys(preset="eu-afrr", availability_eur_per_mw_h=8.0),
        ReserveKeys(preset="eu-fcr", availability_eur_per_mw_h=12.0, sustain_hours=0.5, increment_mw=0.2),
    )


def test_a_configuration_is_changed_renamed_and_deleted(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in(EMAIL)
    found = keep(place, "2 x grid-battery", "2018-03-13")
    tab.goto(f"/configure/{found.id}")
    tab.get_by_role("button", name="One less: Grid battery").click()
    expect(tab.get_by_label("Totals")).to_contain_text("1.00 MW")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("“Pool” is saved")).to_be_visible()
    assert composition_of(kept(place)[0].composition).templates()["grid-battery"][1] == 1
    tab.get_by_role("button", name="Rename Pool").click()
    tab.get_by_role("dialog").get_by_label("Name").fill("Morning peak")
    tab.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(tab.get_by_role("heading", name="Morning peak")).to_be_visible()
    tab.get_by_role("button", name="Delete Morning peak").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_text("Nothing is saved yet.")).to_be_visible()
    assert kept(place) == []


def test_what_is_wrong_stands_beside_its_field(signed_in: SignedIn, place: Installation) -> None:
    """An empty number, prices that a preset needs, no plants; nothing is kept until all is right."""
    tab = signed_in(EMAIL)
    tab.goto("/configure")
    tab.get_by_label("Days").fill("")
    tab.get_by_label("End at a proven gap of, %").fill("")
    add_reserve(tab, "eu-fcr")
    tab.get_by_role("button", name="Go on to profiles").click()
    expect(tab.get_by_text("A valid integer.")).to_be_in_viewport()
    expect(tab.get_by_text("A valid number.")).to_be_visible()
    expect(tab.get_by_text("A price, EUR/MW/h; the preset has none.")).to_be_visible()
    tab.get_by_role("button", name="Remove eu-fcr").click()
    energy = add_reserve(tab, "eu-mfrr-energy")
    tab.get_by_role("button", name="Go on to profiles").click()
    expect(energy.get_by_text("What calls earn, EUR/MWh.")).to_be_visible()
    expect(energy.get_by_text("The share of the offer that is called, %.")).to_be_visible()
    energy.get_by_label("Price of calls, EUR/MWh").fill("140")
    energy.get_by_label("Share called, %").fill("5")
    tab.get_by_label("Days").fill("1")
    tab.get_by_label("End at a proven gap of, %").fill("1")
    tab.get_by_role("button", name="Go on to profiles").click()
    expect(tab.get_by_text("at least one, such as 3 x conf-4")).to_be_visible()
    assert kept(place) == []
    quantity(tab, "Home")
    tab.get_by_role("button", name="Go on to profiles").click()
    expect(tab).to_have_url(re.compile(r"/profiles$"))
    (reserve,) = composition_of(kept(place)[0].composition).market.reserve
    assert (reserve.activation_eur_per_mwh, reserve.activated_share) == (140.0, 0.05)


def test_profiles_are_found_and_the_study_is_made(signed_in: SignedIn, place: Installation) -> None:
    """Three kinds of plants, each with its profiles and sums; the study for step 3 holds them, and is made once."""
    tab = signed_in(EMAIL)
    tab.goto("/configure")
    for title in ("Home with PV and battery", "Shop with cooling", "Wind park"):
        quantity(tab, title)
    tab.get_by_role("button", name="Go on to profiles").click()
    expect(tab.get_by_text("Everything that these days need is there.")).to_be_visible()
    rows = tab.get_by_role("table", name="Plants and their profiles").locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="Shop with cooling")).to_contain_text("found")
    expect(rows.filter(has_text="Wind park")).to_contain_text("Wind: 26.47 MWh per day")
    expect(tab.get_by_role("table", name="Profiles", exact=True).get_by_role("img")).to_have_count(6)
    expect(tab.get_by_role("img", name="Prices from 27.00 EUR/MWh to 95.00 EUR/MWh")).to_be_visible()
    address = tab.url
    for _again in range(2):
        tab.goto(address)
        tab.get_by_role("button", name="Go on to optimise").click()
        expect(tab).to_have_url(re.compile(r"/optimise/[0-9a-f-]{36}\?configuration="))
    with place.database.reading() as session:
        (study,) = studies.studies_of(session, caller(place))
    assert (study.facts.pods, study.facts.devices) == (3, 7)
    assert str(study.id) in tab.url
    tab.get_by_role("navigation", name="Steps").get_by_role("link", name="Configure").click()
    expect(tab.get_by_label("Number of Wind park")).to_have_value("1")


def test_missing_profiles_are_uploaded(signed_in: SignedIn, place: Installation, tmp_path: Path) -> None:
    """In 2019 there are no prices and in May no profiles: a file fills both in, a wrong one says why."""
    tab = signed_in(EMAIL)
    found = keep(place, "2 x solar-park", "2019-05-14")
    tab.goto(f"/configure/{found.id}/profiles")
    expect(tab.get_by_text("1 profile is missing for these days.")).to_be_visible()
    expect(tab.get_by_text("There are no market prices for these days.")).to_be_visible()
    expect(tab.get_by_role("button", name="Go on to optimise")).to_be_disabled()
    hours = pd.date_range("2019-05-14", periods=24, freq="h", tz="Europe/Rome")
    right, wrong = tmp_path / "own.csv", tmp_path / "wrong.csv"
    frame = pd.DataFrame({"PV3": 0.5, "price_eur_per_mwh": 40.0}, index=hours)
    frame.to_csv(right, index_label="time")
    frame.assign(PV3="much").to_csv(wrong, index_label="time")
    tab.get_by_label("File of profiles").set_input_files(wrong)
    tab.get_by_role("button", name="Upload").click()
    expect(tab.get_by_role("alert")).to_contain_text("wrong.csv, line 2")
    tab.get_by_label("File of profiles").set_input_files(right)
    tab.get_by_role("button", name="Upload").click()
    expect(tab.get_by_text("Everything that these days need is there.")).to_be_visible()
    expect(tab.get_by_role("table", name="Profiles", exact=True)).to_contain_text("yours")
    expect(tab.get_by_text("48.00 MWh", exact=True)).to_be_visible()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the profiles").click()
    table = pd.read_csv(download.value.path())
    assert table.columns.tolist() == ["time", "PV3", "price_eur_per_mwh"]
    assert table["PV3"].tolist() == [0.5] * 96
    tab.get_by_role("button", name="Drop your profiles").click()
    expect(tab.get_by_text("1 profile is missing for these days.")).to_be_visible()


def test_other_days_may_stand_in(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in(EMAIL)
    found = keep(place, "conf-2", "2018-06-13")
    tab.goto(f"/configure/{found.id}/profiles")
    expect(tab.get_by_text("2 profiles are missing for these days.")).to_be_visible()
    tab.get_by_role("button", name="Let the nearest days stand in").click()
    expect(tab.get_by_text("Everything that these days need is there.")).to_be_visible()
    expect(tab.get_by_role("table", name="Profiles", exact=True)).to_contain_text("SimBench 2016-07-13")
    expect(tab.get_by_role("button", name="Go on to optimise")).to_be_enabled()


def test_uploaded_profiles_of_another_day_are_told(signed_in: SignedIn, place: Installation) -> None:
    """They do not fit once the date has changed: said, left out, and the study can be made without them."""
    tab = signed_in(EMAIL)
    composition = composition_of({"name": "Pool", "start": "2018-03-13", "plants": parse_plants("solar-park")})
    wish = NewConfiguration(name="Pool", composition=composition, profiles="time,PV3\n2018-03-14T00:00+01:00,1\n")
    found = configurations.keep(place, caller(place), wish)
    tab.goto(f"/configure/{found.id}/profiles")
    expect(tab.get_by_text("do not fit its days")).to_be_visible()
    expect(tab.get_by_role("alert")).to_contain_text("the whole horizon")
    tab.get_by_role("button", name="Go on to optimise").click()
    expect(tab).to_have_url(re.compile(r"/optimise/"))


def test_an_example_leads_to_its_profiles(signed_in: SignedIn) -> None:
    """Used twice, it is the same study; its profiles and sums are shown, and step 3 is open."""
    tab = signed_in(EMAIL)
    addresses = []
    for _again in range(2):
        tab.goto("/configure")
        tab.get_by_role("tab", name="Example").click()
        tab.get_by_role("button", name="Use the example one-home").click()
        expect(tab.get_by_role("heading", name="One home")).to_be_visible()
        addresses.append(tab.url)
    assert addresses[0] == addresses[1]
    expect(tab.get_by_role("table", name="Profiles of the study").locator("tbody tr")).to_have_count(3)
    expect(tab.get_by_role("navigation", name="Steps").get_by_role("link", name="Optimise")).to_be_visible()
    expect(tab.get_by_role("link", name="Go on to optimise")).to_be_visible()


def test_a_study_is_uploaded_in_step_1(signed_in: SignedIn, tmp_path: Path) -> None:
    """A wrong one says what is wrong."""
    tab = signed_in(EMAIL)
    tab.goto("/configure")
    tab.get_by_role("tab", name="Upload a study").click()
    wrong = tmp_path / "study.yaml"
    wrong.write_text("name: x\nstrat: 2018-01-01\n", encoding="utf-8")
    tab.get_by_label("Files of the study").set_input_files(wrong)
    tab.get_by_role("button", name="Upload").click()
    expect(tab.get_by_role("alert")).to_contain_text("'strat'")


def test_configurations_are_private(signed_in: SignedIn, place: Installation) -> None:
    """Another user finds nothing at their addresses, and a viewer may not configure."""
    signed_in(EMAIL)
    found = keep(place, "home", "2018-03-13")
    eve = signed_in("eve@example.org", Role.admin)
    for address in (f"/configure/{found.id}", f"/configure/{found.id}/profiles"):
        eve.goto(address)
        expect(eve.get_by_role("heading", name="Nothing here")).to_be_visible()
    eve.goto("/configure")
    expect(eve.get_by_text("Nothing is saved yet.")).to_be_visible()
    vic = signed_in("vic@example.org", Role.viewer)
    vic.goto("/configure")
    expect(vic.get_by_role("heading", name="Nothing here")).to_be_visible()


def test_an_open_page_has_no_rights_once_the_session_is_over(signed_in: SignedIn, place: Installation) -> None:
    """Signed out elsewhere: saving leads to the sign-in page, and nothing is kept."""
    tab = signed_in(EMAIL)
    tab.goto("/configure")
    quantity(tab, "Home")
    expect(tab.get_by_label("Totals")).to_contain_text("2.2 kW")
    with place.database.writing() as session:
        session.query(Login).delete()
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab).to_have_url(re.compile(r"/sign-in"))
    assert kept(place) == []


def test_pages_fit_a_phone(signed_in: SignedIn, place: Installation) -> None:
    """At 390 px nothing is wider than the screen, and the way on stays in sight."""
    tab = signed_in(EMAIL)
    found = keep(place, "conf-7, home-pv-battery-ev", "2018-03-13")
    tab.set_viewport_size({"width": 390, "height": 800})
    for address, button in (
        ("/configure", "Go on to profiles"),
        (f"/configure/{found.id}/profiles", "Go on to optimise"),
    ):
        tab.goto(address)
        expect(tab.get_by_role("button", name=button)).to_be_in_viewport()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_kept_terms_that_the_page_does_not_show_stay(signed_in: SignedIn, place: Installation) -> None:
    """Limits and two products: opened and saved in the page, they are as they were."""
    tab = signed_in(EMAIL)
    market = {
        "limits": {"withdrawal_max_kw": 500.0},
        "reserve": [{"preset": name, "availability_eur_per_mw_h": 5.0} for name in ("eu-fcr", "eu-afrr")],
    }
    composition = Composition.model_validate(
        {"name": "Pool", "start": "2018-03-13", "plants": parse_plants("home"), "market": market}
    )
    found = configurations.keep(place, caller(place), NewConfiguration(name="Pool", composition=composition))
    tab.goto(f"/configure/{found.id}")
    quantity(tab, "Shop with cooling")
    expect(tab.get_by_label("Totals")).to_contain_text("25.0 kW")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("“Pool” is saved")).to_be_visible()
    again = composition_of(kept(place)[0].composition)
    assert again.market == composition.market
    assert set(again.templates()) == {"home", "shop"}
