"""The catalogue and what is composed of it: quantities, days, profiles found and missing, studies that run."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import podium
from podium.errors import InputError
from podium.study import load_study
from podium.study.catalogue import catalogue, template
from podium.study.compose import compose
from podium.study.composition import Composition, Plants, composition_of, parse_plants
from podium.study.forecast import forecasts
from podium.study.supply import Given, bundled_weeks, needs, read_given

WINTER_DAY = "2018-03-13"
COMPOSITIONS = {  # of CONF_1 to CONF_7 in the reference: kind -> number
    "conf-1": {"wind": 1, "curtailable_load": 1},
    "conf-2": {"pv": 1, "battery": 1, "shiftable_load": 1},
    "conf-3": {"pv": 1, "battery": 1, "curtailable_load": 1, "shiftable_load": 1},
    "conf-4": {"pv": 1, "wind": 1, "battery": 1, "curtailable_load": 2, "shiftable_load": 1},
    "conf-5": {
        "pv": 2,
        "wind": 2,
        "chp": 1,
        "battery": 1,
        "fixed_load": 1,
        "curtailable_load": 3,
        "shiftable_load": 2,
    },
    "conf-6": {"pv": 3, "wind": 3, "battery": 1, "fixed_load": 3, "curtailable_load": 3, "shiftable_load": 3},
    "conf-7": {"pv": 5, "wind": 5, "battery": 1, "fixed_load": 3, "curtailable_load": 5, "shiftable_load": 5},
}


def composition(plants: str, start: str = WINTER_DAY, **given: object) -> Composition:
    return composition_of({"name": "Test", "start": start, "plants": parse_plants(plants), **given})


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_conf_templates_have_the_devices_of_the_reference(name: str) -> None:
    counts: dict[str, int] = {}
    for device in template(name).devices:
        counts[device.kind] = counts.get(device.kind, 0) + device.count
    assert counts == COMPOSITIONS[name]


def test_conf_counts_are_those_of_the_reference_data(shared: Path) -> None:
    """The numbers above, read from the reference's own data where they are at hand."""
    kinds = {"PV": "pv", "WIND": "wind", "CHP": "chp", "STORAGE": "battery"}
    kinds |= {"LOAD_T1": "fixed_load", "LOAD_T2": "curtailable_load", "LOAD_T3": "shiftable_load"}
    pods = json.loads((shared / "reference" / "pods.json").read_text(encoding="utf-8"))
    for number, counts in enumerate(COMPOSITIONS.values(), 1):
        found = [kinds[device["type"]] for device in pods[f"p{number}"]["devices"]]
        assert {kind: found.count(kind) for kind in found} == counts


def test_every_template_says_what_it_is() -> None:
    """Each device has a sentence; what is installed counts every device."""
    for name, found in catalogue().items():
        assert found.name == name
        assert found.description.endswith(".")
        assert all(device.what.endswith(".") for device in found.devices)
        assert found.installed.devices == sum(device.count for device in found.devices) > 0
    assert template("home-pv-battery").installed.model_dump() == {
        "pods": 1,
        "devices": 3,
        "generation_kw": 5.0,
        "storage_kw": 3.0,
        "storage_kwh": 7.5,
        "load_kw": 2.5,
    }


def test_every_template_loads_without_a_remark(tmp_path: Path) -> None:
    """Two of each, of different sizes; numbers of PODs and devices are those that the composition tells."""
    wanted = composition(", ".join(f"2 x {name}" for name in catalogue()), size_variation=0.2)
    study = load_study(compose(wanted, tmp_path / "study"))
    assert study.notices == ()
    assert (len(study.portfolio), study.portfolio.device_count) == (
        wanted.installed().pods,
        wanted.installed().devices,
    )
    assert "conf-4-01" in study.portfolio.ids
    assert study.prices is not None
    assert study.prices.buy[:4] == pytest.approx([31.93] * 4, abs=20)


