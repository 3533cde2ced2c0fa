"""The preset eu-mfrr-energy in a whole run: what is offered for each quarter-hour, and what it is worth."""

from __future__ import annotations

from pathlib import Path

import pytest

import podium
from podium.study import load_study
from unit.study_folders import series, write_files

SPEC = """\
name: Two batteries
time_zone: Europe/Rome
start: 2018-05-14T06:00+02:00
hours: 3
step_minutes: 15
pods: pods.csv
devices: {battery: battery.csv}
prices: prices.csv
market:
  reserve:
    - {preset: eu-mfrr-energy, only: mfrr-energy-up, activated_share: 0.1, activation_eur_per_mwh: 140}
    - {preset: eu-mfrr-energy, only: mfrr-energy-down, activated_share: 0.1, activation_eur_per_mwh: 40}
"""
BATTERIES = """\
device,pod,charge_max_kw,discharge_max_kw,energy_max_kwh,energy_initial_kwh,energy_end_min_kwh,charge_efficiency
one,a,900,1400,4000,2000,2000,0.9
two,b,1300,1400,4000,2000,2000,0.9
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hours = [(f"2018-05-14T{hour:02}:00+02:00", 90) for hour in (6, 7, 8)]
    files = {"study.yaml": SPEC, "pods.csv": "pod\na\nb\n", "battery.csv": BATTERIES}
    return write_files(tmp_path / "study", files | {"prices.csv": series("time,price_eur_per_mwh", hours)})


def test_batteries_sell_whole_megawatts_of_energy_for_each_quarter_hour(folder: Path) -> None:
    """At rest they give up 2.8 MW and take 2.2 MW, so that 2 MW could be offered each way.

    A kW offered for a quarter-hour earns 0.25 / 1000 x 0.1 x 50 = 0.00125 EUR, whether up (140 - 90) or down (90 - 40);
    12 quarter-hours of 4 MW at rest are 60 EUR. Charging 200 kW they give up 3 MW, for the energy that is lost.
    """
    result = podium.run(load_study(folder), workers=1)
    plan = result.plan
    assert plan is not None
    up, down = (plan.offers_kw[name] for name in ("mfrr-energy-up", "mfrr-energy-down"))
    assert set(up) | set(down) <= {1000.0, 2000.0, 3000.0}
    assert (up - 2800.0 <= plan.position_kw + 1e-6).all()
    assert (down - 2200.0 <= -plan.position_kw + 1e-6).all()
    energy = -0.25 * 0.09 * plan.position_kw.sum()
    assert plan.certificate.profit_eur == pytest.approx(0.00125 * (up + down).sum() + energy, abs=1e-6)
    assert plan.certificate.profit_eur > 60.0
    assert plan.certificate.gap < 0.005
    assert result.summary["check"]["violations"] == 0
