"""SMARD price files: both languages, days of 23 and 25 hours, gaps, the zone split, clear errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from podium.errors import InputError
from podium.study.smard import bundled_prices, bundled_years, import_smard, read_smard, zone_prices

GERMAN = "Datum von;Datum bis;Frankreich [€/MWh] Originalauflösungen;Italien (Nord) [€/MWh] Originalauflösungen"
ENGLISH = "Date;Time of day;Germany/Luxembourg[€/MWh];Austria[€/MWh];Germany/Austria/Luxembourg[€/MWh]"


def write(folder: Path, header: str, rows: Sequence[str]) -> Path:
    file = folder / "prices.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
    return file


def german_day(day: str, hours: Sequence[int]) -> list[str]:
    """A row per hour, France 10.5 + hour, Italy twice that."""
    prices = [f"{10.5 + hour:.2f};{21 + 2 * hour:.2f}".replace(".", ",") for hour in hours]
    return [f"{day} {hour:02}:00;{day};{price}" for hour, price in zip(hours, prices, strict=True)]


def message(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_smard(file)
    return str(caught.value)


def test_german_file_has_decimal_commas_and_thousands_points(tmp_path: Path) -> None:
    """1.234,56 is a thousand two hundred and some, not one and a quarter; -5,00 is a negative price."""
    rows = ["01.02.2021 00:00;01.02.2021 01:00;1.234,56;-5,00", "01.02.2021 01:00;01.02.2021 02:00;-;40"]
    prices = read_smard(write(tmp_path, GERMAN, rows))
    assert list(prices.columns) == ["FR", "IT-North"]
    assert prices.index[0] == pd.Timestamp("2021-01-31T23:00Z")
    assert prices["FR"].iloc[0] == 1234.56
    assert prices["IT-North"].tolist() == [-5.0, 40.0]
    assert prices["FR"].isna().tolist() == [False, True]


def test_english_file_has_twelve_hour_clock_and_decimal_points(tmp_path: Path) -> None:
    rows = ["Jun 1, 2018;12:00 AM;-;-;1,020.5", "Jun 1, 2018;1:00 AM;-;-;30.25"]
    prices = read_smard(write(tmp_path, ENGLISH, rows))
    assert list(prices.columns) == ["DE-LU", "AT", "DE-AT-LU"]
    assert prices["DE-AT-LU"].tolist() == [1020.5, 30.25]
    assert prices.index[0] == pd.Timestamp("2018-06-01T00:00+02:00")


def test_older_german_layout_keeps_date_and_clock_apart(tmp_path: Path) -> None:
    header = "Datum;Anfang;Ende;Schweiz [€/MWh] Originalauflösungen;∅ Anrainer DE/LU [€/MWh] Originalauflösungen"
    prices = read_smard(write(tmp_path, header, ["15.01.2024;00:00;01:00;39,01;40,00"]))
    assert prices["CH"].tolist() == [39.01]
    assert list(prices.columns) == ["CH"], "an average of zones is not a zone"


def test_spring_day_has_23_hours(tmp_path: Path) -> None:
    """2021-03-28: 01:00 is followed by 03:00, one hour later."""
    prices = read_smard(write(tmp_path, GERMAN, german_day("28.03.2021", [0, 1, *range(3, 24)])))
    assert len(prices) == 23
    assert (prices.index[1:] - prices.index[:-1]).unique().tolist() == [pd.Timedelta(hours=1)]
    assert prices["FR"].loc["2021-03-28T03:00+02:00"] == 13.5


def test_autumn_day_has_25_hours_summer_time_first(tmp_path: Path) -> None:
    rows = german_day("31.10.2021", [0, 1, 2, 2, *range(3, 24)])
    rows[3] = rows[3].replace("12,50", "99,00")
    prices = read_smard(write(tmp_path, GERMAN, rows))
    assert len(prices) == 25
    assert prices["FR"].loc["2021-10-31T02:00+02:00"] == 12.5
    assert prices["FR"].loc["2021-10-31T02:00+01:00"] == 99.0


def test_quarter_hours_of_the_repeated_hour(tmp_path: Path) -> None:
    """02:00 to 02:45 twice in a row, as SMARD has it since the market went to quarter-hours."""
    clock = [f"{hour:02}:{minute:02}" for hour in (1, 2, 2, 3) for minute in (0, 15, 30, 45)]
    rows = [f"26.10.2025 {time};26.10.2025 {time};{step},00;0" for step, time in enumerate(clock)]
    prices = read_smard(write(tmp_path, GERMAN, rows))
    assert prices["FR"].loc["2025-10-26T02:45+02:00"] == 7.0
    assert prices["FR"].loc["2025-10-26T02:00+01:00"] == 8.0


def test_before_the_split_both_zones_have_the_common_price(tmp_path: Path) -> None:
    rows = ["Sep 30, 2018;11:00 PM;-;-;60.87", "Oct 1, 2018;12:00 AM;59.53;58.00;-"]
    prices = read_smard(write(tmp_path, ENGLISH, rows))
    assert zone_prices(prices, "DE", "test").tolist() == [60.87, 59.53]
    assert zone_prices(prices, "AT", "test").tolist() == [60.87, 58.0]
    assert zone_prices(prices, "DE-AT-LU", "test").isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (GERMAN, "01.02.2021 00:00;x;12.50;1", ["line 2", "'12.50'", "1.234,56"]),
        (GERMAN, "01.02.2021 00:00;x;n/a;1", ["line 2", "'n/a'", "'-' where missing"]),
        (GERMAN, "2021-02-01 00:00;x;1;1", ["line 2", "2021-02-01", "01.10.2018 14:00"]),
        (GERMAN, "01.02.2021 00:00;x;1", ["line 2", "3 fields", "4"]),
        (GERMAN, "28.03.2021 02:00;x;1;1", ["line 2", "28.03.2021 02:00", "skip"]),
        ("time,price", "1,2", ["line 1", "time,price", "Datum von"]),
        (GERMAN.replace("€/MWh", "MWh"), "01.02.2021 00:00;x;1;1", ["line 1", "[MWh]", "France [€/MWh]"]),
        (GERMAN.replace("Italien (Nord)", "France"), "01.02.2021 00:00;x;1;1", ["two columns", "'FR'"]),
        ("Datum von;Datum bis", "01.02.2021 00:00;x", ["line 1", "no price column"]),
    ],
)
def test_errors_name_the_line(tmp_path: Path, header: str, row: str, words: list[str]) -> None:
    text = message(write(tmp_path, header, [row]))
    assert "prices.csv" in text
    for word in words:
        assert word in text


def test_a_missing_hour_is_named(tmp_path: Path) -> None:
    text = message(write(tmp_path, GERMAN, german_day("01.02.2021", [0, 1, 2, 4, 5])))
    assert "line 5" in text
    assert "2021-02-01 03:00 CET" in text


def test_a_line_twice_is_named(tmp_path: Path) -> None:
    text = message(write(tmp_path, GERMAN, german_day("01.02.2021", [0, 1, 2, 2, 3])))
    assert "line 5" in text
    assert "2021-02-01 03:00 CET" in text


def test_autumn_day_of_24_hours_misses_its_second_02_00(tmp_path: Path) -> None:
    text = message(write(tmp_path, GERMAN, german_day("31.10.2021", range(24))))
    assert "line 5" in text
    assert "2021-10-31 02:00 CET" in text


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    assert "No such file" in message(tmp_path / "absent.csv")
    (tmp_path / "latin.csv").write_bytes(GERMAN.encode("latin-1", "replace") + b"\n\xe4;;;\n")
    assert "UTF-8" in message(tmp_path / "latin.csv")
    (tmp_path / "empty.csv").write_text("")
    assert "a header and at least one row" in message(tmp_path / "empty.csv")


def test_import_writes_one_zone_with_offsets(tmp_path: Path) -> None:
    file = write(tmp_path, GERMAN, german_day("01.07.2021", range(24)) + german_day("02.07.2021", range(24)))
    out = import_smard(file, tmp_path / "out.csv", zone="IT-North", start="2021-07-02", days=1)
    lines = out.read_text().splitlines()
    assert lines[:2] == ["time,price_eur_per_mwh", "2021-07-02T00:00:00+02:00,21.0"]
    assert len(lines) == 25
    import_smard(file, tmp_path / "out.parquet", zone="FR")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert table["price_eur_per_mwh"].iloc[0] == 10.5
    assert table["time"].iloc[0] == pd.Timestamp("2021-07-01T00:00+02:00")
    assert {path.name for path in tmp_path.iterdir()} == {"prices.csv", "out.csv", "out.parquet"}


def test_import_says_what_it_cannot_do(tmp_path: Path) -> None:
    rows = german_day("01.07.2021", range(24))
    file = write(tmp_path, GERMAN, [*rows[:5], rows[5].replace("15,50", "-"), *rows[6:]])
    out = tmp_path / "out.csv"
    with pytest.raises(InputError, match="2 zones and none chosen; expected one of 'FR', 'IT-North'"):
        import_smard(file, out)
    with pytest.raises(InputError, match=r"1 of 24 prices missing, the first at 2021-07-01T05:00:00\+02:00"):
        import_smard(file, out, zone="FR")
    with pytest.raises(InputError, match="no zone 'XX'; expected one of 'FR'"):
        import_smard(file, out, zone="XX")
    with pytest.raises(InputError, match="2021-07-02 to 2021-07-03; expected days from 2021-07-01 to 2021-07-02"):
        import_smard(file, out, zone="IT-North", start="2021-07-02", days=1)
    with pytest.raises(InputError, match="start 'soon'; expected a date"):
        import_smard(file, out, zone="IT-North", start="soon")
    with pytest.raises(InputError, match=r"'\.txt'; expected a name that ends in \.csv or \.parquet"):
        import_smard(file, tmp_path / "out.txt", zone="IT-North")
    assert not out.exists()


def test_bundled_prices_hold_two_years_of_hours() -> None:
    """Values read in the source: 2018-10-28 has 02:00 twice; 2018 began below zero in Germany."""
    assert bundled_years() == (2015, 2018)
    start, end = pd.Timestamp("2018-10-28T00:00+02:00"), pd.Timestamp("2018-10-29T00:00+01:00")
    day = bundled_prices("IT-North", start, end)
    assert len(day) == 25
    assert day.loc["2018-10-28T02:00+02:00"] == 52.4
    assert day.loc["2018-10-28T02:00+01:00"] == 50.12
    new_year = pd.Timestamp("2018-01-01T00:00+01:00")
    assert bundled_prices("DE", new_year, new_year + pd.Timedelta(hours=2)).tolist() == [-5.27, -29.99]


@pytest.mark.parametrize("zone", ["IT-North", "FR", "CH", "AT", "SI", "DE"])
def test_bundled_zones_are_complete(zone: str) -> None:
    """All of 2018; 2015 from 5 January (before, SMARD has gaps), but for a day of the Swiss prices."""
    start, end = (pd.Timestamp(f"{year}-01-01", tz="Europe/Berlin") for year in (2018, 2019))
    assert len(bundled_prices(zone, start, end)) == 8760
    start, end = (pd.Timestamp(f"2015-{day}", tz="Europe/Berlin") for day in ("01-05", "08-31"))
    assert len(bundled_prices(zone, start, end)) == 238 * 24 - 1


def test_bundled_prices_say_what_they_lack() -> None:
    start = pd.Timestamp("2016-05-18T00:00+02:00")
    with pytest.raises(InputError, match="expected days of 2015 or 2018"):
        bundled_prices("FR", start, start + pd.Timedelta(days=1))
    with pytest.raises(InputError, match="no zone 'ES'"):
        bundled_prices("ES", pd.Timestamp("2018-05-16T00:00+02:00"), pd.Timestamp("2018-05-17T00:00+02:00"))
    with pytest.raises(InputError, match="without a time zone"):
        bundled_prices("FR", pd.Timestamp("2018-05-16"), pd.Timestamp("2018-05-17"))
