"""The example studies: what they hold, that they are always the same, and that every POD can be run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from podium.errors import InputError
from podium.local.batch import respond
from podium.study import Study, load_study
from podium.study.examples import EXAMPLES, write_example

FOLDERS = [*EXAMPLES, "dst-days/autumn"]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All examples, each in the folder of its name."""
    folder = tmp_path_factory.mktemp("examples")
    for name in EXAMPLES:
        write_example(name, folder / name)
    return folder


@pytest.fixture(scope="module")
def north(examples: Path) -> Study:
    return load_study(examples / "it-north-200")


@pytest.mark.parametrize("name", FOLDERS)
def test_examples_load_without_a_remark(examples: Path, name: str) -> None:
    study = load_study(examples / name)
    assert study.notices == ()
    assert study.prices is not None
    assert "SimBench" in (examples / name / "SOURCES.md").read_text()


def test_examples_are_always_the_same(examples: Path, tmp_path: Path) -> None:
    for name in EXAMPLES:
        write_example(name, tmp_path / name)
    for path in tmp_path.rglob("*.*"):
        assert path.read_bytes() == (examples / path.relative_to(tmp_path)).read_bytes(), path


def test_one_home_is_small_enough_to_read(examples: Path) -> None:
    study = load_study(examples / "one-home")
    assert (len(study.portfolio), study.portfolio.device_count) == (1, 3)
    assert (examples / "one-home" / "study.yaml").read_text().count("#") > 10
    tables = [path for path in (examples / "one-home").glob("*.csv") if len(path.read_text().splitlines()) > 2]
    assert {path.name for path in tables} == {"profiles.csv", "prices.csv"}


@pytest.mark.parametrize(("name", "steps"), [("dst-days", [96, 92]), ("dst-days/autumn", [96, 100])])
def test_dst_days_have_23_and_25_hours(examples: Path, name: str, steps: list[int]) -> None:
    study = load_study(examples / name)
    assert np.bincount(study.horizon.day).tolist() == steps
    prices = study.prices
    assert prices is not None
    hours = len(set(study.horizon.times.tz_convert("UTC").floor("h")))
    assert hours == sum(steps) / 4
    assert np.count_nonzero(np.diff(prices.buy)) <= hours - 1, "an hourly price holds for its quarter-hours"


def test_the_cars_of_dst_days_stand_an_hour_less_and_an_hour_more(examples: Path) -> None:
    """From 19:00 to 07:00 are 11 hours in the night to 2018-03-25 and 13 in the night to 2018-10-28."""
    for name, hours in (("dst-days", 11), ("dst-days/autumn", 13)):
        rows = pd.read_csv(examples / name / "ev_charger.csv")
        first = pd.Timestamp(rows["departure"][0]) - pd.Timestamp(rows["arrival"][0])
        assert first == pd.Timedelta(hours=hours)


def test_it_north_200_is_what_it_says(north: Study) -> None:
    portfolio = north.portfolio
    groups = dict(zip(*np.unique(portfolio.columns["group"].astype(str), return_counts=True), strict=True))
    assert groups == {"home": 140, "shop": 25, "factory": 15, "park": 12, "storage": 8}
    assert set(portfolio.devices) == {
        "fixed_load",
        "curtailable_load",
        "shiftable_load",
        "pv",
        "wind",
        "chp",
        "battery",
        "ev_charger",
        "heat_pump",
    }
    homes = portfolio.columns["group"].astype(str) == "home"
    assert set(portfolio.columns["withdrawal_max_kw"][homes]) == {3.0, 4.5, 6.0}
    assert north.prices is not None
    assert (north.prices.buy.min(), north.prices.buy.max()) == (27.0, 95.0)
    chp = portfolio.devices["chp"]
    assert len(chp) == 10
    assert np.count_nonzero(chp["electric_min_kw"]) == 4


def test_every_pod_of_it_north_200_has_room_for_its_loads(north: Study) -> None:
    """With flexible devices at rest and all loads uncut, no connection is overrun, and boilers cover the heat."""
    portfolio = north.portfolio
    net = np.zeros((len(portfolio), north.horizon.steps))
    for kind in ("fixed_load", "curtailable_load", "shiftable_load"):
        table = portfolio.devices[kind]
        np.add.at(net, table.pod, table.power_kw())
    assert (net.max(axis=1) <= portfolio.meter(north.prices.buy / 1000).withdrawal_max).all()  # type: ignore[union-attr]
    for kind, spare in (("chp", "boiler_max_kw"), ("heat_pump", "backup_heat_max_kw")):
        table = portfolio.devices[kind]
        assert (table.power_kw("heat_profile", "heat_scale_kw").max(axis=1) <= table[spare]).all()


def test_it_north_afrr_is_the_same_portfolio_with_reserve_and_limits(examples: Path, north: Study) -> None:
    """So what is said of the PODs of the one holds for the other; the storage alone could offer several MW."""
    study = load_study(examples / "it-north-afrr")
    for name in ("pods", "battery", "chp", "profiles", "prices"):
        same = [(examples / folder / f"{name}.csv").read_bytes() for folder in ("it-north-200", "it-north-afrr")]
        assert same[0] == same[1], name
    assert study.portfolio.device_count == north.portfolio.device_count
    up, down = study.market.reserves
    assert (up.name, down.name) == ("afrr-up", "afrr-down")
    assert (up.blocks, up.minimum_mw, up.increment_mw, up.sustain_hours) == (6, 1.0, 1.0, 1.0)
    assert (up.availability_eur_per_mw_h[4], down.availability_eur_per_mw_h[3]) == (12.0, 13.0)
    assert study.market.limits is not None
    assert (study.market.limits.withdrawal_max_kw == 3500).all()
    assert (study.market.limits.injection_max_kw == 12_000).all()
    assert study.portfolio.devices["battery"]["discharge_max_kw"].sum() > 8_000


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "it-north-afrr"])
def test_no_pod_fails(examples: Path, name: str) -> None:
    """Every POD answers the market price with a schedule."""
    study = load_study(examples / name)
    assert study.prices is not None
    response = respond(study.portfolio, study.prices.buy / 1000, workers=1)
    assert response.failures == ()
    assert response.late == ()


def test_an_unknown_example_and_a_used_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="'two-homes'; expected one of 'dst-days', 'it-north-200', 'it-north-afrr', 'one-home'"
    ):
        write_example("two-homes", tmp_path / "new")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_example("one-home", tmp_path)
