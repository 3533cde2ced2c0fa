"""Example studies: written from the bundled prices and profiles, always the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from podium.errors import InputError, Problem, listed
from podium.horizon import Horizon
from podium.study.draft import TIME_ZONE, Draft, two_rate_tariff
from podium.study.it_north import it_north_200
from podium.study.schema import SPEC_FILE
from podium.study.simbench import PRICE_NOTICE, PROFILE_NOTICE
from podium.study.write import write_study

EXAMPLES = {
    "one-home": "One home with PV and a battery on a summer day: small enough to read",
    "dst-days": "Six PODs over the days on which the clocks change: 23 h, and 25 h in the folder `autumn`",
    "it-north-200": "200 mixed PODs in Northern Italy on 2018-03-13, with the prices of that day",
    "it-north-afrr": "The same 200 PODs, which sell aFRR and keep limits of the whole portfolio",
}
"""Name -> what it shows."""


def write_example(name: str, directory: str | Path) -> Path:
    """Write an example's study folder, which must be new or empty; returns it. Raises InputError otherwise."""
    makers: dict[str, Callable[[Path], None]] = {
        "one-home": _one_home,
        "dst-days": _dst_days,
        "it-north-200": _it_north_200,
        "it-north-afrr": _it_north_afrr,
    }
    if name not in makers:
        raise InputError(Problem("example", repr(name), f"one of {listed(EXAMPLES)}"))
    folder = Path(directory)
    makers[name](folder)
    return folder


def _write(draft: Draft, folder: Path) -> None:
    write_study(draft.parts(), folder)
    (folder / "SOURCES.md").write_text(PROFILE_NOTICE + PRICE_NOTICE, encoding="utf-8")


ONE_HOME = """\
# A study is this file and the tables that it names. Lines that begin with # are for the reader.
name: One home
time_zone: Europe/Rome   # IANA name; days are local days, with 92, 96 or 100 quarter-hours
start: 2018-07-17        # first day, from local midnight
days: 1
step_minutes: 15

pods: pods.csv           # the connection: tariff (EUR/kWh), and at most 3 kW from the grid

devices:                 # one table per kind; `device` is its id, `pod` where it stands
  fixed_load: fixed_load.csv   # power = profile x scale_kw
  pv: pv.csv                   # the same; the sign comes from the kind
  battery: battery.csv         # powers in kW, energies in kWh, efficiencies one way (0.95, not 95)

profiles: profiles.csv   # `time` is the start of a step, with its offset from UTC; then a column per profile
prices: prices.csv       # market, EUR/MWh; hourly prices are held constant over the quarter-hours

options:
  method: exact          # or virtus: the reference method
"""


def _one_home(folder: Path) -> None:
    horizon = Horizon.days("2018-07-17", 1, 15, TIME_ZONE)
    draft = Draft("One home", horizon, 1, series={"two_rates": two_rate_tariff(horizon)})
    draft.pod("home", buy_profile="two_rates", sell_eur_per_kwh=0.06, withdrawal_max_kw=3.0)
    draft.device("fixed_load", "household", "home", profile="H0-A", scale_kw=2.5)
    draft.device("pv", "roof", "home", profile="PV5", scale_kw=4.0)
    draft.device(
        "battery",
        "battery",
        "home",
        charge_max_kw=2.5,
        discharge_max_kw=2.5,
        energy_max_kwh=7.0,
        energy_min_kwh=0.7,
        energy_initial_kwh=2.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        wear_eur_per_kwh=0.02,
    )
    _write(draft, folder)
    (folder / SPEC_FILE).write_text(ONE_HOME, encoding="utf-8")


IT_NORTH_200 = """\
options:
  curves: quick          # bids: PODs that need a programme hold their plan at any price; exact takes 40 s more
"""


def _it_north_200(folder: Path) -> None:
    _write(it_north_200(), folder)
    with (folder / SPEC_FILE).open("a", encoding="utf-8") as file:
        file.write(IT_NORTH_200)


IT_NORTH_AFRR = """\
# The 200 PODs of it-north-200 sell automatic frequency restoration reserve beside their energy.
{spec}
market:
  settlement: market     # the net position of all PODs together, at the prices above
  limits:                # alone at the market price, the portfolio draws up to 5,900 kW and feeds in up to 21,300 kW
    withdrawal_max_kw: 3500
    injection_max_kw: 12000
  reserve:
    - preset: eu-afrr    # afrr-up and afrr-down in six 4-hour blocks, in steps of 1 MW, held for 1 h
      availability_eur_per_mw_h: afrr.csv   # a row per block, a column per product; made-up prices
"""
AFRR_EUR_PER_MW_H = {
    "afrr-up": (6.5, 9.0, 7.0, 6.0, 12.0, 8.5),
    "afrr-down": (11.0, 8.0, 9.5, 13.0, 6.0, 8.0),
}
"""Product -> availability price of each 4-hour block of the day: plausible, and made up."""


