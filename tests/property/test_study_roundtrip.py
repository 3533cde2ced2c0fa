"""A study that is written and read again is the same: any devices, steps, zones and changes of clocks."""

from __future__ import annotations

import tempfile
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.devices import (
    KINDS,
    Battery,
    Chp,
    CurtailableLoad,
    Device,
    EvCharger,
    FixedLoad,
    GivenProfile,
    HeatPump,
    Pv,
    ShiftableLoad,
    Wind,
)
from podium.devices.device import Spec, specs
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import GroupLimits, Market, PositionLimits, ReserveProduct
from podium.portfolio import Pod, Portfolio, pod_specs
from podium.study import LIMITS, Options, Study, load_study, write_study
from podium.study.moments import Clock
from podium.study.series import on_steps, read_series
from podium.study.tables import CsvFile
from podium.study.write import Format

ZONES = ("Europe/Rome", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
DAYS = (date(2018, 3, 25), date(2018, 10, 28), date(2018, 3, 11), date(2018, 11, 4), date(2018, 4, 1), date(2018, 7, 1))

names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
numbers = st.floats(0, 1e6, allow_subnormal=False)
positive = st.floats(1e-3, 1e6)
MINUTE_NS = 60 * 10**9

efficiency = st.floats(0.01, 1.0)
Profile = st.SearchStrategy[str]


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def horizons(draw: st.DrawFn) -> Horizon:
    """Whole days, or any start and length; about as often on a day when the clocks change as not."""
    zone, step, day = draw(st.sampled_from(ZONES)), draw(st.sampled_from(STEPS)), draw(st.sampled_from(DAYS))
    if draw(st.booleans()) and not (zone == "Australia/Lord_Howe" and step == 60):
        return Horizon.days(day, draw(st.integers(1, 2)), step, zone)
    midnight = datetime.combine(day, datetime.min.time(), ZoneInfo("UTC"))
    start = midnight + timedelta(minutes=draw(st.integers(-600, 600)))
    return Horizon(start.astimezone(ZoneInfo(zone)), step, draw(st.integers(1, 300)), zone)


def scaled(profile: Profile, device: str) -> dict[str, Any]:
    return {"device": st.just(device), "profile": profile, "scale_kw": numbers}


def curtailable(profile: Profile, device: str) -> st.SearchStrategy[Device]:
    window = st.sampled_from([(None, None), ("00:00", "24:00"), ("07:35", "09:00"), ("23:59", "00:00")])
    build = st.builds(
        CurtailableLoad,
        **scaled(profile, device),
        curtailable_max_kw=numbers,
        curtailable_energy_kwh_per_day=maybe(numbers),
    )
    return st.builds(
        lambda load, ends: load.model_copy(update={"curtailable_from": ends[0], "curtailable_to": ends[1]}),
        build,
        window,
    )


def battery(store: float, level: float, device: str) -> st.SearchStrategy[Device]:
    return st.builds(
        Battery,
        device=st.just(device),
        charge_max_kw=numbers,
        discharge_max_kw=numbers,
        energy_max_kwh=st.just(store),
        energy_initial_kwh=st.just(level * store),
        charge_efficiency=efficiency,
        cycles_max_per_day=maybe(numbers),
        energy_end_eur_per_kwh=st.floats(-1, 1),
    )


def heat_pump(store: float, level: float, profile: Profile, device: str) -> st.SearchStrategy[Device]:
    return st.builds(
        HeatPump,
        device=st.just(device),
        electric_max_kw=numbers,
        cop=positive,
        heat_profile=maybe(profile),
        heat_store_max_kwh=st.just(store),
        heat_store_initial_kwh=st.just(level * store),
        heat_store_end_min_kwh=st.sampled_from([None, 0.0, store]),
    )


def chp(power: float, profile: Profile, device: str) -> st.SearchStrategy[Device]:
    return st.builds(
        Chp,
        device=st.just(device),
        electric_max_kw=st.just(power),
        heat_profile=maybe(profile),
        ramp_kw_per_hour=maybe(positive),
        on_initial=st.booleans(),
    )


@st.composite
def sessions(draw: st.DrawFn, device: str, horizon: Horizon) -> list[Device]:
    """One or two sessions, one after the other, to the second."""
    seconds = np.cumsum(draw(st.lists(st.integers(1, 50_000), min_size=2, max_size=4)))
    begin = horizon.start.astimezone(ZoneInfo("UTC"))
    moments = [begin + timedelta(seconds=int(second)) for second in seconds]
    level = st.floats(0, 100)
    return [
        EvCharger(
            device=device,
            arrival=moments[at],
            departure=moments[at + 1],
            charge_max_kw=draw(numbers),
            energy_max_kwh=100.0,
            energy_arrival_kwh=draw(level),
            energy_wanted_kwh=draw(level),
        )
        for at in range(0, len(moments) - 1, 2)
    ]


@st.composite
def devices(draw: st.DrawFn, profiles: list[str], horizon: Horizon, device: str) -> list[Device]:
    """One device of any kind (one or two rows for a charger), with its optional fields or without."""
    kind = draw(st.sampled_from(list(KINDS)))
    profile, store, level = st.sampled_from(profiles), draw(positive), draw(st.floats(0, 1))
    plain = scaled(profile, device)
    if kind == "ev_charger":
        return draw(sessions(device, horizon))
    built = {
        "fixed_load": st.builds(FixedLoad, **plain),
        "pv": st.builds(Pv, **plain, curtailable=st.booleans()),
        "wind": st.builds(Wind, **plain, curtailable=st.booleans()),
        "curtailable_load": curtailable(profile, device),
        "shiftable_load": st.builds(
            ShiftableLoad, **plain, shift_down_fraction=st.just(level), shift_up_fraction=numbers
        ),
        "given_profile": st.builds(GivenProfile, **plain, band_kw=maybe(numbers)),
        "battery": battery(store, level, device),
        "heat_pump": heat_pump(store, level, profile, device),
        "chp": chp(store, profile, device),
    }
    return [draw(built[kind])]


def limits(horizon: Horizon, random: np.random.Generator) -> st.SearchStrategy[PositionLimits]:
    """Each side free, constant, or a series."""
    free, constant = np.full(horizon.steps, np.inf), np.full(horizon.steps, 3.7)
    side = st.sampled_from([free, constant, random.uniform(0, 9, horizon.steps)])
    return st.builds(PositionLimits, side, side)


@st.composite
def products(draw: st.DrawFn, name: str, horizon: Horizon, random: np.random.Generator) -> ReserveProduct:
    """A product with blocks of any lengths, and gaps between them."""
    lengths = draw(st.lists(st.integers(1, max(horizon.steps // 2, 1)), min_size=1, max_size=6))
    edges = np.minimum(np.cumsum([0, *lengths]), horizon.steps)
    block = np.full(horizon.steps, -1, dtype=np.int64)
    number = 0
    for first, last in pairwise(edges):
        if last > first and (number == 0 or draw(st.booleans())):
            block[first:last] = number
            number += 1
    increment = draw(st.sampled_from([0.0, 0.1, 1.0]))
    activation = draw(st.sampled_from([np.full(horizon.steps, -12.5), random.uniform(-50, 200, horizon.steps)]))
    whole = random.integers(1, 9, number).astype(float)
    return ReserveProduct(
        name=name,
        direction=draw(st.sampled_from(["up", "down", "symmetric"])),
        block=block,
        availability_eur_per_mw_h=random.uniform(0, 20, number),
        activation_eur_per_mwh=activation,
        activated_share=draw(st.floats(0, 1)),
        sustain_hours=draw(positive),
        minimum_mw=draw(st.sampled_from([0.0, 0.5])),
        increment_mw=increment,
        maximum_mw=np.where(random.uniform(size=number) < draw(st.sampled_from([0.0, 0.5, 1.0])), whole, np.inf),
        kinds=draw(st.sampled_from([("battery",), ("chp", "pv"), tuple(KINDS)])),
    )


def _minutes(horizon: Horizon) -> int:
    return horizon.steps * horizon.step_minutes


@st.composite
def markets(draw: st.DrawFn, horizon: Horizon, groups: list[str], *, priced: bool) -> Market:
    """Any terms that the files can say."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    whole = draw(limits(horizon, random))
    units = [unit for unit in (15, 30, 60) if unit % horizon.step_minutes == 0]
    units = [unit for unit in units if not (horizon.minute_of_day[0] % unit or _minutes(horizon) % unit)]
    own = draw(st.lists(names, max_size=3, unique=True))
    return Market(
        settlement=draw(st.sampled_from(["market", "retail", "both"] if priced else ["market", "retail"])),
        time_unit_minutes=None if priced else draw(st.sampled_from([None, *units])),
        reserves=tuple(draw(products(name, horizon, random)) for name in own),
        limits=whole if whole.binding else None,
        peak_eur_per_kw=draw(numbers),
        headroom_up_kw=draw(numbers),
        headroom_down_kw=draw(numbers),
        headroom_sustain_hours=draw(positive),
        groups=tuple(GroupLimits(name, draw(limits(horizon, random))) for name in groups if draw(st.booleans())),
        takeover=draw(st.sampled_from(["proportional", "cost", "priority"])),
        priority=draw(st.sampled_from([("battery",), ("chp", "battery")])),
    )


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """One to four PODs with any devices, profiles and prices."""
    horizon = draw(horizons())
    profiles = draw(st.lists(names.filter(lambda name: name != "time"), min_size=1, max_size=3, unique=True))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    series = {name: random.uniform(0, 10, horizon.steps) for name in profiles}
    ids = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    count = [draw(st.integers(0, 3)) for _ in ids]
    own = draw(st.lists(names, min_size=sum(count), max_size=sum(count), unique=True))
    pods = [
        Pod(
            pod=pod,
            name=draw(st.just("") | names),
            group=draw(st.just("") | names),
            buy_eur_per_kwh=draw(maybe(st.floats(-1, 1))),
            sell_profile=draw(maybe(st.sampled_from(profiles))),
            sell_scale=draw(numbers),
            injection_max_kw=draw(maybe(numbers)),
            devices=[row for _ in range(many) for row in draw(devices(profiles, horizon, own.pop()))],
        )
        for pod, many in zip(ids, count, strict=True)
    ]
    price = random.uniform(-50, 200, horizon.steps)
    prices = draw(
        st.sampled_from(
            [None, EnergyPrices.single(price), EnergyPrices(price, price - random.uniform(0, 9), price / 2)]
        )
    )
    options = draw(st.builds(Options, method=st.sampled_from(["exact", "virtus"]), sustain_hours=positive))
    groups = sorted({pod.group for pod in pods} - {""})
    market = draw(st.just(Market()) | markets(horizon, groups, priced=prices is not None))
    return Study(draw(names), Portfolio.of(pods, horizon, series).compact(), prices, options, market=market)


@pytest.mark.parametrize("file_format", get_args(Format))
@given(study=studies())
def test_written_and_read_again_it_is_the_same(study: Study, file_format: Format) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = load_study(write_study(study, Path(folder) / "study", file_format))
    assert (again.name, again.options) == (study.name, study.options)
    assert (again.horizon.times == study.horizon.times).all()
    assert again.horizon.times.tz == study.horizon.times.tz
    same_portfolio(again.portfolio, study.portfolio)
    same_prices(again.prices, study.prices)
    same_parts(again.market, study.market)


def same_parts(one: Any, other: Any) -> None:
    """Equal dataclasses, tuples and arrays, whatever lies within them."""
    assert type(one) is type(other)
    if is_dataclass(one):
        for part in fields(one):
            same_parts(getattr(one, part.name), getattr(other, part.name))
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            same_parts(mine, its)
    else:
        assert one == other


def same_portfolio(one: Portfolio, other: Portfolio) -> None:
    assert one.ids.tolist() == other.ids.tolist()
    assert one.devices.keys() == other.devices.keys()
    assert one.profiles.names == other.profiles.names
    np.testing.assert_array_equal(one.profiles.values, other.profiles.values)
    same_columns(pod_specs(), one.columns, other.columns)
    for kind, table in one.devices.items():
        twin = other.devices[kind]
        assert (table.ids.tolist(), table.pod.tolist()) == (twin.ids.tolist(), twin.pod.tolist())
        same_columns(specs(table.kind), table.columns, twin.columns)


def same_columns(columns: tuple[Spec, ...], one: Any, other: Any) -> None:
    for spec in columns:
        assert one[spec.name].dtype == other[spec.name].dtype, spec.name
        np.testing.assert_array_equal(one[spec.name], other[spec.name], err_msg=spec.name)


def same_prices(one: EnergyPrices | None, other: EnergyPrices | None) -> None:
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        for name in ("buy", "sell", "production"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(horizon=horizons(), days_before=st.integers(1, 3), row_minutes=st.sampled_from([5, 10, 15, 30]))
def test_local_times_say_the_same_as_offsets(horizon: Horizon, days_before: int, row_minutes: int) -> None:
    """The hour that the clocks repeat stands twice, in order; the hour that they skip stands nowhere."""
    noon = horizon.times[0].tz_convert("UTC").floor("D") + pd.Timedelta(hours=12)
    begin = noon - pd.Timedelta(days=days_before)
    utc = pd.date_range(begin, begin + pd.Timedelta(days=days_before + 18), freq=f"{row_minutes}min")
    aware = utc.tz_convert(horizon.time_zone)
    values = np.arange(len(aware), dtype=float)
    found = []
    for local, times in ((False, aware), (True, aware.tz_localize(None))):
        table = pd.DataFrame({"time": [stamp.isoformat() for stamp in times], "load": values})
        with tempfile.TemporaryDirectory() as folder:
            table.to_csv(Path(folder) / "load.csv", index=False)
            file = CsvFile(Path(folder) / "load.csv", "load.csv", LIMITS)
            found.append(read_series(file, ["load"], horizon, Clock(horizon.time_zone, local))[0])
    np.testing.assert_array_equal(found[0], found[1])


@given(
    horizon=horizons(),
    row_minutes=st.sampled_from([1, 4, 5, 7, 15, 30, 60, 180]),
    offset=st.integers(0, 179),
    seed=st.integers(0, 2**32),
)
def test_a_step_has_the_mean_of_its_minutes(horizon: Horizon, row_minutes: int, offset: int, seed: int) -> None:
    """Held where coarser and averaged where finer, however the rows lie: both are the mean over the minutes."""
    minutes = horizon.steps * horizon.step_minutes
    offset %= row_minutes
    rows = -(-(minutes + offset) // row_minutes)
    values = np.random.default_rng(seed).uniform(-10, 10, (1, rows))
    begin = int(horizon.times.as_unit("ns").asi8[0]) - offset * MINUTE_NS
    starts = begin + np.arange(rows) * row_minutes * MINUTE_NS
    each_minute = np.repeat(values[0], row_minutes)[offset : offset + minutes]
    expected = each_minute.reshape(horizon.steps, horizon.step_minutes).mean(axis=1)
    found = on_steps(values, starts, row_minutes * MINUTE_NS, horizon)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-12)
