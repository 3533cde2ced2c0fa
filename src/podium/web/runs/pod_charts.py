"""Figures of one POD: its net power and band, what it pays, and each device with its store."""

from __future__ import annotations

import numpy as np
import pandas as pd

from podium.report.clock import LocalClock
from podium.report.text import kind_text, level_text
from podium.service.pods import PodTerms, Room
from podium.web import figures
from podium.web.charts import Band, Figure, Series, TimeAxis, ValueAxis
from podium.web.charts.figure import Floats
from podium.web.runs.portfolio_charts import known, row

#: Power that differs by less, kW, is drawn once.
SAME_KW = 1e-3


def net_power(pod: pd.DataFrame, axis: TimeAxis, *, planned: bool) -> Figure:
    """Net power under the plan and the baseline, the band around the baseline, and the two extreme schedules."""
    names = ("baseline_kw", "plan_kw", "up_kw", "down_kw", "min_kw", "max_kw")
    baseline, plan, up, down, least, greatest = (row(pod, name) for name in names)
    shown: list[Series | Band] = []
    if known(up):
        shown.append(Band("band (can surely be held)", baseline - up, baseline + down, "band"))
    for name, values, hue in (("least energy", least, "1"), ("greatest energy", greatest, "2")):
        if known(values):
            shown.append(Series(name, values, hue, dashed=True, width=1.2, asked_for=True))
    shown.append(Series("baseline", baseline, "baseline"))
    if planned:
        shown.append(Series("plan", plan, "plan", width=2.2))
    peak = figures.power_kw(float(np.nanmax(np.abs(plan if planned else baseline), initial=0.0)))
    return Figure(
        "Net power",
        f"Net power at the meter in each step; it peaks at {peak}.",
        axis,
        ValueAxis("Net power (+ withdraws)", "kW"),
        shown,
        file_name="net-power",
    )


def tariff(terms: PodTerms, worth_eur_per_kwh: Floats | None, axis: TimeAxis) -> Figure:
    """What a kWh costs and earns at the meter, and what it is worth to the portfolio where that is known."""
    buy, sell = terms.buy_eur_per_kwh, terms.sell_eur_per_kwh
    one = np.array_equal(buy, sell)
    shown = [Series("buying and selling" if one else "buying", buy, "plan", width=2.0)]
    if not one:
        shown.append(Series("selling", sell, "bound"))
    if worth_eur_per_kwh is not None:
        shown.append(Series("worth to the portfolio (shadow price)", worth_eur_per_kwh, "reference", dashed=True))
    return Figure(
        "Tariff",
        f"Buying costs {figures.number(float(buy.min()), 4)} to {figures.number(float(buy.max()), 4)} EUR/kWh.",
        axis,
        ValueAxis("Price", "EUR/kWh"),
        shown,
        file_name="tariff",
        zoom=False,
    )


def device_power(device: pd.DataFrame, room: Room | None, axis: TimeAxis, *, planned: bool) -> Figure:
    """Power of a device under the plan and the baseline, within what it can do."""
    name, kind = str(device["device"].iloc[0]), str(device["kind"].iloc[0])
    power, baseline = row(device, "power_kw"), row(device, "baseline_kw")
    shown: list[Series | Band] = []
    if room is not None and (room.power_max_kw - room.power_min_kw > SAME_KW).any():
        shown.append(Band("what it can do", room.power_min_kw, room.power_max_kw, "band"))
    if planned and (np.abs(power - baseline) > SAME_KW).any():
        shown.append(Series("baseline", baseline, "baseline"))
    shown.append(Series("plan" if planned else "baseline", power, "plan", width=2.2))
    for column, words, hue in (("aux_kw", "auxiliary heat", "5"), ("spill_kw", "heat vented", "6")):
        values = row(device, column)
        if (np.nan_to_num(values) > SAME_KW).any():
            shown.append(Series(words, values, hue, dashed=True))
    peak = figures.power_kw(float(np.nanmax(np.abs(power), initial=0.0)))
    return Figure(
        f"{name}: power",
        f"Power of this {kind_text(kind)} in each step; it peaks at {peak}.",
        axis,
        ValueAxis("Power (+ withdraws)", "kW"),
        shown,
        note=kind_text(kind)[:1].upper() + kind_text(kind)[1:],
        file_name=f"{name}-power",
        zoom=False,
    )


def device_level(device: pd.DataFrame, room: Room | None, axis: TimeAxis) -> Figure | None:
    """Level of a device's store at the end of each step, within its limits; None where it has no store."""
    name, kind = str(device["device"].iloc[0]), str(device["kind"].iloc[0])
    energy = row(device, "energy_kwh")
    if not known(energy):
        return None
    words = level_text(kind)
    shown: list[Series | Band] = []
    if room is not None and np.isfinite(room.energy_max_kwh).all() and np.isfinite(room.energy_min_kwh).all():
        shown.append(Band("within its limits", room.energy_min_kwh, room.energy_max_kwh, "band"))
    shown.append(Series(f"{words.lower()}, at the end of the step", energy, "2", width=2.2))
    most = figures.energy_kwh(float(np.nanmax(energy)))
    return Figure(
        f"{name}: {words.lower()}",
        f"{words} of this {kind_text(kind)} at the end of each step; at most {most}.",
        axis,
        ValueAxis(words, "kWh"),
        shown,
        file_name=f"{name}-level",
        zoom=False,
    )


def series_of(table: pd.DataFrame, clock: LocalClock) -> pd.DataFrame:
    """The rows of one POD or device in the order of the steps."""
    times = pd.DatetimeIndex(table["time"]).tz_convert(clock.times.tz)
    return table.assign(step=clock.times.get_indexer(times)).sort_values("step", ignore_index=True)
