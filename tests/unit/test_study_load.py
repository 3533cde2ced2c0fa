"""Study folders: columns, defaults, formats, order, times; and writing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from podium.errors import InputError
from podium.portfolio import Portfolio
from podium.study import Options, StudyParts, load_study, write_study
from podium.study.schema import spec_of
from unit.study_folders import SPEC, hourly, one_home, series, write_files

QUARTERS = 4


def portfolio(folder: Path, **files: str) -> Portfolio:
    """The small study with some of its files replaced (`pods` for pods.csv)."""
    return load_study(write_files(folder, one_home() | {f"{name}.csv": text for name, text in files.items()})).portfolio


def test_columns_have_the_numbers_of_the_files_and_defaults_elsewhere(tmp_path: Path) -> None:
    study = load_study(write_files(tmp_path, one_home()))
    assert (study.name, study.folder, study.options, study.notices) == ("One home", tmp_path, Options(), ())
    pods = study.portfolio.columns
    assert pods["buy_eur_per_kwh"].tolist() == [0.25, 0.30]
    assert np.isnan(pods["withdrawal_max_kw"][0])
    assert pods["withdrawal_max_kw"][1] == 6.5
    assert pods["peak_eur_per_kw"].tolist() == [0.0, 0.0]
    battery = study.portfolio.devices["battery"]
    assert (battery["charge_efficiency"][0], battery["discharge_efficiency"][0]) == (0.92, 0.95)
    assert np.isnan(battery["cycles_max_per_day"][0])
    assert study.portfolio.devices["fixed_load"]["scale_kw"].tolist() == [1.0, 1.5], "an empty cell is the default"


def test_pods_keep_their_order_and_devices_follow_it(tmp_path: Path) -> None:
    """home-2 comes first in pods.csv; both of its devices then come first, and two at one POD stay in order."""
    loads = "device,pod,profile\nb,home-1,household\na,home-1,household\nz,home-2,household\n"
    found = portfolio(tmp_path, load=loads)
    assert found.ids.tolist() == ["home-2", "home-1"]
    assert found.devices["fixed_load"].ids.tolist() == ["z", "b", "a"]
    assert found.devices["fixed_load"].pod.tolist() == [0, 1, 1]
    assert found.devices["pv"].ids.tolist() == ["pv-2", "pv-1"]
    assert found.devices["pv"]["curtailable"].tolist() == [False, True]
    assert found.part(0, 1).devices["fixed_load"].ids.tolist() == ["z"]


def test_only_profiles_in_use_are_read(tmp_path: Path) -> None:
    """The column `unused` may hold anything; it is not looked at."""
    profiles = hourly("time,sun,household,unused", 0.2, 0.4, -1.0).replace(",-1.0\n", ",nonsense\n")
    assert portfolio(tmp_path, profiles=profiles).profiles.names == ("sun", "household")


def test_an_hour_is_constant_over_its_quarter_hours(tmp_path: Path) -> None:
    study = load_study(write_files(tmp_path, one_home()))
    assert study.prices is not None
    assert study.prices.buy[:5].tolist() == [40.0, 40.0, 40.0, 40.0, 44.0]
    assert study.prices.one_price


def test_finer_rows_are_averaged_and_order_does_not_matter(tmp_path: Path) -> None:
    """Five-minute rows 0, 1, 2, ... give quarter-hours 1, 4, 7, ...; rows with offsets may be shuffled."""
    times = pd.date_range("2018-05-14", periods=288, freq="5min", tz="Europe/Rome")
    rows = [(stamp.isoformat(), row, 1) for row, stamp in enumerate(times)]
    shuffled = [rows[at] for at in np.random.default_rng(1).permutation(len(rows))]
    found = portfolio(tmp_path, profiles=series("time,sun,household", shuffled))
    assert found.profiles.values[0].tolist() == [1.0 + 3 * step for step in range(96)]


def test_bad_rows_outside_the_horizon_are_not_looked_at(tmp_path: Path) -> None:
    """A year's file with a hole in another month serves a day in May."""
    before = series("time,sun,household", [("2018-01-01T00:00:00+01:00", "", "x"), ("2018-01-01T07:00:00+01:00", 1, 1)])
    day = hourly("time,sun,household", 0.2, 0.4).split("\n", 1)[1]
    assert portfolio(tmp_path, profiles=before + day).profiles.values[1, 0] == 0.4


