"""Day-ahead prices as SMARD.de publishes them, and the two years that come with Podium.

SMARD (the market data platform of the German Federal Network Agency) offers day-ahead prices of Germany
and its neighbours as CSV files: semicolons, German local time, `-` for a missing price, in German (decimal
comma) or English (decimal point), with the time in one or two columns. Days have 23, 24 or 25 hours. On
2018-10-01 the zone DE/AT/LU was split into DE/LU and AT.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.errors import InputError, Problem, listed

TIME_ZONE = "Europe/Berlin"
"""The clock of every SMARD file, whatever the zone of the price."""

ZONES = {
    "AT": ("Austria", "Österreich"),
    "BE": ("Belgium", "Belgien"),
    "CH": ("Switzerland", "Schweiz"),
    "CZ": ("Czech Republic", "Czechia", "Tschechien"),
    "DE-AT-LU": ("DE/AT/LU", "Germany/Austria/Luxembourg", "Deutschland/Österreich/Luxemburg"),
    "DE-LU": ("Germany/Luxembourg", "Deutschland/Luxemburg"),
    "DK1": ("Denmark 1", "Dänemark 1"),
    "DK2": ("Denmark 2", "Dänemark 2"),
    "FR": ("France", "Frankreich"),
    "HU": ("Hungary", "Ungarn"),
    "IT-North": ("Northern Italy", "Italy (North)", "Italien (Nord)", "Norditalien"),
    "NL": ("Netherlands", "Niederlande"),
    "NO2": ("Norway 2", "Norwegen 2"),
    "PL": ("Poland", "Polen"),
    "SE4": ("Sweden 4", "Schweden 4"),
    "SI": ("Slovenia", "Slowenien"),
}
"""Zone code -> the names that SMARD gives it."""

BEFORE_SPLIT = {"DE-LU": "DE-AT-LU", "AT": "DE-AT-LU"}
"""Zones that came out of the split of 2018-10-01 -> the zone that set their price before it."""

_CODES = {name: code for code, names in ZONES.items() for name in names}
_BUNDLED_FILE = "day_ahead.parquet"
_PRICE_HEADER = re.compile(r"(?P<zone>.*?)\s*\[(?P<unit>[^\]]*)\]")
_GERMAN_NUMBER = re.compile(r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_ENGLISH_NUMBER = re.compile(r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")


@dataclass(frozen=True)
class _Layout:
    """How a header says its file is laid out."""

    german: bool
    clock_apart: bool
    """True: date and time of day in two columns; False: in one."""
    first_price: int

    @property
    def time_format(self) -> str:
        return "%d.%m.%Y %H:%M" if self.german else "%b %d, %Y %I:%M %p"

    @property
    def time_example(self) -> str:
        return "01.10.2018 14:00" if self.german else "Oct 1, 2018 2:00 PM"


def read_smard(path: str | Path) -> pd.DataFrame:
    """The prices of a SMARD day-ahead file, EUR/MWh.

    The index holds the starts of the steps in UTC, the columns are zones: a code of `ZONES`, or SMARD's own
    name where there is none. A missing price is NaN. Averages of several zones (marked with a crossed circle)
    are left out. Raises InputError naming file and line for anything that does not read as such a file.
    """
    path = Path(path)
    header, rows, lines = _split(path)
    layout = _layout(header, path)
    zones = _zones(header, layout, path)
    times = _times(rows, lines, layout, path)
    prices = {zone: _prices(rows, lines, column, layout, path) for zone, column in zones.items()}
    return pd.DataFrame(prices, index=times)


def zone_prices(prices: pd.DataFrame, zone: str, where: str) -> pd.Series[float]:
    """One zone of a price table, EUR/MWh; before the split of 2018-10-01 the zone that it belonged to.

    `DE` is short for `DE-LU`. Missing prices stay NaN. Raises InputError, saying `where`, for an unknown
    zone.
    """
    zone = "DE-LU" if zone == "DE" else zone
    known = [name for name in (zone, BEFORE_SPLIT.get(zone)) if name in prices.columns]
    if not known:
        raise InputError(Problem(where, f"no zone {zone!r}", f"one of {listed(prices.columns, most=20)}"))
    series = prices[known[0]]
    for name in known[1:]:
        series = series.fillna(prices[name])
    return series.rename(zone)


def import_smard(
    file: str | Path,
    out: str | Path,
    zone: str | None = None,
    start: str | date | None = None,
    days: int | None = None,
) -> Path:
    """Write one zone of a SMARD file as a Podium price table (`time`, `price_eur_per_mwh`); return its path.

    `start` and `days` choose whole days of German local time (default: all that the file holds). The suffix
    of `out` chooses CSV or Parquet. The table appears whole or not at all. Raises InputError where the zone
    is not in the file or has missing prices in the days asked for.
    """
    file = Path(file)
    prices = _cut(read_smard(file), start, days, str(file))
    series = zone_prices(prices, zone or _only_zone(prices, str(file)), str(file))
    _refuse_missing(series, str(file))
    table = series.rename("price_eur_per_mwh").tz_convert(TIME_ZONE).rename_axis("time").reset_index()
    return _write(table, Path(out))


def bundled_prices(zone: str, start: datetime, end: datetime) -> pd.Series[float]:
    """Hourly day-ahead prices that come with Podium, EUR/MWh: the steps that start in [start, end), in UTC.

    `start` and `end` are time-zone aware. The years are those of `bundled_years()`. Raises InputError for a
    zone, a time, or a gap in the source that leaves no price. Source: Bundesnetzagentur | SMARD.de, CC BY.
    """
    where = "bundled day-ahead prices"
    if start.tzinfo is None or end.tzinfo is None:
        raise InputError(Problem(where, f"{start} to {end} without a time zone", "times with an offset"))
    first, last = pd.Timestamp(start).tz_convert("UTC"), pd.Timestamp(end).tz_convert("UTC")
    hours = pd.date_range(first.ceil("h"), last, freq="h", inclusive="left", name="time")
    table = _bundled()
    if not hours.isin(table.index).all():
        expected = "days of " + " or ".join(str(year) for year in bundled_years())
        raise InputError(Problem(where, f"{start} to {end}", expected))
    series = zone_prices(table, zone, where).reindex(hours)
    _refuse_missing(series, where)
    return series


def bundled_years() -> tuple[int, ...]:
    """The (German local) years whose prices come with Podium."""
    return tuple(sorted(set(pd.DatetimeIndex(_bundled().index).tz_convert(TIME_ZONE).year)))


@cache
def bundled_zones() -> tuple[str, ...]:
    """The zones whose prices come with Podium."""
    return tuple(sorted(str(zone) for zone in _bundled().columns))


def _bundled() -> pd.DataFrame:
    with as_file(files("podium.study") / "data" / "prices" / _BUNDLED_FILE) as path:
        table = pd.read_parquet(path)
    return table.astype(float).round(2)


def _split(path: Path) -> tuple[list[str], list[list[str]], NDArray[np.int64]]:
    """Header cells, the cells of every row, and the line number of every row."""
    reader = csv.reader(io.StringIO(_text(path)), delimiter=";")
    found = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    if len(found) < 2:
        raise InputError(Problem(str(path), f"{len(found)} lines", "a header and at least one row of prices"))
    header = found[0][1]
    for line, row in found[1:]:
        if len(row) != len(header):
            raise _line_error(path, line, f"{len(row)} fields", f"{len(header)}, as in the header")
    return header, [row for _, row in found[1:]], np.array([line for line, _ in found[1:]])


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(Problem(str(path), error.strerror or str(error), "a SMARD price file")) from None
    except UnicodeDecodeError as error:
        value = f"byte {error.start} is not UTF-8"
        raise InputError(Problem(str(path), value, "a CSV file in UTF-8")) from None


def _layout(header: Sequence[str], path: Path) -> _Layout:
    first, second, third = [*header, "", "", ""][:3]
    german = first.startswith("Datum")
    if first in ("Start date", "Datum von"):
        return _Layout(german, False, 2 if second in ("End date", "Datum bis") else 1)
    if first in ("Date", "Datum") and second in ("Time of day", "Start", "Uhrzeit", "Anfang"):
        return _Layout(german, True, 3 if third in ("End", "Ende") else 2)
    beginnings = "'Date;Time of day', 'Start date;End date', 'Datum;Anfang;Ende' or 'Datum von;Datum bis'"
    raise _line_error(path, 1, repr(";".join(header[:3])), f"a header that begins {beginnings}")


def _zones(header: Sequence[str], layout: _Layout, path: Path) -> dict[str, int]:
    """Zone -> its column."""
    zones: dict[str, int] = {}
    for column, cell in enumerate(header[layout.first_price :], layout.first_price):
        match = _PRICE_HEADER.match(cell)
        if match is None or match["unit"] != "€/MWh":
            raise _line_error(path, 1, f"column {cell!r}", "a zone with its unit, such as 'France [€/MWh]'")
        if match["zone"].startswith("∅"):
            continue
        zone = _CODES.get(match["zone"], match["zone"])
        if zone in zones:
            raise _line_error(path, 1, f"two columns for the zone {zone!r}", "one")
        zones[zone] = column
    if not zones:
        raise _line_error(path, 1, "no price column", "at least one zone, such as 'France [€/MWh]'")
    return zones


def _times(rows: Sequence[Sequence[str]], lines: NDArray[np.int64], layout: _Layout, path: Path) -> pd.DatetimeIndex:
    """Starts of the steps, UTC; they follow one another without gap or overlap."""
    text = [f"{row[0]} {row[1]}" if layout.clock_apart else row[0] for row in rows]
    wall = pd.DatetimeIndex(pd.to_datetime(pd.Series(text), format=layout.time_format, errors="coerce"))
    _refuse(np.isnat(wall.to_numpy()), lines, text, f"a time such as {layout.time_example!r}", path)
    times = _from_wall_clock(wall)
    skipped = np.isnat(times.tz_localize(None).to_numpy())
    _refuse(skipped, lines, text, "a time that German clocks show: on this day they skip this hour", path)
    _refuse_uneven(times, lines, text, path)
    return times.rename("time")


def _from_wall_clock(wall: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """German wall-clock times in file order as UTC; NaT for an hour that the clocks skip.

    Of an hour that the clocks repeat in autumn the first occurrence is summer time, the second winter time.
    """
    first_occurrence = ~wall.duplicated(keep="first")
    local = wall.tz_localize(TIME_ZONE, ambiguous=first_occurrence, nonexistent="NaT")
    return local.tz_convert("UTC")


def _refuse_uneven(times: pd.DatetimeIndex, lines: NDArray[np.int64], text: Sequence[str], path: Path) -> None:
    gaps = np.diff(times.as_unit("s").asi8)
    step = int(np.median(gaps)) if len(gaps) else 3600
    for row in np.flatnonzero((gaps != step) | (gaps <= 0))[:1] + 1:
        expected = (times[row - 1] + pd.Timedelta(seconds=step)).tz_convert(TIME_ZONE)
        note = f"{expected:%Y-%m-%d %H:%M %Z}, {step // 60} minutes after the line before"
        raise _line_error(path, int(lines[row]), text[row], note)


def _prices(
    rows: Sequence[Sequence[str]], lines: NDArray[np.int64], column: int, layout: _Layout, path: Path
) -> NDArray[np.float64]:
    """A column of prices, EUR/MWh; NaN where the file has `-` or nothing."""
    pattern = _GERMAN_NUMBER if layout.german else _ENGLISH_NUMBER
    found = np.full(len(rows), np.nan)
    for index, row in enumerate(rows):
        cell = row[column]
        if cell in ("-", ""):
            continue
        if not pattern.fullmatch(cell):
            example = "'1.234,56'" if layout.german else "'1,234.56'"
            expected = f"a price such as {example}, or '-' where missing"
            raise _line_error(path, int(lines[index]), repr(cell), expected)
        plain = cell.replace(".", "").replace(",", ".") if layout.german else cell.replace(",", "")
        found[index] = float(plain)
    return found


def _refuse(bad: NDArray[np.bool_], lines: NDArray[np.int64], text: Sequence[str], expected: str, path: Path) -> None:
    for row in np.flatnonzero(bad)[:1]:
        raise _line_error(path, int(lines[row]), repr(text[row]), expected)


def _line_error(path: Path, line: int, value: str, expected: str) -> InputError:
    return InputError(Problem(f"{path}, line {line}", value, expected))


def _cut(prices: pd.DataFrame, start: str | date | None, days: int | None, where: str) -> pd.DataFrame:
    """Only whole local days from `start`."""
    if start is None and days is None:
        return prices
    local = pd.DatetimeIndex(prices.index).tz_convert(TIME_ZONE)
    whole = local[0].normalize(), local[-1].normalize() + pd.DateOffset(days=1)
    first = _midnight(start, where) if start is not None else whole[0]
    last = first + pd.DateOffset(days=days) if days is not None else whole[1]
    if not whole[0] <= first < last <= whole[1]:
        asked = f"days {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        raise InputError(Problem(where, asked, f"days from {whole[0]:%Y-%m-%d} to {whole[1]:%Y-%m-%d}"))
    return prices.loc[(local >= first) & (local < last)]


def _midnight(day: str | date, where: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(str(day)).normalize().tz_localize(TIME_ZONE)
    except (ValueError, TypeError):
        raise InputError(Problem(where, f"start {day!r}", "a date such as 2018-05-16")) from None


def _only_zone(prices: pd.DataFrame, where: str) -> str:
    known = [str(zone) for zone in prices.columns[prices.notna().any()]]
    if len(known) == 1:
        return known[0]
    value = f"{len(known)} zones and none chosen"
    raise InputError(Problem(where, value, f"one of {listed(known, most=20)}"))


def _refuse_missing(series: pd.Series[float], where: str) -> None:
    missing = series.index[series.isna()]
    if len(missing) == 0:
        return
    first = missing[0].tz_convert(TIME_ZONE)
    count = f"{len(missing)} of {len(series)} prices missing, the first at {first.isoformat()}"
    expected = "a price for every step; choose other days or another zone"
    raise InputError(Problem(where, f"zone {series.name}: {count}", expected))


def _write(table: pd.DataFrame, out: Path) -> Path:
    aside = out.with_name(f".{out.name}.part")
    try:
        if out.suffix == ".parquet":
            table.to_parquet(aside, index=False, compression="zstd")
        elif out.suffix == ".csv":
            table.assign(time=[stamp.isoformat() for stamp in table["time"]]).to_csv(aside, index=False)
        else:
            expected = "a name that ends in .csv or .parquet"
            raise InputError(Problem(str(out), f"suffix {out.suffix!r}", expected))
        aside.replace(out)
    except OSError as error:
        raise InputError(Problem(str(out), error.strerror or str(error), "a place to write to")) from None
    finally:
        aside.unlink(missing_ok=True)
    return out
