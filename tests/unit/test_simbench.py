"""SimBench: days of other years, cars behind charging profiles, and study folders of its grids."""

from __future__ import annotations

import builtins
import importlib.util
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from podium.errors import InputError
from podium.horizon import Horizon
from podium.study import load_study
from podium.study.simbench import import_simbench
from podium.study.simbench_profiles import (
    bundled_profiles,
    charger_rows,
    ev_sessions,
    heat_pump_rows,
    padded,
    profiles_at,
    source_day,
)

needs_simbench = pytest.mark.skipif(
    importlib.util.find_spec("simbench") is None, reason="the extra 'simbench' is not installed"
)


def year_of_clocks() -> pd.DataFrame:
    """A profile whose value is the local time of day in hours, over 2016."""
    times = Horizon.days("2016-01-01", 366, 15, "Europe/Berlin").times
    return pd.DataFrame({"clock": times.hour + times.minute / 60}, index=times.tz_convert("UTC"))


def test_every_day_has_a_source_day_with_its_weekday() -> None:
    """At most three days away, but for the ends of the year, where the nearest may lie in 2015 or 2017."""
    for shift in range(3 * 365):
        day = date(2018, 1, 1) + timedelta(days=shift)
        source = source_day(day)
        assert source.year == 2016
        assert source.weekday() == day.weekday()
        assert abs((source - date(2016, day.month, day.day)).days) <= 6
    assert source_day(date(2018, 12, 31)) == date(2016, 12, 26)
    assert source_day(date(2016, 2, 29)) == date(2016, 2, 29)


@pytest.mark.parametrize(("day", "steps"), [("2018-03-25", 92), ("2018-10-28", 100), ("2018-05-16", 96)])
def test_days_of_2018_follow_the_clock(day: str, steps: int) -> None:
    times = Horizon.days(day, 1, 15, "Europe/Rome").times
    found = profiles_at(year_of_clocks(), times)["clock"]
    assert len(found) == steps
    np.testing.assert_array_equal(found, times.hour + times.minute / 60)


def test_a_source_day_with_another_change_of_clocks_still_follows_the_clock() -> None:
    """2019-03-31 (23 h) comes from 2016-04-03 (24 h); 2019-03-24 (24 h) from 2016-03-27, which has no 02:00."""
    short = Horizon.days("2019-03-31", 1, 15, "Europe/Berlin").times
    found = profiles_at(year_of_clocks(), short)["clock"]
    np.testing.assert_array_equal(found, short.hour + short.minute / 60)
    whole = Horizon.days("2019-03-24", 1, 15, "Europe/Berlin").times
    found = profiles_at(year_of_clocks(), whole)["clock"]
    assert found.iloc[7:13].tolist() == [1.75, 1.75, 1.75, 1.75, 1.75, 3.0]


def test_a_day_that_the_extract_lacks_is_named() -> None:
    with pytest.raises(InputError, match=r"no 2016-05-18 \(for 2018-05-16\)"):
        profiles_at(bundled_profiles(), Horizon.days("2018-05-16", 1, 15, "Europe/Rome").times)


def charging(horizon: Horizon, kw: Mapping[str, float]) -> pd.Series[float]:
    """A profile over the padded horizon with the given power at the given local quarter-hours."""
    times = padded(horizon).times
    return pd.Series([kw.get(f"{stamp:%d %H:%M}", 0.0) for stamp in times], index=times)


def test_a_car_at_home_stays_until_the_next_morning() -> None:
    horizon = Horizon.days("2018-05-16", 1, 15, "Europe/Berlin")
    profile = charging(horizon, {"16 18:30": 0.4, "16 18:45": 0.8, "16 19:00": 0.2})
    sessions = ev_sessions(profile.to_frame("HLS_A_3.7"), horizon)
    (row,) = sessions.to_dict("records")
    assert row["arrival"] == pd.Timestamp("2018-05-16T18:30+02:00")
    assert row["departure"] == pd.Timestamp("2018-05-17T07:00+02:00")
    assert row["power"] == 0.8
    assert row["energy"] == pytest.approx(1.4 / 4)


def test_a_car_at_work_leaves_after_eight_hours_or_when_the_next_one_comes() -> None:
    horizon = Horizon.days("2018-05-16", 1, 15, "Europe/Berlin")
    profile = charging(horizon, {"16 08:00": 1.0, "16 12:00": 0.5})
    sessions = ev_sessions(profile.to_frame("APLS_B_11.0"), horizon)
    assert [stamp.hour for stamp in sessions["departure"]] == [12, 20]


def test_a_car_that_charges_over_midnight_counts_only_what_is_left() -> None:
    """A quarter-hour at full power before midnight and two after it: two are left; a full car is left out."""
    horizon = Horizon.days("2018-05-16", 1, 15, "Europe/Berlin")
    profile = charging(horizon, {"15 20:00": 1.0, "15 23:45": 1.0, "16 00:00": 1.0, "16 00:15": 1.0})
    (row,) = ev_sessions(profile.to_frame("HLS_B_11.0"), horizon).to_dict("records")
    assert row["arrival"] == pd.Timestamp("2018-05-16T00:00+02:00")
    assert row["departure"] == pd.Timestamp("2018-05-16T07:00+02:00")
    assert row["energy"] == pytest.approx(0.5)