@pytest.mark.parametrize(("day", "steps"), [("2018-03-25", 92), ("2018-05-14", 96), ("2018-10-28", 100)])
@pytest.mark.parametrize("local", [False, True])
def test_days_of_23_24_and_25_hours(tmp_path: Path, day: str, steps: int, local: bool) -> None:
    """Rows count up by the hour, so an hour lost or doubled by the clocks would show."""
    times = pd.date_range(day, periods=steps // QUARTERS, freq="h", tz="Europe/Rome")
    times = times.tz_localize(None) if local else times
    rows = [(stamp.isoformat(), hour, hour) for hour, stamp in enumerate(times)]
    spec = f"name: x\ntime_zone: Europe/Rome\nstart: {day}\ndays: 1\npods: pods.csv\n"
    spec += f"devices: {{pv: pv.csv}}\nprofiles: {{file: p.csv, local_times: {str(local).lower()}}}\n"
    files = {"study.yaml": spec, "pods.csv": "pod\nhome-1\nhome-2\n", "p.csv": series("time,sun,other", rows)}
    found = load_study(write_files(tmp_path, one_home() | files)).portfolio
    assert found.horizon.steps == steps
    assert found.profiles.values[0].tolist() == [step // QUARTERS for step in range(steps)]


@pytest.mark.parametrize(
    ("start", "length", "first", "steps"),
    [
        ("2018-10-28", {"days": 1}, "2018-10-28T00:00+02:00", 100),
        ("2018-10-28", {"hours": 24}, "2018-10-28T00:00+02:00", 96),
        ("2018-10-27T22:00:00+02:00", {"days": 1}, "2018-10-27T22:00+02:00", 100),
        ("2018-10-28T00:30:00Z", {"hours": 1.5}, "2018-10-28T02:30+02:00", 6),
        ("2018-10-28T01:30:00Z", {"hours": 1.5}, "2018-10-28T02:30+01:00", 6),
    ],
)
def test_days_are_of_the_calendar_and_hours_are_not(
    start: str, length: dict[str, float], first: str, steps: int
) -> None:
    keys = {"name": "x", "time_zone": "Europe/Rome", "start": start, "pods": "pods.csv"}
    horizon = spec_of(keys | length).horizon()
    assert horizon.times[0] == pd.Timestamp(first)
    assert horizon.steps == steps


def test_an_excel_book_holds_a_whole_study(tmp_path: Path) -> None:
    """Each file of the small study as a sheet; times without offset, as Excel has them; one number as a formula."""
    book = openpyxl.Workbook()
    files = one_home()
    for name in ("pods", "pv", "load", "battery", "profiles", "prices", "ev"):
        sheet = book.create_sheet(name)
        for line in files[f"{name}.csv"].replace("+02:00", "").splitlines():
            sheet.append([_excel_cell(cell) for cell in line.split(",")])
    content = BytesIO()
    book.save(content)
    spec = SPEC.replace("[profiles.csv]", "{file: book.xlsx, sheet: profiles, local_times: true}")
    spec = spec.replace("prices.csv", "{file: book.xlsx, sheet: prices, local_times: true}")
    spec = spec.replace("ev.csv", "{file: book.xlsx, sheet: ev, local_times: true}")
    for name in ("pods", "pv", "load", "battery"):
        spec = spec.replace(f" {name}.csv", f" book.xlsx#{name}")
    assert ".csv" not in spec
    (tmp_path / "excel").mkdir()
    found = load_study(write_files(tmp_path / "excel", {"study.yaml": spec, "book.xlsx": content.getvalue()}))
    plain = load_study(write_files(tmp_path, files))
    np.testing.assert_array_equal(found.portfolio.profiles.values, plain.portfolio.profiles.values)
    for kind, table in plain.portfolio.devices.items():
        assert found.portfolio.devices[kind].ids.tolist() == table.ids.tolist()
        for name, column in table.columns.items():
            np.testing.assert_array_equal(found.portfolio.devices[kind][name], column)


def _excel_cell(text: str) -> object:
    """A cell as a person would type it: numbers, true and false, and times as Excel's own."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return pd.Timestamp(text).to_pydatetime() if text[:2] == "20" else text or None
    except ValueError:
        return text


def test_ids_that_are_numbers_are_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"pod": [7, 12]})
    parts = StudyParts({"name": "x", "time_zone": "UTC", "start": "2018-05-14", "days": 1}, frame)
    for file_format in ("csv", "parquet"):
        study = load_study(write_study(parts, tmp_path / file_format, file_format))  # type: ignore[arg-type]
        assert study.portfolio.ids.tolist() == ["7", "12"]


def test_a_study_is_written_whole_into_a_new_or_empty_folder(tmp_path: Path) -> None:
    study = load_study(write_files(tmp_path / "one", one_home()))
    (tmp_path / "empty").mkdir()
    for name in ("new/inner", "empty"):
        write_study(study, tmp_path / name)
        names = {path.name for path in (tmp_path / name).iterdir()}
        assert {"study.yaml", "pods.csv", "battery.csv", "profiles.csv", "prices.csv"} < names
        assert not any(name.startswith(".") for name in names)
    with pytest.raises(InputError, match="is not empty; expected a new or empty folder"):
        write_study(study, tmp_path / "one")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    spec = {"name": "x", "time_zone": "UTC", "start": "2018-05-14", "days": 1}
    clash = StudyParts(spec, pd.DataFrame({"pod": [["a", 1]]}))
    with pytest.raises(pa.ArrowException):
        write_study(clash, tmp_path / "study", "parquet")
    with pytest.raises(InputError, match="unknown key 'colour'"):
        write_study(StudyParts({**spec, "colour": "red"}, pd.DataFrame({"pod": ["a"]})), tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_a_written_study_reads_well(tmp_path: Path) -> None:
    """No column that holds only defaults, and dates as people write them."""
    study = load_study(write_files(tmp_path / "one", one_home()))
    folder = write_study(study, tmp_path / "two")
    assert (folder / "study.yaml").read_text().splitlines()[:4] == [
        "name: One home",
        "time_zone: Europe/Rome",
        "start: 2018-05-14",
        "days: 1",
    ]
    assert (folder / "battery.csv").read_text().splitlines() == [
        "device,pod,charge_max_kw,discharge_max_kw,energy_max_kwh,energy_initial_kwh,charge_efficiency",
        "battery-1,home-1,3.0,2.5,10.0,5.0,0.92",
    ]
    assert (
        (folder / "ev_charger.csv")
        .read_text()
        .splitlines()[1]
        .startswith("car-1,home-1,2018-05-14T08:00:00+02:00,2018-05-14T12:00:00+02:00,7.4,")
    )