@pytest.mark.parametrize(
    ("plants", "start"),
    [
        ("2 x CONF_1, 2 x CONF_3, conf-7", WINTER_DAY),
        ("2 x conf-5, home-ev, home-pv-battery-ev, home-heat-pump, shop, factory", "2018-07-17"),
        ("conf-4, home-ev, home-heat-pump, grid-battery, wind-park, solar-park", "2018-03-25"),
        ("conf-4, home-ev, home-pv-battery-ev, conf-5", "2018-10-28"),
    ],
)
def test_composed_studies_run_and_check(plants: str, start: str, tmp_path: Path) -> None:
    """A winter and a summer day, and the days of 23 and 25 hours: every POD is solved, the check finds nothing."""
    wanted = composition(plants, start, size_variation=0.1)
    study = load_study(compose(wanted, tmp_path / "study"))
    result = podium.run(study)
    assert result.summary["level1"]["failed"] == 0
    assert result.summary["check"]["violations"] == 0
    steps = {"2018-03-25": 92, "2018-10-28": 100}
    assert study.horizon.steps == steps.get(start, 96)


def test_the_car_is_there_at_night_on_every_day(tmp_path: Path) -> None:
    """Two days: the night before, the night between, and the night after, on the clock of the people."""
    wanted = composition("home-ev", "2018-03-24", days=2)
    rows = pd.read_csv(compose(wanted, tmp_path / "study") / "ev_charger.csv")
    assert rows["arrival"].tolist() == [f"2018-03-{day}T18:30:00+0{1 + (day > 24)}:00" for day in (23, 24, 25)]
    assert rows["departure"].tolist() == [f"2018-03-{day}T07:30:00+0{1 + (day > 24)}:00" for day in (24, 25, 26)]


def test_sizes_vary_evenly_and_always_the_same(tmp_path: Path) -> None:
    """Sizes scale together, prices and shares do not; a POD's size depends on its number alone."""
    few, many = (composition(f"{count} x home-pv-battery", size_variation=0.2) for count in (3, 40))
    tables = []
    for name, wanted in (("few", few), ("many", many)):
        folder = compose(wanted, tmp_path / name)
        tables.append((pd.read_csv(folder / "battery.csv"), pd.read_csv(folder / "pods.csv")))
    (small, _), (large, pods) = tables
    assert small["energy_max_kwh"].tolist() == large["energy_max_kwh"].head(3).tolist()
    ratio = large["energy_max_kwh"] / 7.5
    assert 0.8 <= ratio.min() < 0.83 < 1.17 < ratio.max() <= 1.2
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    assert (large["charge_max_kw"] / 3.0).tolist() == pytest.approx(ratio.tolist(), abs=1e-3)
    assert (pods["withdrawal_max_kw"] / 4.5).tolist() == pytest.approx(ratio.tolist(), abs=1e-3)
    assert set(large["wear_eur_per_kwh"]) == {0.02}
    assert set(pods["buy_eur_per_kwh"]) == {0.23}
    compose(many, tmp_path / "again")
    for path in (tmp_path / "many").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_day_beyond_the_extract_names_what_is_missing(tmp_path: Path) -> None:
    """The extract has weeks of four seasons; in June each profile is missing, unless the nearest day may stand in."""
    wanted = composition("conf-2", "2018-06-13")
    with pytest.raises(InputError) as error:
        compose(wanted, tmp_path / "study")
    assert [problem.where for problem in error.value.problems] == ["profile 'PV1'", "profile 'G0-M'"]
    assert "lacks 2016-06-15" in str(error.value)
    assert not (tmp_path / "study").exists()
    found = needs(wanted.model_copy(update={"nearest_days": True}))
    assert found.missing == []
    assert {(supply.source, supply.detail) for supply in found.profiles} == {("stand-in", "SimBench 2016-07-13")}