def test_a_charger_can_do_what_its_profile_does() -> None:
    """11 kW of charger, 0.9 of it for an hour: 9.9 kWh at the meter, 92 % of it in the car."""
    horizon = Horizon.days("2018-05-16", 1, 15, "Europe/Berlin")
    clocks = ("18:00", "18:15", "18:30", "18:45")
    profile = charging(horizon, {f"16 {clock}": 0.9 for clock in clocks})
    chargers = pd.DataFrame({"device": ["car"], "pod": ["home"], "profile": ["HLS_A_11.0"], "kw": [11.0]})
    (row,) = charger_rows(chargers, ev_sessions(profile.to_frame("HLS_A_11.0"), horizon)).to_dict("records")
    assert row["charge_max_kw"] == pytest.approx(9.9, abs=1e-3)
    missing = row["energy_wanted_kwh"] - row["energy_arrival_kwh"]
    assert missing == pytest.approx(0.92 * 9.9, abs=3e-3)
    assert missing <= 0.92 * row["charge_max_kw"] * 1.0
    assert row["departure"] == "2018-05-17T07:00:00+02:00"


def test_a_heat_pump_gives_the_heat_of_its_profile() -> None:
    """4 kW from soil at COP 4: 16 kW of heat per unit of profile, a tank of two hours of it, half full."""
    pumps = pd.DataFrame({"device": ["hp"], "pod": ["home"], "profile": ["Soil_Alternative_2"], "kw": [4.0]})
    (row,) = heat_pump_rows(pumps).to_dict("records")
    assert (row["electric_max_kw"], row["cop"], row["heat_scale_kw"]) == (4.0, 4.0, 16.0)
    assert (row["heat_store_max_kwh"], row["heat_store_initial_kwh"]) == (32.0, 16.0)
    assert row["heat_profile"] == "Soil_Alternative_2"


def test_the_extract_is_small_and_sane() -> None:
    table = bundled_profiles()
    assert len(table.columns) == 30
    assert table.index.is_monotonic_increasing
    assert table.to_numpy().min() >= 0.0
    assert table.to_numpy().max() <= 1.0
    night = table.loc["2016-07-12T22:00":"2016-07-13T01:00", ["PV1", "PV3", "PV5", "PV8"]]
    assert night.to_numpy().max() == 0.0
    for day in ("2018-01-23", "2018-03-13", "2018-03-25", "2018-07-17", "2018-10-28"):
        horizon = Horizon.days(day, 1, 15, "Europe/Rome")
        assert len(profiles_at(table, padded(horizon).times)) > horizon.steps


def read_study(folder: Path) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    header = yaml.safe_load((folder / "study.yaml").read_text())
    names = {"pods": header["pods"], "profiles": header["profiles"], **header["devices"]}
    return header, {name: pd.read_csv(folder / file) for name, file in names.items()}


@needs_simbench
def test_a_grid_becomes_a_study_folder(tmp_path: Path) -> None:
    """1-LV-rural1--2: 13 buses with loads; 8 PV plants, and 5 that SimBench hides in its storage elements."""
    made = import_simbench("1-LV-rural1--2-sw", tmp_path / "grid")
    header, tables = read_study(tmp_path / "grid")
    study = load_study(tmp_path / "grid")
    assert (len(study.portfolio), study.portfolio.device_count) == (13, 42)
    assert made.pods == len(tables["pods"]) == 13
    assert made.devices == {"fixed_load": 13, "pv": 13, "heat_pump": 8, "battery": 5, "ev_charger": 4}
    assert (str(header["start"]), header["days"], header["time_zone"]) == ("2018-05-16", 1, "Europe/Berlin")
    ids = pd.concat([tables[kind]["device"].drop_duplicates() for kind in made.devices])
    assert ids.is_unique
    assert set(pd.concat([tables[kind]["pod"] for kind in made.devices])) <= set(tables["pods"]["pod"])
    used = {*tables["fixed_load"]["profile"], *tables["pv"]["profile"], *tables["heat_pump"]["heat_profile"]}
    assert used == set(tables["profiles"].columns) - {"time"}
    assert len(tables["profiles"]) == 96
    battery = tables["battery"].set_index("device").loc["LV1.101 Storage 1"]
    assert (battery["charge_max_kw"], battery["energy_max_kwh"]) == (73.4, 146.7)
    assert "Open Database License" in (tmp_path / "grid" / "SOURCES.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["grid"], "nothing is left beside the folder"


@needs_simbench
def test_a_day_of_2016_is_that_very_day_and_has_no_prices(tmp_path: Path) -> None:
    """The first quarter-hours of SimBench's PV5 after sunrise on 2016-10-30, which has 100 of them."""
    made = import_simbench("1-LV-rural1--2-sw", tmp_path / "grid", "2016-10-30")
    header, tables = read_study(tmp_path / "grid")
    assert not made.priced
    assert "13 PODs" in str(made)
    assert "no market prices for these days" in str(made)
    assert "prices" not in header
    assert len(tables["profiles"]) == 100
    times = Horizon.days("2016-10-30", 1, 15, "Europe/Berlin").times
    found = tables["profiles"]["PV5"].set_axis(times.tz_convert("UTC")).round(4)
    expected = bundled_profiles()["PV5"].loc[found.index]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_simbench
def test_an_unknown_grid_and_a_used_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no grid '1-LV-nowhere--2-sw'; expected a code such as"):
        import_simbench("1-LV-nowhere--2-sw", tmp_path / "grid")
    assert list(tmp_path.iterdir()) == []


def test_a_used_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine")
    with pytest.raises(InputError, match="is not empty; expected a new or empty folder"):
        import_simbench("1-LV-rural1--2-sw", tmp_path)
    with pytest.raises(InputError, match="start 'tomorrow'; expected a date"):
        import_simbench("1-LV-rural1--2-sw", tmp_path / "new", "tomorrow")


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "simbench":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match=r"not installed; expected pip install \"podium\[simbench\]\""):
        import_simbench("1-LV-rural1--2-sw", tmp_path / "grid")
