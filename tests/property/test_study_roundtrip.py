"""A study that is written and read again is the same: any devices, steps, zones and changes of clocks."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
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
from podium.market.terms import (
    BACKING_KINDS,
    Direction,
    GroupLimits,
    Market,
    PositionLimits,
    ReserveProduct,
    Settlement,
    Takeover,
)
from podium.portfolio import Pod, Portfolio, pod_specs
from podium.study import LIMITS, Options, Study, load_study, write_study
from podium.study.moments import Clock
from podium.study.reserve import RESERVED_NAMES
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


@st.composite
def limits(draw: st.DrawFn, steps: int, seed: int) -> PositionLimits:
    """A number, a series or nothing for each side, but not nothing for both."""
    random = np.random.default_rng(seed)
    forms = [np.full(steps, draw(numbers)), random.uniform(0, 100, steps), np.full(steps, np.inf)]
    first = draw(st.integers(0, 2))
    return PositionLimits(forms[first], forms[draw(st.integers(0, 2 if first < 2 else 1))])


@st.composite
def products(draw: st.DrawFn, name: str, horizon: Horizon, seed: int) -> ReserveProduct:
    """One to five blocks of any length with or without gaps between them."""
    random = np.random.default_rng(seed)
    edges = np.unique(random.integers(0, horizon.steps + 1, 2 * draw(st.integers(1, 5))))
    edges = edges if len(edges) > 1 else np.array([0, horizon.steps])
    sold = [pair for pair in itertools.pairwise(edges.tolist()) if random.uniform() < 0.7] or [(edges[0], edges[1])]
    block = np.full(horizon.steps, -1)
    for number, (first, last) in enumerate(sold):
        block[first:last] = number
    activation = draw(st.sampled_from([np.zeros(horizon.steps), random.uniform(-50, 500, horizon.steps)]))
    return ReserveProduct(
        name,
        draw(st.sampled_from(get_args(Direction))),
        block,
        random.uniform(-1, 30, len(sold)),
        activation,
        activated_share=draw(st.floats(0, 1)),
        sustain_hours=draw(positive),
        minimum_mw=draw(numbers),
        increment_mw=draw(numbers),
        maximum_mw=np.where(random.uniform(size=len(sold)) < 0.5, np.inf, random.uniform(0, 9, len(sold))),
        kinds=draw(st.sampled_from([BACKING_KINDS, ("battery",)])),
    )


@st.composite
def markets(draw: st.DrawFn, horizon: Horizon, groups: list[str]) -> Market:
    """Any market, in which takeover goes by kinds of devices."""
    seeds = st.integers(0, 2**32)
    named = draw(st.lists(names.filter(lambda name: name not in RESERVED_NAMES), max_size=3, unique=True))
    takeover = draw(st.sampled_from(get_args(Takeover)))
    return Market(
        settlement=draw(st.sampled_from(get_args(Settlement))),
        reserves=tuple(draw(products(name, horizon, draw(seeds))) for name in named),
        limits=draw(maybe(limits(horizon.steps, draw(seeds)))),
        peak_eur_per_kw=draw(numbers),
        headroom_up_kw=draw(numbers),
        headroom_down_kw=draw(numbers),
        headroom_sustain_hours=draw(positive),
        groups=tuple(
            GroupLimits(group, draw(limits(horizon.steps, draw(seeds)))) for group in groups if draw(st.booleans())
        ),
        takeover=takeover,
        priority=("battery", "chp") if takeover == "priority" else (),
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
            group=draw(st.sampled_from(["", "north", "süd"])),
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
    market = draw(st.just(Market()) | markets(horizon, sorted({pod.group for pod in pods} - {""})))
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
    same_market(again.market, study.market)


def same_market(one: Market, other: Market) -> None:
    """Field by field, arrays by their numbers."""
    assert same(one, other)


def same(one: Any, other: Any) -> bool:
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


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


def same_columns(fields: tuple[Spec, ...], one: Any, other: Any) -> None:
    for spec in fields:
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