def test_a_day_without_bundled_prices_says_so(tmp_path: Path) -> None:
    """2019: prices are missing; not where everybody is billed at a tariff of their own; and a given column fills in."""
    wanted = composition("conf-2", "2019-03-13")
    with pytest.raises(InputError, match=r"prices: no bundled prices of 2019-03-13 .* 2015 and 2018"):
        compose(wanted, tmp_path / "study")
    retail = composition("conf-2", "2019-03-13", market={"settlement": "retail"})
    assert needs(retail).missing == []
    assert load_study(compose(retail, tmp_path / "retail")).prices is None
    park = composition("solar-park", "2019-03-13", market={"settlement": "retail"})
    assert [supply.name for supply in needs(park).missing] == ["prices"]
    table = tmp_path / "own.csv"
    hours = pd.date_range("2019-03-13", periods=24, freq="h", tz="Europe/Rome")
    pd.DataFrame({"price_eur_per_mwh": 30.0 + np.arange(24), "PV1": 0.25}, index=hours).to_csv(
        table, index_label="time"
    )
    given = read_given(table, wanted.horizon)
    found = needs(wanted, given)
    assert {supply.name: supply.source for supply in found.profiles} == {"PV1": "given", "G0-M": "bundled"}
    study = load_study(compose(wanted, tmp_path / "given", given))
    assert study.prices is not None
    assert study.prices.buy[[0, 3, 4, 95]].tolist() == [30.0, 30.0, 31.0, 53.0]
    assert study.portfolio.devices["pv"].power_kw().tolist() == [[0.25 * 20.0] * 96]


def test_unknown_zones_are_told_with_the_known_ones() -> None:
    found = needs(composition("conf-2", price_zone="IT-South"))
    assert "no zone 'IT-South'" in found.prices.detail
    assert "'IT-North'" in found.prices.detail


def test_given_profiles_are_checked_like_those_of_a_study(tmp_path: Path) -> None:
    """A day that is not covered, a column that nobody needs, a table without time."""
    wanted = composition("conf-2")
    table = tmp_path / "own.csv"
    hours = pd.date_range("2018-03-12", periods=24, freq="h", tz="Europe/Rome")
    pd.DataFrame({"PV1": 0.5}, index=hours).to_csv(table, index_label="time")
    with pytest.raises(InputError, match=r"own.csv: covers 2018-03-12.*the whole horizon"):
        read_given(table, wanted.horizon)
    table.write_text("PV1\n0.5\n", encoding="utf-8")
    with pytest.raises(InputError, match="'time' is missing"):
        read_given(table, wanted.horizon)
    table.write_text("time\n2018-03-13T00:00+01:00\n", encoding="utf-8")
    with pytest.raises(InputError, match="a column per profile"):
        read_given(table, wanted.horizon)
    assert needs(wanted, Given({"PV2": np.zeros(96)})).unused == ("PV2",)


def test_given_profiles_read_back_as_they_were(tmp_path: Path) -> None:
    """Through CSV, on a day of 25 hours."""
    horizon = composition("conf-2", "2018-10-28").horizon
    given = Given({"PV1": np.random.default_rng(1).random(horizon.steps)})
    (tmp_path / "own.csv").write_text(given.text(horizon), encoding="utf-8")
    again = read_given(tmp_path / "own.csv", horizon)
    assert again.columns["PV1"].tolist() == given.columns["PV1"].tolist()


def test_a_market_with_reserve_and_limits_is_composed(tmp_path: Path) -> None:
    """A preset with a price, and a limit that is a profile of the user's."""
    market = {
        "settlement": "both",
        "limits": {"withdrawal_max_kw": "feeder"},
        "reserve": [{"preset": "eu-afrr", "availability_eur_per_mw_h": 8.0, "minimum_mw": 0.1, "increment_mw": 0.1}],
    }
    wanted = composition("3 x grid-battery, conf-2", market=market, options={"gap": 0.02})
    assert [supply.name for supply in needs(wanted).missing] == ["feeder"]
    study = load_study(compose(wanted, tmp_path / "study", Given({"feeder": np.full(96, 2500.0)})))
    assert [product.name for product in study.market.reserves] == ["afrr-up", "afrr-down"]
    assert study.market.settlement == "both"
    assert study.market.limits is not None
    assert study.market.limits.withdrawal_max_kw[0] == 2500.0
    assert study.options.gap == 0.02


