"""A small study as the text of its files, for tests to change and write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SPEC = """\
name: One home
time_zone: Europe/Rome
start: 2018-05-14
days: 1
step_minutes: 15
pods: pods.csv
devices:
  pv: pv.csv
  fixed_load: load.csv
  battery: battery.csv
  ev_charger: ev.csv
profiles: [profiles.csv]
prices: prices.csv
options: {method: exact}
"""
PODS = """\
pod,name,group,buy_eur_per_kwh,sell_eur_per_kwh,withdrawal_max_kw
home-2,Two,north,0.25,0.08,
home-1,One,north,0.30,0.08,6.5
"""
PV = """\
device,pod,profile,scale_kw,curtailable
pv-1,home-1,sun,4.5,true
pv-2,home-2,sun,2.5,false
"""
LOAD = """\
device,pod,profile,scale_kw
load-1,home-1,household,1.5
load-2,home-2,household,
"""
BATTERY = """\
device,pod,charge_max_kw,discharge_max_kw,energy_max_kwh,energy_initial_kwh,charge_efficiency
battery-1,home-1,3,2.5,10,5,0.92
"""
EV = """\
device,pod,arrival,departure,charge_max_kw,energy_max_kwh,energy_arrival_kwh,energy_wanted_kwh
car-1,home-1,2018-05-14T08:00+02:00,2018-05-14T12:00+02:00,7.4,50,20,30
car-1,home-1,2018-05-14T18:00+02:00,2018-05-14T23:30+02:00,7.4,50,25,45
"""


def series(header: str, rows: Sequence[Sequence[object]]) -> str:
    """A CSV file of rows."""
    return "\n".join([header, *(",".join(str(cell) for cell in row) for row in rows)]) + "\n"


def hourly(header: str, *values: float, day: str = "2018-05-14", offset: str = "+02:00") -> str:
    """24 hours of one day; in hour h a column has its value times 1 + h / 10."""
    times = [f"{day}T{hour:02}:00:00{offset}" for hour in range(24)]
    return series(
        header, [(time, *(round(value * (1 + hour / 10), 6) for value in values)) for hour, time in enumerate(times)]
    )


def one_home() -> dict[str, str]:
    """File name -> text of a study with two PODs, of which one has all devices."""
    return {
        "study.yaml": SPEC,
        "pods.csv": PODS,
        "pv.csv": PV,
        "load.csv": LOAD,
        "battery.csv": BATTERY,
        "ev.csv": EV,
        "profiles.csv": hourly("time,sun,household,unused", 0.2, 0.4, -1.0),
        "prices.csv": hourly("time,price_eur_per_mwh", 40.0),
    }


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write the files; returns the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
