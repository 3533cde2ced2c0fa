"""What a user reads who made a mistake: file, line, value, and what was expected."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podium.errors import InputError
from podium.study import LIMITS, Limits, load_study
from unit.study_folders import BATTERY, PODS, PV, hourly, one_home, series, write_files

Change = tuple[str, str, str]

FINITE = "expected a number above 0 that is finite"
OFFSET = "expected a time with an offset, such as 2018-05-14T00:00:00+02:00"


def problems(folder: Path, files: Mapping[str, str | bytes], limits: Limits = LIMITS) -> list[str]:
    """What `load_study` says of a folder with these files."""
    with pytest.raises(InputError) as caught:
        load_study(write_files(folder, files), limits)
    return [str(problem) for problem in caught.value.problems]


def changed(*changes: Change) -> dict[str, str]:
    """The small study with words replaced, each once: (file, old, new)."""
    files = one_home()
    for name, old, new in changes:
        assert old in files[name], f"{name} has no {old!r}"
        files[name] = files[name].replace(old, new, 1)
    return files


# What study.yaml may get wrong.
SPEC_CASES: list[tuple[str, str, str]] = [
    ("step_minutes", "step_minuts", "study.yaml, line 5: unknown key 'step_minuts'; expected 'step_minutes'"),
    ("method: exact", "metod: exact", "study.yaml, line 14: unknown key 'metod'; expected 'method'"),
    ("method: exact", "method: magic", "study.yaml, line 14: options.method 'magic'; expected 'exact' or 'virtus'"),
    ("  battery:", "  batery:", "study.yaml, line 10: unknown kind of device 'batery'; expected 'battery'"),
    ("name: One home\n", "", "study.yaml: 'name' is missing; expected a line 'name: ...'"),
    ("days: 1", "days: 1\ndays: 2", "study.yaml, line 5: key 'days' stands in line 4 too; expected each key once"),
    ("days: 1", "days: 0", "study.yaml, line 4: days 0; expected greater than or equal to 1"),
    ("days: 1", "days: 1\nhours: 2", "study.yaml, line 4: both 'days' and 'hours'; expected one of the two"),
    ("days: 1\n", "", "study.yaml: neither 'days' nor 'hours'; expected one of the two"),
    (
        "days: 1",
        "hours: 2.1",
        "study.yaml, line 4: 2.1 h are 8.4 steps of 15 minutes; expected a whole number of steps",
    ),
    (
        "step_minutes: 15",
        "step_minutes: 7",
        "study.yaml, line 5: step_minutes 7; expected 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60",
    ),
    (
        "Europe/Rome",
        "Europe/Roma",
        "study.yaml, line 2: time_zone 'Europe/Roma'; expected an IANA name such as 'Europe/Rome'",
    ),
    (
        "2018-05-14",
        "14.05.2018",
        "study.yaml, line 3: start '14.05.2018'; expected a date such as 2018-05-14, "
        "or a moment with an offset such as 2018-05-14T06:00:00+02:00",
    ),
    (
        "2018-05-14",
        "2018-05-14T06:00",
        "study.yaml, line 3: start '2018-05-14T06:00' has no offset; expected a date such as 2018-05-14, "
        "or a moment with an offset such as 2018-05-14T06:00:00+02:00",
    ),
    ("One home", "5", "study.yaml, line 1: name 5; expected a text (in quotes if need be)"),
    (
        "\ndays: 1",
        "\n\tdays: 1",
        "study.yaml, line 4: found character '\\t' that cannot start any token; "
        "expected YAML: 'key: value', indented by spaces",
    ),
    ("days: 1", "days: &one 1\nhours: *one", "study.yaml, line 5: an alias (*name); expected the value itself"),
]


@pytest.mark.parametrize(("old", "new", "message"), SPEC_CASES)
def test_study_yaml(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert problems(tmp_path, changed(("study.yaml", old, new))) == [message]


# What a cell or a header may get wrong: one mistake, one message.
CELL_CASES: list[tuple[str, str, str, str]] = [
    (
        "battery.csv",
        "charge_efficiency",
        "charge_eficiency",
        "battery.csv, line 1: unknown column 'charge_eficiency'; expected 'charge_efficiency'",
    ),
    (
        "load.csv",
        "scale_kw",
        "colour",
        "load.csv, line 1: unknown column 'colour'; expected one of 'scale_kw'",
    ),
    (
        "battery.csv",
        "0.92",
        "92",
        "battery.csv, line 2: charge_efficiency 92; "
        "expected a number above 0 and at most 1; a fraction, not per cent (95 % is 0.95)",
    ),
    (
        "battery.csv",
        "0.92",
        "92 %",
        "battery.csv, line 2: charge_efficiency '92 %'; expected a number without %, such as 0.92 for 92 %",
    ),
    (
        "battery.csv",
        ",10,",
        ",NaN,",
        "battery.csv, line 2: energy_max_kwh NaN; " + FINITE,
    ),
    (
        "battery.csv",
        ",10,",
        ",inf,",
        "battery.csv, line 2: energy_max_kwh inf; " + FINITE,
    ),
    ("battery.csv", ",10,", ",ten,", "battery.csv, line 2: energy_max_kwh 'ten'; expected a number above 0"),
    ("battery.csv", ",10,", ",,", "battery.csv, line 2: energy_max_kwh is empty; expected a number above 0"),
    ("battery.csv", ",10,", ",-10,", "battery.csv, line 2: energy_max_kwh -10; expected a number above 0"),
    (
        "battery.csv",
        "2.5",
        '"2,5"',
        "battery.csv, line 2: discharge_max_kw '2,5'; expected a decimal point, not a decimal comma",
    ),
    (
        "battery.csv",
        "2.5",
        "2,5",
        "battery.csv, line 2: 8 cells; expected 7, one for each column of line 1 "
        "(a decimal comma? numbers have a decimal point)",
    ),
    (
        "battery.csv",
        ",10,5,",
        ",10,12,",
        "battery.csv, line 2: energy_initial_kwh 12, energy_min_kwh 0, energy_max_kwh 10; "
        "expected a level between the least and the greatest energy",
    ),
    ("pods.csv", "6.5", "-6.5", "pods.csv, line 3: withdrawal_max_kw -6.5; expected a number at least 0"),
    ("pods.csv", "name", "", "pods.csv, line 1: column 2 has no name; expected a name for each column"),
    ("pv.csv", "scale_kw", "profile", "pv.csv, line 1: column 'profile' stands twice; expected each column once"),
    (
        "pv.csv",
        "pv-2",
        "pv-1",
        "pv.csv, line 3: id 'pv-1' stands in line 2 too; expected ids that are unique in the study",
    ),
    (
        "pv.csv",
        "pv-2",
        "load-1",
        "pv.csv, line 3: id 'load-1' stands in load.csv, line 2 too; expected ids that are unique in the study",
    ),
    (
        "pv.csv",
        "pv-2,home-2",
        "pv-2,home-3",
        "pv.csv, line 3: unknown pod 'home-3'; expected a POD of pods.csv: 'home-2'",
    ),
    ("pv.csv", "pv-2,home-2", "pv-2,", "pv.csv, line 3: pod is empty; expected the id of a POD"),
    (
        "pv.csv",
        "home-2,sun",
        "home-2,sum",
        "pv.csv, line 3: profile 'sum' is not among the profiles; expected a column of profiles.csv: 'sun'",
    ),
    ("pv.csv", "home-2,sun", "home-2,", "pv.csv, line 3: profile is empty; expected the name of a profile"),
    (
        "pv.csv",
        "home-2,sun",
        "home-2,unused",
        "pv.csv, line 3: profile 'unused' goes down to -3.3; "
        "expected values of at least 0; the sign comes from the kind of device",
    ),
    ("pv.csv", "false", "maybe", "pv.csv, line 3: curtailable 'maybe'; expected true or false"),
    (
        "ev.csv",
        "T23:30+02:00",
        "T17:30+02:00",
        "ev.csv, line 3: departure 2018-05-14T17:30+02:00; expected a time after the arrival 2018-05-14T18:00+02:00",
    ),
    (
        "ev.csv",
        "T18:00",
        "T10:00",
        "ev.csv, line 3: arrival 2018-05-14T10:00+02:00 at charger 'car-1'; "
        "expected a time at which the session before it has left (2018-05-14T12:00+02:00)",
    ),
    (
        "ev.csv",
        "T23:30+02:00",
        "T23:30",
        f"ev.csv, line 3: departure '2018-05-14T23:30'; {OFFSET}; or 'local_times: true' beside the file in study.yaml",
    ),
    (
        "ev.csv",
        "car-1,home-1,2018-05-14T18",
        "car-1,home-2,2018-05-14T18",
        "ev.csv, line 3: charger 'car-1' is at another POD in line 2; expected one POD per charger",
    ),
    ("prices.csv", ",60.0", ",-", "prices.csv, line 7: price_eur_per_mwh '-'; expected a number"),
    ("prices.csv", ",60.0", ",", "prices.csv, line 7: price_eur_per_mwh is empty; expected a number"),
    (
        "prices.csv",
        "2018-05-14T05:00:00+02:00,60.0\n",
        "",
        "prices.csv, line 7: time 2018-05-14T06:00+02:00 follows 2018-05-14T04:00+02:00; "
        "expected 2018-05-14T05:00+02:00 (a row every 60 minutes, none left out)",
    ),
    (
        "prices.csv",
        "price_eur_per_mwh",
        "buy_eur_per_mwh",
        "prices.csv, line 1: columns 'time', 'buy_eur_per_mwh'; "
        "expected 'price_eur_per_mwh', or 'buy_eur_per_mwh' and 'sell_eur_per_mwh'",
    ),
    ("profiles.csv", ",0.2,", ",x,", "profiles.csv, line 2: sun 'x'; expected a number"),
    (
        "profiles.csv",
        "T05:00:00+02:00",
        "T04:00:00+02:00",
        "profiles.csv, line 7: time 2018-05-14T04:00+02:00 stands in line 6 too; expected each time once",
    ),
    (
        "profiles.csv",
        "2018-05-14T05:00:00+02:00",
        "14.05.2018 05:00",
        f"profiles.csv, line 7: time '14.05.2018 05:00'; {OFFSET}",
    ),
    (
        "profiles.csv",
        "2018-05-14T05:00:00+02:00,",
        ",",
        "profiles.csv, line 7: time is empty; expected a time in each row",
    ),
    (
        "profiles.csv",
        "time",
        "Time",
        "profiles.csv, line 1: column 'time' is missing; expected the start of each row's step, with an offset",
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), CELL_CASES)
def test_tables(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    assert problems(tmp_path, changed((name, old, new))) == [message]


def test_a_missing_column_says_what_it_would_hold(tmp_path: Path) -> None:
    assert problems(tmp_path, changed(("battery.csv", "energy_max_kwh", "energy_maximum_kwh"))) == [
        "battery.csv, line 1: unknown column 'energy_maximum_kwh'; expected 'energy_max_kwh'",
        "battery.csv, line 1: column 'energy_max_kwh' is missing; expected a number above 0 in each row",
    ]


def test_a_pod_without_an_id(tmp_path: Path) -> None:
    found = problems(tmp_path, changed(("pods.csv", "home-2,", ",")))
    assert "pods.csv, line 2: pod is empty; expected a name" in found


def test_a_pod_twice_names_both_lines(tmp_path: Path) -> None:
    found = problems(tmp_path, {**one_home(), "pods.csv": PODS + "home-1,Again,,,,\n"})
    assert found == ["pods.csv, line 4: id 'home-1' stands in line 3 too; expected ids that are unique"]


def test_two_tariffs_for_one_pod(tmp_path: Path) -> None:
    found = problems(tmp_path, {**one_home(), "pods.csv": PODS.replace("group", "buy_profile").replace("north", "sun")})
    expected = "buy_eur_per_kwh and buy_profile; expected one of buy_eur_per_kwh and buy_profile"
    assert found == [f"pods.csv, line {line}: {expected}" for line in (2, 3)]


def test_selling_above_buying_on_the_market(tmp_path: Path) -> None:
    """Whoever buys and sells at once would earn without limit; the reference method takes such prices."""
    prices = hourly("time,buy_eur_per_mwh,sell_eur_per_mwh", 40.0, 39.0).replace(",60.0,58.5", ",60.0,61.5")
    assert problems(tmp_path / "exact", {**one_home(), "prices.csv": prices}) == [
        "prices.csv, line 7: selling at 61.5 and buying at 60 EUR/MWh; expected a selling price at most as high as the "
        "buying price (profit would have no limit), or method 'virtus'"
    ]
    files = {**changed(("study.yaml", "exact", "virtus")), "prices.csv": prices}
    assert load_study(write_files(tmp_path / "virtus", files)).prices is not None


def test_every_mistake_of_every_file_at_once(tmp_path: Path) -> None:
    """Five files with a mistake each, told in one go; a mistake in one row hides none in another."""
    files = changed(
        ("battery.csv", "0.92", "92"),
        ("pv.csv", "home-2,sun", "home-2,sum"),
        ("pods.csv", ",0.25", ",abc"),
        ("prices.csv", ",60.0", ",-"),
        ("ev.csv", "7.4", "x"),
        ("ev.csv", "7.4", "-7.4"),
    )
    found = problems(tmp_path, files)
    assert [message.split(";")[0] for message in found] == [
        "pv.csv, line 3: profile 'sum' is not among the profiles",
        "battery.csv, line 2: charge_efficiency 92",
        "ev.csv, line 2: charge_max_kw 'x'",
        "ev.csv, line 3: charge_max_kw -7.4",
        "pods.csv, line 2: buy_eur_per_kwh 'abc'",
        "prices.csv, line 7: price_eur_per_mwh '-'",
    ]


def test_many_rows_with_one_mistake_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"pv-{row},home-1,sun,four,true\n" for row in range(1, 101))
    found = problems(tmp_path, {**one_home(), "pv.csv": "device,pod,profile,scale_kw,curtailable\n" + rows})
    assert len(found) == 5
    assert found[0] == "pv.csv, line 2: scale_kw 'four'; expected a number at least 0"
    assert found[-1] == "pv.csv, line 6: scale_kw 'four' (and 95 more rows like it); expected a number at least 0"


def test_lines_are_counted_past_blank_lines_and_quoted_breaks(tmp_path: Path) -> None:
    """Rows of text files are not lines: a name may break one, and blank lines are no rows."""
    pods = 'pod,name\n\nhome-1,"One\nhome"\n\nhome-2,Two\nhome-2,Again\n'
    found = problems(tmp_path, {**one_home(), "pods.csv": pods})
    assert found == ["pods.csv, line 7: id 'home-2' stands in line 6 too; expected ids that are unique"]


# Time series.


def test_a_profile_must_cover_the_horizon(tmp_path: Path) -> None:
    """One day of hours for two days: both files say what they have and what is needed."""
    covers = "covers 2018-05-14T00:00+02:00 to 2018-05-15T00:00+02:00"
    needed = "expected the whole horizon, 2018-05-14T00:00+02:00 to 2018-05-16T00:00+02:00"
    assert problems(tmp_path, changed(("study.yaml", "days: 1", "days: 2"))) == [
        f"profiles.csv: {covers}; {needed}",
        f"prices.csv: {covers}; {needed}",
    ]


def test_naive_times_are_told_once(tmp_path: Path) -> None:
    files = {**one_home(), "profiles.csv": hourly("time,sun,household", 0.2, 0.4, offset="")}
    assert problems(tmp_path, files) == [
        f"profiles.csv, line 2: time '2018-05-14T00:00:00' (and 23 more rows like it); {OFFSET}; "
        "or 'local_times: true' beside the file in study.yaml"
    ]


LOCAL = ("study.yaml", "[profiles.csv]", "[{file: profiles.csv, local_times: true}]")


def test_local_times_carry_no_offset(tmp_path: Path) -> None:
    assert problems(tmp_path, changed(LOCAL)) == [
        "profiles.csv, line 2: time '2018-05-14T00:00:00+02:00' (and 23 more rows like it); expected a wall-clock "
        "time without an offset, such as 2018-05-14T00:00:00 (the study says local_times: true)"
    ]


def local_profiles(day: str, hours: list[int]) -> dict[str, str]:
    """The small study on another day, its profiles in local times at these hours."""
    files = {name: text.replace("2018-05-14", day) for name, text in changed(LOCAL).items()}
    rows = [(f"{day}T{hour:02}:00", 0.2, 0.4) for hour in hours]
    return {**files, "profiles.csv": series("time,sun,household", rows)}


def test_an_hour_that_spring_skips(tmp_path: Path) -> None:
    found = problems(tmp_path, local_profiles("2018-03-25", list(range(24))))
    assert found[0] == (
        "profiles.csv, line 4: time 2018-03-25T02:00:00; expected a time that exists; the clocks of Europe/Rome skip it"
    )


def test_an_hour_that_autumn_repeats_and_the_file_does_not(tmp_path: Path) -> None:
    found = problems(tmp_path, local_profiles("2018-10-28", list(range(24))))
    assert found[0] == (
        "profiles.csv, line 4: time 2018-10-28T02:00:00 is ambiguous; expected both occurrences in order, "
        "as the clocks of Europe/Rome repeat it; or times with an offset"
    )


def test_local_times_that_go_back(tmp_path: Path) -> None:
    found = problems(tmp_path, local_profiles("2018-05-14", [0, 1, 3, 2, *range(4, 24)]))
    assert found == [
        "profiles.csv, line 5: time 2018-05-14T02:00+02:00 is before the row above it; expected local times in order"
    ]


def test_a_car_that_comes_in_the_repeated_hour(tmp_path: Path) -> None:
    """Order cannot tell which of the two it is: a session stands alone."""
    files = changed(("study.yaml", "ev.csv", "{file: ev.csv, local_times: true}"))
    files["ev.csv"] = files["ev.csv"].replace("+02:00", "").replace("2018-05-14T08:00", "2018-10-28T02:30")
    assert problems(tmp_path, files)[0] == (
        "ev.csv, line 2: arrival 2018-10-28T02:30:00; expected a time that occurs once; "
        "the clocks of Europe/Rome repeat it (use times with an offset)"
    )


@pytest.mark.parametrize("second", ["60.0", "99.0"])
def test_a_time_twice_is_an_error_whether_or_not_the_rows_agree(tmp_path: Path, second: str) -> None:
    files = changed(("prices.csv", "2018-05-14T05:00:00+02:00,60.0\n", "2018-05-14T05:00:00+02:00,60.0\n" * 2))
    files["prices.csv"] = files["prices.csv"].replace("T05:00:00+02:00,60.0", f"T05:00:00+02:00,{second}", 1)
    assert problems(tmp_path, files) == [
        "prices.csv, line 8: time 2018-05-14T05:00+02:00 stands in line 7 too; expected each time once"
    ]


def test_a_profile_in_two_files(tmp_path: Path) -> None:
    files = changed(("study.yaml", "[profiles.csv]", "[profiles.csv, more.csv]"))
    found = problems(tmp_path, {**files, "more.csv": hourly("time,sun", 0.1)})
    assert found == ["more.csv, line 1: profile 'sun' stands in profiles.csv too; expected each profile in one file"]


def test_no_file_of_profiles_at_all(tmp_path: Path) -> None:
    found = problems(tmp_path, changed(("study.yaml", "profiles: [profiles.csv]\n", "")))
    assert found[1] == (
        "pv.csv, line 2: profile 'sun' is not among the profiles (and 1 more row like it); "
        "expected a file with it under 'profiles' in study.yaml"
    )


# Files.

FILE_CASES: list[tuple[str, str]] = [
    ("batery.csv", "study.yaml, line 10: 'batery.csv' does not exist; expected 'battery.csv'"),
    ("../battery.csv", "study.yaml, line 10: '../battery.csv' leaves the study folder; expected a path inside it"),
    ("/etc/passwd", "study.yaml, line 10: '/etc/passwd' leaves the study folder; expected a path inside it"),
    ("'C:\\x.csv'", "study.yaml, line 10: 'C:\\\\x.csv' leaves the study folder; expected a path inside it"),
    ("inner", "study.yaml, line 10: 'inner' is a folder; expected a file"),
    ("notes.txt", "study.yaml, line 10: file 'notes.txt'; expected a name that ends in .csv, .parquet or .xlsx"),
    (
        "{file: battery.csv, sheet: x}",
        "study.yaml, line 10: sheet 'x' of 'battery.csv'; expected a sheet only of an .xlsx file",
    ),
    ("{fiel: battery.csv}", "study.yaml, line 10: unknown key 'fiel'; expected 'file'"),
]


@pytest.mark.parametrize(("reference", "message"), FILE_CASES)
def test_file_references(tmp_path: Path, reference: str, message: str) -> None:
    files = changed(("study.yaml", " battery.csv", f" {reference}"))
    assert message in problems(tmp_path, {**files, "notes.txt": "", "inner/x.csv": ""})


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(BATTERY)
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert problems(folder, changed(("study.yaml", " battery.csv", " link.csv"))) == [
        "study.yaml, line 10: 'link.csv' is a link that leads out of the study folder; "
        "expected a file inside the study folder"
    ]


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder without study\.yaml; expected a study folder"):
        load_study(tmp_path)
    with pytest.raises(InputError, match="nowhere: does not exist; expected a study folder"):
        load_study(tmp_path / "nowhere")


@pytest.mark.parametrize("pods", ["pod\n", "pod,name\n\n"])
def test_an_empty_portfolio(tmp_path: Path, pods: str) -> None:
    assert "pods.csv: no PODs; expected at least one row" in problems(tmp_path, {**one_home(), "pods.csv": pods})


TEXT = "expected a CSV file: UTF-8 text, a line of names, then rows"
CONTENT_CASES: list[tuple[str | bytes, str]] = [
    ("", f"pv.csv: empty; {TEXT}"),
    (PV.encode("utf-16"), f"pv.csv: not UTF-8 text; {TEXT}"),
    (PV.replace("pv-1", "pv-ö").encode("latin-1"), "pv.csv: not UTF-8 text (invalid start byte); expected UTF-8"),
    (b"PK\x03\x04....", f"pv.csv: an Excel or zip file by its content; {TEXT}"),
    (
        PV.replace(",", ";"),
        "pv.csv, line 1: columns separated by semicolons; expected commas between columns, and points in numbers",
    ),
]


@pytest.mark.parametrize(("content", "message"), CONTENT_CASES)
def test_content_that_is_not_what_the_name_says(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert problems(tmp_path, {**one_home(), "pv.csv": content}) == [message]


# Excel and Parquet.


def workbook(sheets: Mapping[str, list[list[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def excel_problems(folder: Path, reference: str, content: bytes, limits: Limits = LIMITS) -> list[str]:
    files = changed(("study.yaml", " pv.csv", f" {reference}"))
    return problems(folder, {**files, "book.xlsx": content}, limits)


HEADER: list[object] = ["device", "pod", "profile", "scale_kw"]


def test_sheets_are_named_or_alone(tmp_path: Path) -> None:
    book = workbook({"solar": [HEADER], "wind": [HEADER]})
    assert excel_problems(tmp_path, "book.xlsx#soler", book) == ["book.xlsx: no sheet 'soler'; expected 'solar'"]
    assert excel_problems(tmp_path, "book.xlsx", book) == [
        "book.xlsx: 2 sheets; expected 'book.xlsx#SHEET', SHEET of 'solar', 'wind'"
    ]
    empty = workbook({"solar": []})
    assert excel_problems(tmp_path, "book.xlsx", empty) == [
        "book.xlsx: an empty sheet; expected a row of names, then rows"
    ]


def test_sheets_name_their_rows(tmp_path: Path) -> None:
    """Row 1 is empty, so the names stand in row 2 and the second device in row 5."""
    rows: list[list[object]] = [[], HEADER, ["pv-1", "home-1", "sun", 2], [], ["pv-2", "home-2", "sun", "#N/A"]]
    assert excel_problems(tmp_path, "book.xlsx#solar", workbook({"solar": rows})) == [
        "book.xlsx#solar, row 5: scale_kw '#N/A'; expected a number at least 0"
    ]
    rows[1] = [*HEADER[:3], "scale"]
    assert excel_problems(tmp_path, "book.xlsx", workbook({"solar": rows})) == [
        "book.xlsx, row 2: unknown column 'scale'; expected 'scale_kw'"
    ]
    rows[1], rows[4] = HEADER, ["pv-2", "home-2", "sun", 1, "note"]
    assert excel_problems(tmp_path, "book.xlsx", workbook({"solar": rows})) == [
        "book.xlsx, row 5: 5 cells; expected at most 4, one for each name"
    ]


def test_excel_times_are_local(tmp_path: Path) -> None:
    """Excel knows no offsets; without local_times the message says what to write."""
    hours = [[stamp.to_pydatetime(), 0.2, 0.4] for stamp in pd.date_range("2018-05-14", periods=24, freq="h")]
    book = workbook({"profiles": [["time", "sun", "household"], *hours]})
    files = changed(("study.yaml", "[profiles.csv]", "book.xlsx"))
    assert problems(tmp_path, {**files, "book.xlsx": book}) == [
        f"book.xlsx, row 2: time '2018-05-14T00:00:00' (and 23 more rows like it); {OFFSET}; "
        "or 'local_times: true' beside the file in study.yaml"
    ]


def zip_of(name: str, size: int) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(size))
    return content.getvalue()


def test_a_zip_bomb_is_not_opened(tmp_path: Path) -> None:
    """64 MB of zeros in 65 kB: a thousand times its size."""
    bomb = zip_of("xl/worksheets/sheet1.xml", 64_000_000)
    assert excel_problems(tmp_path, "book.xlsx", bomb) == [
        "book.xlsx: 64.0 MB once unpacked, 1028 times its size (a zip bomb?); expected at most 200 times its size"
    ]
    tight = replace(LIMITS, unpacked_bytes=10_000_000)
    assert excel_problems(tmp_path, "book.xlsx", bomb, tight) == [
        "book.xlsx: 64.0 MB once unpacked; expected at most 10.0 MB"
    ]


@pytest.mark.parametrize("content", [b"not a zip", zip_of("word/document.xml", 10)])
def test_an_excel_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    (message,) = excel_problems(tmp_path, "book.xlsx", content)
    assert message.startswith("book.xlsx: ")
    assert message.endswith(("expected an .xlsx workbook", "expected an Excel file"))


def test_a_sheet_with_a_far_away_cell_is_too_large(tmp_path: Path) -> None:
    """One cell in row 1,000,000 makes a sheet of a million rows."""
    book = openpyxl.Workbook()
    book.active["A1"] = "device"
    book.active["XFD1000000"] = 1
    content = BytesIO()
    book.save(content)
    limits = replace(LIMITS, excel_cells=100_000)
    assert excel_problems(tmp_path, "book.xlsx", content.getvalue(), limits) == [
        "book.xlsx: more than 100,000 cells; expected at most 100,000; larger tables as CSV or Parquet"
    ]


LIMIT_CASES: list[tuple[Limits, str]] = [
    (replace(LIMITS, file_bytes=50), "pv.csv: 0.0 MB; expected at most 0.0 MB"),
    (replace(LIMITS, rows=10), "prices.csv: 24 rows; expected at most 10"),
    (replace(LIMITS, cells=25), "profiles.csv: 24 rows of 3 columns; expected at most 25 cells"),
]


@pytest.mark.parametrize(("limits", "message"), LIMIT_CASES)
def test_files_that_are_too_large(tmp_path: Path, limits: Limits, message: str) -> None:
    assert message in problems(tmp_path, one_home(), limits)


def test_a_large_study_yaml_is_not_read(tmp_path: Path) -> None:
    files = {**one_home(), "study.yaml": "#" * 2_000_000}
    assert problems(tmp_path, files) == ["study.yaml: 2.0 MB; expected at most 1.0 MB"]


def test_deep_yaml_is_an_error_and_no_crash(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, {**one_home(), "study.yaml": "name: " + "[" * 100_000})
    assert message.startswith("study.yaml")


def parquet_problems(folder: Path, change: Callable[[pd.DataFrame], object]) -> list[str]:
    """The PVs as Parquet; `change` returns a frame or an Arrow table."""
    frame = pd.DataFrame({"device": ["pv-1"], "pod": ["home-1"], "profile": ["sun"], "scale_kw": [1.5]})
    made = change(frame)
    content = BytesIO()
    pq.write_table(made if isinstance(made, pa.Table) else pa.Table.from_pandas(made, preserve_index=False), content)
    files = changed(("study.yaml", " pv.csv", " pv.parquet"))
    return problems(folder, {**files, "pv.parquet": content.getvalue()})


def test_parquet_columns_have_types(tmp_path: Path) -> None:
    assert parquet_problems(tmp_path, lambda frame: frame.assign(scale_kw=[True])) == [
        "pv.parquet: column 'scale_kw' holds bool; expected numbers"
    ]
    assert parquet_problems(tmp_path, lambda frame: frame.assign(device=[1.5])) == [
        "pv.parquet: column 'device' holds double; expected text"
    ]
    assert parquet_problems(tmp_path, lambda frame: frame.assign(scale_kw=["x"])) == [
        "pv.parquet, row 1: scale_kw 'x'; expected a number at least 0"
    ]
    assert parquet_problems(tmp_path, lambda frame: frame.drop(columns="profile")) == [
        "pv.parquet, columns: column 'profile' is missing; expected the name of a profile in each row"
    ]


def test_parquet_knows_nan_from_empty(tmp_path: Path) -> None:
    def with_nan(frame: pd.DataFrame) -> pa.Table:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table.set_column(3, "scale_kw", pa.array(np.array([np.nan]), from_pandas=False))

    assert parquet_problems(tmp_path, with_nan) == [
        "pv.parquet, row 1: scale_kw nan; expected a number at least 0 that is finite"
    ]


def test_parquet_times_need_a_zone(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": pd.date_range("2018-05-14", periods=24, freq="h"), "sun": 0.2, "household": 0.4})
    content = BytesIO()
    frame.to_parquet(content, index=False)
    files = changed(("study.yaml", "[profiles.csv]", "profiles.parquet"))
    assert problems(tmp_path, {**files, "profiles.parquet": content.getvalue()}) == [
        f"profiles.parquet: times in column 'time' have no time zone; {OFFSET}; "
        "or 'local_times: true' beside the file in study.yaml"
    ]


def test_a_parquet_file_that_unfolds_too_far(tmp_path: Path) -> None:
    """Two million equal numbers take a few kilobytes packed."""
    content = BytesIO()
    pq.write_table(pa.table({"device": pa.array(np.zeros(2_000_000, dtype=np.int64))}), content)
    assert len(content.getvalue()) < 10_000
    files = {**changed(("study.yaml", " pv.csv", " pv.parquet")), "pv.parquet": content.getvalue()}
    assert problems(tmp_path, files, replace(LIMITS, rows=1_000_000)) == [
        "pv.parquet: 2,000,000 rows; expected at most 1,000,000"
    ]


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    files = changed(("study.yaml", " pv.csv", " pv.parquet"))
    (message,) = problems(tmp_path, {**files, "pv.parquet": b"PAR1 and nothing else"})
    assert message.startswith("pv.parquet: not a Parquet file (")


def test_a_car_that_cannot_be_filled_in_time_is_a_notice(tmp_path: Path) -> None:
    """5.5 h at 7.4 kW and 0.95 bring 5 kWh to 43.665 kWh: short of 50, paid for, and no error."""
    study = load_study(write_files(tmp_path, changed(("ev.csv", ",25,45", ",5,50"))))
    assert study.notices == (
        "ev.csv, line 3: charger 'car-1' can reach 43.66 kWh in the 5.5 h it has; "
        "wanted 50.00 kWh; it leaves short and the shortfall is paid for",
    )