def test_steps_of_other_lengths_have_the_same_energy(tmp_path: Path) -> None:
    """5, 15 and 60 minutes: PV's energy of the day is the same, and so is the mean price."""
    sums = []
    for minutes in (5, 15, 60):
        study = load_study(compose(composition("solar-park", step_minutes=minutes), tmp_path / str(minutes)))
        assert study.prices is not None
        power = study.portfolio.devices["pv"].power_kw()
        sums.append((power.sum() * study.horizon.step_hours, study.prices.buy.mean()))
    assert sums[1] == pytest.approx(sums[0])
    assert sums[1] == pytest.approx(sums[2])


def test_everything_wrong_with_a_composition_is_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        composition_of({"name": "", "start": "yesterday", "plants": [{"template": "home", "count": 0}], "dates": 1})
    assert {problem.where for problem in error.value.problems} == {"name", "start", "plants.0.count", "dates"}
    with pytest.raises(InputError) as error:
        Composition(
            name="x",
            start=date(2018, 3, 13),
            plants=(Plants(template="conf-44"), Plants(template="hoem", count=9)),
        ).templates()
    assert [(problem.where, problem.expected) for problem in error.value.problems] == [
        ("plants, row 1", "'conf-4'"),
        ("plants, row 2", "'home'"),
    ]
    with pytest.raises(InputError, match="plants: none"):
        needs(Composition(name="x", start=date(2018, 3, 13)))
    with pytest.raises(InputError, match="IANA name"):
        needs(composition("home", time_zone="Rome"))
    with pytest.raises(InputError, match="at most 10,000"):
        composition("9000 x home, 9000 x conf-1").templates()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 x conf-4, 10 x home-pv-battery", {"conf-4": 3, "home-pv-battery": 10}),
        ("3xCONF_4;2 solar park", {"conf-4": 3, "solar-park": 2}),
        ("conf-4, conf-4", {"conf-4": 2}),
        ("4×grid-battery", {"grid-battery": 4}),
        (" 12 * Home EV ", {"home-ev": 12}),
    ],
)
def test_quantities_are_read_as_people_write_them(text: str, found: dict[str, int]) -> None:
    read = Composition(name="x", start=date(2018, 3, 13), plants=parse_plants(text)).templates()
    assert {name: count for name, (_, count) in read.items()} == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 x conf-44", "no template 'conf-44'; expected 'conf-4'"),
        ("0 x home", "'0 x home'; expected a quantity from 1 to 10,000"),
        ("x!", "expected a quantity and a template, such as '3 x conf-4'"),
        (" , ", "expected plants, such as"),
        ("99999999999 home", "expected a quantity from 1 to 10,000"),
    ],
)
def test_wrong_quantities_are_told(text: str, expected: str) -> None:
    with pytest.raises(InputError) as error:
        parse_plants(text)
    assert expected in str(error.value)


def test_forecasts_are_the_sums_of_the_study(tmp_path: Path) -> None:
    """Energy and peak of PV and of loads, from the written study's own columns."""
    wanted = composition("5 x conf-5, 3 x home-heat-pump", "2018-03-13", days=2, size_variation=0.3)
    found = needs(wanted)
    study = load_study(compose(wanted, tmp_path / "study"))
    sums = {forecast.what: forecast for forecast in forecasts(wanted, found)}
    assert list(sums) == ["PV", "Wind", "Loads", "Heat demand"]
    pv = study.portfolio.devices["pv"].power_kw().sum(axis=0)
    assert sums["PV"].power_kw.tolist() == pytest.approx(pv.tolist(), rel=1e-4)
    assert sums["PV"].peak_kw == pytest.approx(pv.max(), rel=1e-4)
    assert sums["PV"].energy_kwh_per_day == pytest.approx(pv.sum() / 4 / 2, rel=1e-4)
    kinds = ("fixed_load", "curtailable_load", "shiftable_load")
    loads = sum(study.portfolio.devices[kind].power_kw().sum(axis=0) for kind in kinds)
    assert sums["Loads"].power_kw.tolist() == pytest.approx(np.asarray(loads).tolist(), rel=1e-3)
    alone = forecasts(wanted, found, only="conf-5")
    assert [forecast.what for forecast in alone] == ["PV", "Wind", "Loads", "Heat demand"]


def test_the_bundled_weeks_are_of_four_seasons() -> None:
    assert [first.month for first, _ in bundled_weeks()] == [1, 3, 7, 10]
