"""Studies from the benchmark grids of SimBench (extra `simbench`).

SimBench gives German grids with loads, generation and storage at their buses, each with the name of a
relative profile (simbench_profiles.py). docs/importing.md says what becomes what, and why.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.study.simbench_profiles import (
    STEP_MINUTES,
    TIME_ZONE,
    charger_rows,
    ev_sessions,
    heat_pump_rows,
    padded,
    profiles_at,
    utc_index,
)
from podium.study.smard import bundled_prices, bundled_years
from podium.study.write import StudyParts, write_study

DEFAULT_START = "2018-05-16"
"""A Wednesday whose day-ahead prices come with Podium."""
BATTERY_WEAR_EUR_PER_KWH = 0.03
BUY_EUR_PER_KWH, SELL_EUR_PER_KWH = 0.28, 0.08

PROFILE_NOTICE = """\
# Source and licence of the data in this folder

Grid and profiles: SimBench (https://www.simbench.net; University of Kassel, Fraunhofer IEE, RWTH Aachen
University, TU Dortmund University). The SimBench database is made available under the Open Database License
1.0 (https://opendatacommons.org/licenses/odbl/1-0/), rights in its contents under the Database Contents
License 1.0 (https://opendatacommons.org/licenses/dbcl/1-0/). What you share of it keeps these licences.
"""
PRICE_NOTICE = """
Day-ahead prices: Bundesnetzagentur | SMARD.de, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/).
"""

_CAR = re.compile(r"(?:HLS|APLS)_")
_HEAT = re.compile(r"(?:Air|Soil)_")
_STORED = re.compile(r"Storage_(PV\d+|WP\d+)_")
_AGGREGATE = re.compile(r"(?:lv|mv|hv)_")
_PROFILED = ("fixed_load", "pv", "wind", "given_profile")
_ROWS_IN_CSV = 5000


@dataclass(frozen=True)
class ImportedStudy:
    """What an import made."""

    folder: Path
    pods: int
    devices: Mapping[str, int]
    """Kind -> number of rows in its table (for ev_charger: sessions)."""
    priced: bool
    """True where market prices came along."""

    def __str__(self) -> str:
        tables = ", ".join(f"{kind} {rows}" for kind, rows in self.devices.items())
        prices = "" if self.priced else "; no market prices for these days: add a price table"
        return f"{self.folder}: {self.pods} PODs; rows of {tables}{prices}. Next: podium run {self.folder}"


def import_simbench(
    code: str,
    out_dir: str | Path,
    start: str | date | None = None,
    days: int = 1,
    *,
    zone: str = "DE",
    buy_eur_per_kwh: float = BUY_EUR_PER_KWH,
    sell_eur_per_kwh: float = SELL_EUR_PER_KWH,
) -> ImportedStudy:
    """Make a study folder of a SimBench grid such as `1-LV-rural1--2-sw`: a POD per bus that has something.

    `start` is the first local day. A day of 2016 has SimBench's profiles of that very day; a day of another
    year those of the nearest day of 2016 with the same weekday. Market prices of `zone` are added where the
    days are in one of `bundled_years()`. Raises InputError where `out_dir` is not empty, the code is not
    known, or the package `simbench` is not installed.
    """
    folder = Path(out_dir)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(Problem(str(folder), "is not empty", "a new or empty folder"))
    horizon = Horizon.days(_day(start or DEFAULT_START), days, STEP_MINUTES, TIME_ZONE)
    elements, relative = _grid(code)
    tables = _tables(elements, relative, horizon)
    counts = {kind: len(table) for kind, table in tables.items() if kind != "profiles"}
    tables["pods"] = _pods(elements, buy_eur_per_kwh, sell_eur_per_kwh)
    priced = {stamp.year for stamp in horizon.times} <= set(bundled_years())
    if priced:
        prices = bundled_prices(zone, horizon.start, horizon.end)
        tables["prices"] = prices.to_frame("price_eur_per_mwh")
    _write(code, folder, horizon, days, tables)
    return ImportedStudy(folder, len(tables["pods"]), counts, priced)


def _day(start: str | date) -> date:
    try:
        return start if isinstance(start, date) else date.fromisoformat(start)
    except ValueError:
        raise InputError(Problem("SimBench", f"start {start!r}", "a date such as 2018-05-16")) from None


def _grid(code: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Devices of the grid, and the relative profiles that they use, indexed by UTC.

    Devices: device, pod, kind, kw, kwh, profile (its name in the study), table and column (its place in
    SimBench).
    """
    simbench = _simbench()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandapower's own making
        try:
            net = simbench.get_simbench_net(code)
        except (ValueError, KeyError, AttributeError, IndexError, TypeError):
            expected = "a code such as 1-LV-rural1--2-sw, 1-MVLV-urban-all-2-sw, 1-complete_data-mixed-all-2-sw"
            raise InputError(Problem("SimBench", f"no grid {code!r}", expected)) from None
        elements = _elements(net)
        if "complete_data" in code:  # the grids that an aggregate stands for are there themselves
            elements = elements[~elements["column"].str.match(_AGGREGATE)]
        profiles = dict(net.profiles)
        if len(net.storage):  # the grid's own table lacks the generation that is built into storage
            profiles["renewables"] = simbench.get_all_simbench_profiles(code.split("-")[-2])["renewables"]
    return elements, _relative(elements, profiles)


def _simbench() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import simbench
    except ImportError:
        problem = Problem("SimBench", "the package simbench is not installed", 'pip install "podium[simbench]"')
        raise InputError(problem) from None
    return simbench


def _elements(net: Any) -> pd.DataFrame:
    """Every load, generator, and store of the grid as a device of a kind of Podium."""
    loads = _sized(net, net.load).assign(kind="fixed_load", table="load")
    loads.loc[loads["column"].str.match(_CAR), "kind"] = "ev_charger"
    loads.loc[loads["column"].str.match(_HEAT), "kind"] = "heat_pump"
    generators = _sized(net, net.sgen).assign(table="renewables")
    stores = _sized(net, net.storage)
    elements = pd.concat([loads, generators, _built_in(stores)], ignore_index=True)
    generating = elements["table"] != "load"
    elements.loc[generating, "kind"] = elements.loc[generating, "column"].map(_generation_kind)
    elements["profile"] = elements["column"]
    aggregate = elements["column"].str.match(_AGGREGATE) | (elements["kind"] == "given_profile")
    elements.loc[aggregate, "profile"] += " " + elements.loc[aggregate, "table"]
    batteries = stores[(stores["kwh"] > 0) & ~stores["column"].str.match(r"(mv|hv)_")].assign(kind="battery")
    elements = pd.concat([elements, batteries], ignore_index=True)
    return elements[elements["kw"] > 0].reset_index(drop=True)


def _sized(net: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Name, bus, profile, power [kW] and energy [kWh] of the elements that are in service."""
    used = table[table["in_service"] & table["profile"].notna()]
    energy_mwh = used["max_e_mwh"] if "max_e_mwh" in used else 0.0 * used["p_mw"]
    return pd.DataFrame(
        {
            "device": used["name"].astype(str),
            "pod": used["bus"].map(net.bus["name"]).astype(str),
            "column": used["profile"].astype(str),
            "kw": (1000.0 * (used["p_mw"] * used["scaling"]).abs()).round(4),
            "kwh": (1000.0 * energy_mwh).round(4),
        }
    )


def _built_in(stores: pd.DataFrame) -> pd.DataFrame:
    """The PV and wind generation that SimBench's storage elements contain.

    `Storage_PV5_H0-A` is a battery with PV of profile PV5. For the storage of whole grids there is `lv_...`
    among the generation profiles; for `mv_...` and `hv_...` only the net of generation and storage
    together.
    """
    known = stores["column"].str.extract(_STORED, expand=False)
    low_voltage = stores["column"].str.startswith("lv_")
    column = known.where(known.notna(), stores["column"])
    table = np.where(known.notna() | low_voltage, "renewables", "storage")
    return stores.assign(device=stores["device"] + " generation", column=column, table=table)


def _generation_kind(column: str) -> str:
    if column.startswith(("PV", "lv_")):
        return "pv"
    return "wind" if column.startswith("WP") else "given_profile"


def _relative(elements: pd.DataFrame, profiles: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Profiles that the elements use, by their names in the study; of kind given_profile with their sign."""
    columns = {}
    used = elements.dropna(subset=["profile"]).drop_duplicates("profile")
    for table, column, kind, name in used[["table", "column", "kind", "profile"]].itertuples(index=False):
        suffix = "_pload" if table == "load" else ""
        values = profiles[table][f"{column}{suffix}"].to_numpy(dtype=float)
        columns[name] = -values if kind == "given_profile" else values
    return pd.DataFrame(columns, index=utc_index(profiles["load"]["time"]))


def _tables(elements: pd.DataFrame, relative: pd.DataFrame, horizon: Horizon) -> dict[str, pd.DataFrame]:
    """A table per kind, and the profiles of the horizon."""
    around = profiles_at(relative, padded(horizon).times)
    profiles = around.loc[horizon.times[0] : horizon.times[-1]].round(6)
    signed = set(profiles.columns[profiles.min() < -0.01])  # transmission loads that feed back
    fixed = (elements["kind"] == "fixed_load") & elements["profile"].isin(signed)
    elements = elements.assign(kind=elements["kind"].mask(fixed, "given_profile"))
    given = set(elements.loc[elements["kind"] == "given_profile", "profile"])
    by_kind = {str(kind): rows for kind, rows in elements.groupby("kind", sort=False)}
    tables = {kind: _profiled(rows) for kind, rows in by_kind.items() if kind in _PROFILED}
    if "heat_pump" in by_kind:
        tables["heat_pump"] = heat_pump_rows(by_kind["heat_pump"])
    if "battery" in by_kind:
        tables["battery"] = _batteries(by_kind["battery"])
    if "ev_charger" in by_kind:
        cars = by_kind["ev_charger"]
        tables["ev_charger"] = charger_rows(cars, ev_sessions(around[sorted(set(cars["profile"]))], horizon))
    magnitudes = {name: column if name in given else column.clip(lower=0.0) for name, column in profiles.items()}
    shown = pd.DataFrame(magnitudes).drop(columns=[name for name in profiles if _CAR.match(str(name))])
    return {kind: table for kind, table in tables.items() if len(table)} | {"profiles": shown}


def _profiled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["device", "pod", "profile", "kw"]].rename(columns={"kw": "scale_kw"})


def _batteries(rows: pd.DataFrame) -> pd.DataFrame:
    """SimBench: efficiency 0.95 each way, 0.13 % self-discharge per day; half full at the start."""
    return pd.DataFrame(
        {
            "device": rows["device"],
            "pod": rows["pod"],
            "charge_max_kw": rows["kw"],
            "discharge_max_kw": rows["kw"],
            "energy_max_kwh": rows["kwh"],
            "energy_initial_kwh": (0.5 * rows["kwh"]).round(4),
            "charge_efficiency": 0.95,
            "discharge_efficiency": 0.95,
            "self_discharge_per_hour": round(0.0013 / 24, 8),
            "wear_eur_per_kwh": BATTERY_WEAR_EUR_PER_KWH,
        }
    )


def _pods(elements: pd.DataFrame, buy_eur_per_kwh: float, sell_eur_per_kwh: float) -> pd.DataFrame:
    """A POD per bus, in the order of the grid, grouped by what it mostly is."""
    first = elements.sort_values("kw", ascending=False, kind="stable").drop_duplicates("pod").set_index("pod")
    pods = elements["pod"].drop_duplicates().sort_values(key=lambda names: names.map(_natural_key))
    loads = elements[elements["kind"] == "fixed_load"].drop_duplicates("pod").set_index("pod")["column"]
    group = pods.map(loads.str[0].map({"H": "home", "G": "business", "L": "farm"}))
    group = group.fillna(pods.map(first["table"].eq("load").map({True: "load", False: "generation"})))
    return pd.DataFrame(
        {
            "pod": pods,
            "group": group,
            "buy_eur_per_kwh": buy_eur_per_kwh,
            "sell_eur_per_kwh": sell_eur_per_kwh,
        }
    )


def _natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts `Bus 9` before `Bus 10`."""
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name))


def _write(code: str, folder: Path, horizon: Horizon, days: int, tables: dict[str, pd.DataFrame]) -> None:
    """The study folder, in Parquet where it is large, and where its data come from."""
    spec = {
        "name": f"SimBench {code}",
        "time_zone": horizon.time_zone,
        "start": horizon.times[0].date().isoformat(),
        "days": days,
        "step_minutes": horizon.step_minutes,
    }
    devices = {kind: table for kind, table in tables.items() if kind not in ("pods", "profiles", "prices")}
    parts = StudyParts(spec, tables["pods"], devices, tables["profiles"], tables.get("prices"))
    large = max(len(table) for table in tables.values()) > _ROWS_IN_CSV
    write_study(parts, folder, "parquet" if large else "csv")
    notice = PROFILE_NOTICE + (PRICE_NOTICE if "prices" in tables else "")
    (folder / "SOURCES.md").write_text(notice, encoding="utf-8")