def _it_north_afrr(folder: Path) -> None:
    draft = it_north_200()
    draft.name = "Northern Italy, 200 PODs with aFRR"
    _write(draft, folder)
    starts = pd.date_range(draft.horizon.start, periods=6, freq="4h")
    prices = pd.DataFrame({"time": [start.isoformat() for start in starts], **AFRR_EUR_PER_MW_H})
    prices.to_csv(folder / "afrr.csv", index=False, lineterminator="\n")
    spec = (folder / SPEC_FILE).read_text(encoding="utf-8").rstrip()
    (folder / SPEC_FILE).write_text(IT_NORTH_AFRR.format(spec=spec), encoding="utf-8")
    with (folder / "SOURCES.md").open("a", encoding="utf-8") as file:
        file.write("\nThe availability prices in `afrr.csv` are made up.\n")


def _dst_days(folder: Path) -> None:
    _write(_clock_change("Summer time begins", "2018-03-24"), folder)
    _write(_clock_change("Summer time ends", "2018-10-27"), folder / "autumn")


def _clock_change(name: str, first_day: str) -> Draft:
    """Two days, of which the second has 92 or 100 quarter-hours; devices with daily windows and allowances."""
    horizon = Horizon.days(first_day, 2, 15, TIME_ZONE)
    draft = Draft(name, horizon, 2, series={"two_rates": two_rate_tariff(horizon)})
    retail = {"buy_profile": "two_rates", "sell_eur_per_kwh": 0.06}
    draft.pod("home-ev", **retail, withdrawal_max_kw=6.0)
    draft.device("fixed_load", "home-ev load", "home-ev", profile="H0-C", scale_kw=3.0)
    draft.device("pv", "home-ev roof", "home-ev", profile="PV3", scale_kw=4.0)
    draft.charger("home-ev charger", "home-ev", 3.7, _nights(horizon), shortfall_eur_per_kwh=0.5)
    draft.pod("home-heat", **retail, withdrawal_max_kw=6.0)
    draft.device("fixed_load", "home-heat load", "home-heat", profile="H0-A", scale_kw=2.0)
    draft.heat_pump("home-heat pump", "home-heat", "Soil_Alternative_2", 2.5)
    draft.pod("shop", **retail, withdrawal_max_kw=25.0, peak_eur_per_kw=0.1)
    draft.device("fixed_load", "shop load", "shop", profile="G4-A", scale_kw=15.0)
    draft.device("curtailable_load", "shop cooling", "shop", profile="G5-A", scale_kw=6.0, **EVENING_CUT)
    draft.pod("factory", buy_eur_per_kwh=0.16, sell_eur_per_kwh=0.05, withdrawal_max_kw=400.0)
    draft.device("fixed_load", "factory load", "factory", profile="G3-A", scale_kw=200.0)
    draft.device("shiftable_load", "factory mill", "factory", profile="G3-M", scale_kw=120.0, **NIGHT_SHIFT)
    draft.device("chp", "factory CHP", "factory", heat_profile="G3-A", heat_scale_kw=180.0, **SMALL_CHP)
    draft.pod("wind-farm")
    draft.device("wind", "wind-farm turbines", "wind-farm", profile="WP4", scale_kw=2000.0)
    draft.pod("storage")
    draft.device("battery", "storage battery", "storage", **DAILY_BATTERY)
    return draft


EVENING_CUT = {
    "curtailable_fraction": 0.4,
    "curtailable_from": "17:00",
    "curtailable_to": "21:00",
    "curtailable_energy_kwh_per_day": 2.0,
    "curtailment_eur_per_kwh": 0.04,
}
NIGHT_SHIFT = {
    "shift_down_fraction": 0.3,
    "shift_up_fraction": 0.5,
    "shiftable_from": "22:00",
    "shiftable_to": "06:00",
}
SMALL_CHP = {
    "electric_max_kw": 100.0,
    "heat_ratio": 1.3,
    "heat_store_max_kwh": 400.0,
    "heat_store_initial_kwh": 200.0,
    "heat_store_loss_per_hour": 0.005,
    "boiler_max_kw": 200.0,
    "boiler_eur_per_kwh": 0.035,
    "fuel_eur_per_kwh": 0.085,
}
DAILY_BATTERY = {
    "charge_max_kw": 500.0,
    "discharge_max_kw": 500.0,
    "energy_max_kwh": 1000.0,
    "energy_initial_kwh": 500.0,
    "charge_efficiency": 0.95,
    "discharge_efficiency": 0.94,
    "wear_eur_per_kwh": 0.004,
    "cycles_max_per_day": 1.0,
}


def _nights(horizon: Horizon) -> pd.DataFrame:
    """A car that stands from 19:00 to 07:00, also in the night in which the clocks change; 2 h of charging."""
    arrival = pd.DatetimeIndex(horizon.times[(horizon.minute_of_day == 19 * 60)])
    departure = arrival.normalize() + pd.DateOffset(days=1, hours=7)
    return pd.DataFrame({"arrival": arrival, "departure": departure, "power": 1.0, "energy": 2.0})
