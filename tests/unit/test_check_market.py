"""Every rule of what a portfolio sells, kept once and broken once, on two PODs worked out by hand.

Half-hour steps from midnight to 04:00 in Rome, market time units of an hour; no efficiency is 1. The battery holds 10
of 20 kWh, and moves by at most 1.25 kWh per kWh; the engine's heat store 6 of 12 kWh, by 1.5 kWh per kWh.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from podium.checking import (
    Backing,
    Calls,
    CheckReport,
    Schedule,
    check_backed,
    check_delivery,
    check_offers,
    check_portfolio_limits,
    check_reserve,
    check_results,
    check_schedule,
    replay_calls,
)
from podium.devices import Battery, Chp, Device, EvCharger, FixedLoad
from podium.errors import InputError
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import GroupLimits, Market, PositionLimits, ReserveProduct
from podium.portfolio import Pod, Portfolio

STEPS = 8
HORIZON = Horizon(datetime(2018, 5, 14, tzinfo=ZoneInfo("Europe/Rome")), 30, STEPS, "Europe/Rome")
PROFILES = {"one": np.ones(STEPS)}
BATTERY = Battery(
    device="battery", charge_max_kw=5, discharge_max_kw=5, energy_max_kwh=20, energy_initial_kwh=10,
    charge_efficiency=0.9, discharge_efficiency=0.8, wear_eur_per_kwh=0.05,
)  # fmt: skip
ENGINE = Chp(
    device="engine", electric_max_kw=10, electric_min_kw=4, heat_ratio=1.5, heat_profile="one", heat_scale_kw=9,
    heat_store_max_kwh=12, heat_store_initial_kwh=6, fuel_eur_per_kwh=0.1, on_initial=True,
)  # fmt: skip
LOAD = FixedLoad(device="load", profile="one", scale_kw=9)
PRICES = EnergyPrices(np.full(STEPS, 60.0), np.full(STEPS, 40.0), np.zeros(STEPS))
IDS = np.array(["battery", "load", "engine"], dtype=object)
POWER = np.array([[2, -1.44, 0, 0, 0, 0, 0, 0], [9.0] * 8, [-6.0] * 8])
LEVEL = np.array([[10.9] + [10.0] * 7, [np.nan] * 8, [6.0] * 8])
PLAN = Schedule(IDS, POWER, LEVEL, np.zeros((3, 8)), np.zeros((3, 8)))
UP = ReserveProduct(
    "up-2h", "up", np.repeat([0, 1], 4), np.array([10.0, 20.0]), np.full(8, 150.0), activated_share=0.1,
    minimum_mw=0.002, increment_mw=0.001, maximum_mw=np.full(2, 0.01),
)  # fmt: skip
BOTH = ReserveProduct(
    "both", "symmetric", np.array([-1, -1, 0, 0, 0, 0, -1, -1]), np.array([5.0]), np.full(8, 150.0), 0.3,
    sustain_hours=0.5, minimum_mw=0.001,
)  # fmt: skip
FREE = np.full(STEPS, np.inf)
MARKET = Market(
    "both", 60, (UP, BOTH), PositionLimits(np.full(8, 8.0), np.full(8, 20.0)), peak_eur_per_kw=0.5, headroom_up_kw=1.0,
    groups=(GroupLimits("north", PositionLimits(np.full(8, 14.0), np.full(8, 6.0))),),
)  # fmt: skip
OFFERS = {"up-2h": np.array([5.0, 4.0]), "both": np.array([1.0])}
PRODUCTS = ("up-2h", "both", "headroom")


def portfolio(*more: Device, **pod: float) -> Portfolio:
    limits = {"withdrawal_max_kw": 14, "injection_max_kw": 8} | pod
    home = {"pod": "home", "group": "north", "buy_eur_per_kwh": 0.3, "sell_eur_per_kwh": 0.05, **limits}
    works = Pod(pod="works", group="south", buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.05, devices=[ENGINE])
    return Portfolio.of([Pod.model_validate(home | {"devices": [*more, LOAD] if more else [BATTERY, LOAD]}), works],
                        HORIZON, PROFILES)  # fmt: skip


def backing() -> Backing:
    """Battery and engine: 3 and 2 kW for the first product, 1 up, 2 and 1 down for the second, 0.5 as headroom."""
    up, down = np.zeros((3, 3, STEPS)), np.zeros((3, 3, STEPS))
    up[0, 0], up[0, 2], up[2, 0], up[2, 2] = 3.0, 2.0, 0.5, 0.5
    up[1, 0, 2:6], down[1, 0, 2:6], down[1, 2, 2:6] = 1.0, 2.0, 1.0
    return Backing(IDS, PRODUCTS, up, down)


def backs(side: str, product: int, device: int, steps: object, kw: float) -> Backing:
    good = backing()
    values = getattr(good, side).copy()
    values[product, device, steps] = kw
    return replace(good, **{side: values})


def lines(report: CheckReport) -> str:
    return "\n".join(map(str, report.violations))


def net_kw() -> np.ndarray:
    return np.stack([POWER[0] + POWER[1], POWER[2]])


def test_what_was_worked_out_by_hand_is_good() -> None:
    """The plan, what backs its offers, the offers, and the limits with all of them called."""
    study = portfolio()
    assert check_schedule(study, PLAN).good
    for report in (
        check_reserve(study, PLAN, backing(), MARKET),
        check_offers(MARKET, HORIZON, OFFERS),
        check_backed(MARKET, HORIZON, OFFERS, backing()),
        check_portfolio_limits(study, MARKET, net_kw(), OFFERS, backing()),
    ):
        assert report.good, lines(report)


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (
            backs("up_kw", 0, 0, 1, 3.1),
            "POD 'home', 'battery', 2018-05-14T00:30:00+02:00: backs 3.1 kW for 'up-2h' and 0.5 kW for 'headroom' "
            "(up), but its power of -1.44 kW leaves 3.56 kW",
        ),
        (backs("down_kw", 1, 0, 2, 5.5), "backs 5.5 kW for 'both' (down), but its power of 0 kW leaves 5 kW"),
        (backs("down_kw", 1, 2, 2, 2.5), "backs 2.5 kW for 'both' (down), but its power of -6 kW leaves 2 kW"),
        (backs("up_kw", 0, 0, 6, -1.0), "backs -1 kW up for 'up-2h', less than nothing"),
        (backs("down_kw", 0, 0, 2, 1.0), "backs 1 kW down for 'up-2h', which has no such side"),
        (backs("up_kw", 1, 0, 7, 1.0), "backs 1 kW up for 'both', which is not sold in this step"),
        (backs("up_kw", 1, 1, 3, 1.0), "'load', 2018-05-14T01:30:00+02:00: backs 1 kW up for 'both', but a fixed_load"),
        (replace(backing(), products=("up-2h", "both", "spin")), "devices back 'spin', but the study has no such"),
        (replace(backing(), device_ids=np.array(["battery", "load", "x"], dtype=object)), "'x': backs reserve, but"),
        (replace(backing(), device_ids=IDS[[0, 0, 2]]), "'battery': the backing names this device 2 times"),
        (backs("up_kw", 0, 0, 3, np.nan), "the backing has values that are no finite numbers"),
    ],
)  # fmt: skip
def test_broken_backing_is_named(spoiled: Backing, words: str) -> None:
    """One number is changed: device, step, product, value and what is possible are told."""
    assert words in lines(check_reserve(portfolio(), PLAN, spoiled, MARKET))


def test_energy_must_last() -> None:
    """Engine: 2.5 kW up fill 3.75 of 6 kWh in an hour, 7.5 kWh in 2 h.

    Battery: 4.5 kW for 1.6 h are 9 of 10 kWh, but a call of four whole steps moves 11.25 kWh.
    """
    longer = replace(MARKET, reserves=(replace(UP, sustain_hours=2.0), BOTH), headroom_sustain_hours=2.0)
    words = lines(check_reserve(portfolio(), PLAN, backing(), longer))
    assert "'engine'" in words
    assert "sustaining that takes 7.5 kWh, but its store holds 6 kWh at the end of this step, 6 kWh to fill" in words
    alone = Backing(IDS[:1], ("up-2h",), np.full((1, 1, STEPS), 4.5), np.zeros((1, 1, STEPS)))
    alone.up_kw[0, 0, :2] = 0.0
    words = lines(
        check_reserve(portfolio(), PLAN, alone, replace(MARKET, reserves=(replace(UP, sustain_hours=1.6), BOTH)))
    )
    assert "02:30:00+02:00: a call (up) up to this step moves 11.25 kWh, but at its end the store holds 10 kWh" in words
    assert "sustaining" not in words


def test_what_is_off_or_has_a_ramp_or_cycles_backs_less() -> None:
    """An engine at rest has nothing; one with a ramp neither; a battery of 0.1 cycles not 4 kWh."""
    off = replace(PLAN, power_kw=np.concatenate((POWER[:2], np.zeros((1, 8)))))
    assert "but what is off backs nothing" in lines(check_reserve(portfolio(), off, backing(), MARKET))
    ramped = ENGINE.model_copy(update={"ramp_kw_per_hour": 4.0})
    works = Pod(pod="works", buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.05, devices=[ramped])
    only = Portfolio.of([works], HORIZON, PROFILES)
    engine = Schedule(IDS[2:], POWER[2:], LEVEL[2:], np.zeros((1, 8)), np.zeros((1, 8)))
    mine = Backing(IDS[2:], PRODUCTS, backing().up_kw[:, 2:], backing().down_kw[:, 2:])
    assert "but its ramp of 4 kW per hour lets it back nothing" in lines(check_reserve(only, engine, mine, MARKET))
    cycled = BATTERY.model_copy(update={"cycles_max_per_day": 0.2})
    words = lines(check_reserve(portfolio(cycled), PLAN, backing(), MARKET))
    assert (
        "a call takes 5 kWh from the cells beside the 0.9 kWh of the day's plan; the cycle limit allows 4 kWh" in words
    )


def test_connections_bear_all_calls() -> None:
    """9 + 2 kW down at home, and 9 - 4.5 kW up."""
    words = lines(check_reserve(portfolio(withdrawal_max_kw=11, injection_max_kw=8), PLAN, backing(), MARKET))
    assert not words
    words = lines(check_reserve(portfolio(withdrawal_max_kw=10.5), PLAN, backing(), MARKET))
    assert "POD 'home', 2018-05-14T01:00:00+02:00: with the 2 kW down that its devices back, the POD's" in words
    assert "withdrawal is 11 kW, more than the 10.5 kW of its connection" in words


def test_a_car_keeps_what_it_wants() -> None:
    """It wants 9.5 kWh at 02:00 and gains 1.8 kWh a step: it needs 4.1, 5.9, 7.7, 9.5 kWh and is 2.7 kWh ahead.

    Giving up 4 kW for half an hour costs it 1.8 kWh, for an hour 3.6 kWh. Twice as much wanted is out of reach.
    """
    zone = ZoneInfo("Europe/Rome")
    car = EvCharger(
        device="car", arrival=datetime(2018, 5, 14, 0, tzinfo=zone), departure=datetime(2018, 5, 14, 2, tzinfo=zone),
        charge_max_kw=4, energy_max_kwh=30, energy_arrival_kwh=5, energy_wanted_kwh=9.5, charge_efficiency=0.9,
        discharge_efficiency=0.8,
    )  # fmt: skip
    study = Portfolio.of([Pod(pod="home", buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.1, devices=[car])], HORIZON, PROFILES)
    power, level = np.array([[4.0, 4, 4, 0, 0, 0, 0, 0]]), np.array([[6.8, 8.6, 10.4, 10.4, 0, 0, 0, 0]])
    plan = Schedule(np.array(["car"], dtype=object), power, level, 0 * power, 0 * power)
    assert check_schedule(study, plan).good
    held = Backing(plan.device_ids, ("up-2h",), power[None].copy(), 0 * power[None])
    brief, hour = (replace(MARKET, reserves=(replace(UP, sustain_hours=s),)) for s in (0.5, 1.0))
    assert check_reserve(study, plan, held, brief).good
    assert "sustaining that takes 3.6 kWh, but its store holds 6.8 kWh at the end of this step, 2.7 kWh" in lines(
        check_reserve(study, plan, held, hour)
    )


@pytest.mark.parametrize(
    ("offers", "words"),
    [
        ({"up-2h": [11.0, 4.0]}, "offers 0.011 MW of 'up-2h' in block 0 (from 2018-05-14T00:00+02:00), more than its"),
        ({"up-2h": [5.0, 1.0]}, "in block 1 (from 2018-05-14T02:00+02:00), below its minimum of 0.002 MW"),
        ({"up-2h": [4.5, 4.0]}, "offers 0.0045 MW of 'up-2h' in block 0 (from 2018-05-14T00:00+02:00), no multiple"),
        ({"both": [-2.0]}, "offers -0.002 MW of 'both' in block 0"),
        ({"both": [np.nan]}, "but offers are finite numbers"),
        ({"spin": [1.0]}, "'spin' is offered, but the study has no such product"),
    ],
)
def test_broken_offers_are_named(offers: dict[str, list[float]], words: str) -> None:
    """Product, block, value and the rule."""
    given = OFFERS | {name: np.array(kw) for name, kw in offers.items()}
    assert words in lines(check_offers(MARKET, HORIZON, given))
    with pytest.raises(InputError, match="one per block"):
        check_offers(MARKET, HORIZON, {"up-2h": np.ones(3)})


def test_offers_are_backed_at_every_step() -> None:
    """5.5 kW offered and 5 kW backed; the symmetric one up where only 1 kW is; 1 kW of headroom, 0.6 kW held."""
    words = lines(check_backed(MARKET, HORIZON, OFFERS | {"up-2h": np.array([5.5, 4])}, backing()))
    assert "2018-05-14T00:00:00+02:00: 'up-2h' promises 5.5 kW up in block 0" in words
    assert "but devices back 5 kW" in words
    words = lines(check_backed(MARKET, HORIZON, OFFERS | {"both": np.array([2.0])}, backing()))
    assert "'both' promises 2 kW up" in words
    assert "kW down" not in words
    words = lines(check_backed(MARKET, HORIZON, OFFERS, backs("up_kw", 2, 2, 4, 0.1)))
    assert "02:00:00+02:00: the headroom promises 1 kW up, but devices back 0.6 kW" in words


def test_the_whole_keeps_its_limits_with_all_called() -> None:
    """3 kW and 1 kW down; 3 kW less 7 kW up. The group's battery gives 2/3 of the kW down: 9 2/3 kW."""
    tight = replace(MARKET, limits=PositionLimits(np.where(np.arange(8) == 2, 3.5, np.inf), np.full(8, 3.9)))
    words = lines(check_portfolio_limits(portfolio(), tight, net_kw(), OFFERS, backing()))
    assert "01:00:00+02:00: the withdrawal of the portfolio with 1 kW called is 4 kW, more than its 3.5 kW" in words
    assert "the injection of the portfolio with 7 kW called is 4 kW, more than its 3.9 kW" in words
    group = GroupLimits("north", PositionLimits(np.where(np.arange(8) == 2, 9.5, np.inf), FREE))
    words = lines(
        check_portfolio_limits(portfolio(), replace(MARKET, groups=(group,)), net_kw(), OFFERS, backing())
    )  # fmt: skip
    assert "the withdrawal of the group 'north' with 0.666666667 kW called is 9.66666667 kW, more than its 9.5" in words


def test_a_call_is_replayed_by_physics() -> None:
    """5 kW for an hour are no trouble, though the battery ends below its level; 5 h of them empty it."""
    called = np.where((np.arange(8) >= 2) & (np.arange(8) < 4), 5.0, 0.0)
    assert replay_calls(portfolio(), PLAN, backing(), Calls({"up-2h": called}, {})).good
    without_end = replay_calls(portfolio(), PLAN, backing(), Calls({"up-2h": np.full(8, 5.0)}, {}))
    assert "'battery'" in lines(without_end)
    assert "cannot follow the activation" in lines(without_end)
    with pytest.raises(InputError, match=r"call of 'up-2h'.*0 to the 5 kW that are backed"):
        replay_calls(portfolio(), PLAN, backing(), Calls({"up-2h": np.full(8, 6.0)}, {}))


def test_delivery_is_plan_and_call_within_limits() -> None:
    """3 kW from the battery and 2 from the engine for one step; half of it missing is told."""
    calls = Calls({"up-2h": np.where(np.arange(8) == 2, 5.0, 0.0)}, {})
    power, level = POWER.copy(), LEVEL.copy()
    power[0, 2], power[2, 2] = -3.0, -8.0
    level[0, 2:], level[2, 2:] = 10 - 3 / 0.8 / 2, 7.5
    done = replace(PLAN, power_kw=power, energy_kwh=level)
    report = check_delivery(portfolio(), PLAN, done, calls)
    assert report.good, lines(report)
    assert not check_schedule(portfolio(), done).good
    assert "but plan and call make -2 kW (planned 3 kW)" in lines(check_delivery(portfolio(), PLAN, PLAN, calls))


Tables = dict[str, pd.DataFrame]
Documents = dict[str, dict[str, Any]]
Change = Callable[[Tables, Documents], None]
#: Means of 3.28 and thrice 3 kW are bought at 60 EUR/MWh. Reserve: 5 kW x 2 h x (10 + 0.1 x 100) and 4 kW x 2 h x 30
#: EUR/MW/h, and 1 kW x 2 h x 5. Bills: 36.28 kWh at 0.3 less 24 kWh at 0.05. Wear of 0.72 kWh, fuel for 24 kWh.
PARTS = {"energy_eur": -0.7368, "reserve_eur": 0.45, "retail_eur": 9.684, "device_eur": 2.436, "peak_eur": 2.5}
PROFIT = -0.7368 + 0.45 - 9.684 - 2.436 - 2.5
#: 36.28 kWh withdrawn at home and 24 kWh injected at works; of the first product 10.8 and 7.2 kWh are backed there.
SHADOW = {
    ("energy", "north"): 0.05, ("energy", ""): 0.06, ("up-2h up", "north"): 0.01, ("up-2h up", ""): 0.02,
}  # fmt: skip
#: ... of the second 2 kWh up at home, and down 2/3 of 2 kWh there and 1/3 at works; 2 kWh of headroom each.
MOVED = np.array([36.28 + 10.8 + 2 + 4 / 3 + 2, 24 + 7.2 + 2 / 3 + 2])
REST = PROFIT - (-1.814 + 1.44 + 0.108 + 0.144 - 10.884 + 1.2 - 0.036 - 2.4)


def bids() -> pd.DataFrame:
    hours = HORIZON.times[::2]
    moment = [*HORIZON.times, HORIZON.times[-1] + pd.Timedelta("30min")]
    energy = [
        ("energy", "net", start, start + pd.Timedelta("1h"), price, np.nan, quantity)
        for start in hours
        for price, quantity in ((20.0, 0.1), (60.0, 0.0), (100.0, -0.1))
    ]
    reserve = [
        ("up-2h", "up", moment[0], moment[4], np.nan, 10.0, 0.005),
        ("up-2h", "up", moment[4], moment[8], np.nan, 20.0, 0.004),
        ("both", "symmetric", moment[2], moment[6], np.nan, 5.0, 0.001),
    ]
    names = ["market", "direction", "start", "end", "price_eur_per_mwh", "availability_eur_per_mw_h", "quantity_mw"]
    return pd.DataFrame(energy + reserve, columns=names)


def reserve_rows() -> pd.DataFrame:
    good = backing()
    rows = [
        ("works" if IDS[d] == "engine" else "home", IDS[d], PRODUCTS[k], side, HORIZON.times[t], values[k, d, t])
        for side, values in (("up", good.up_kw), ("down", good.down_kw))
        for k, d, t in zip(*np.nonzero(values), strict=True)
    ]
    return pd.DataFrame(rows, columns=["pod", "device", "product", "direction", "time", "backed_kw"])


def tables_of() -> Tables:
    net = net_kw()
    position = net.sum(axis=0)
    shares = pd.DataFrame(
        {
            "pod": ["home", "works"], "energy_eur": [-1.814, 1.44], "reserve_eur": [0.108, 0.144],
            "retail_eur": [-10.884, 1.2], "device_eur": [-0.036, -2.4], "limits_eur": REST * MOVED / sum(MOVED),
        }
    )  # fmt: skip
    shares["contribution_eur"] = shares.iloc[:, 1:].sum(axis=1)
    times = HORIZON.times
    return {
        "schedule": pd.DataFrame(
            {
                "device": np.repeat(IDS, STEPS), "time": times.append([times] * 2), "power_kw": POWER.ravel(),
                "energy_kwh": LEVEL.ravel(), "aux_kw": 0.0, "spill_kw": 0.0, "baseline_kw": POWER.ravel(),
            }
        ),
        "pods": pd.DataFrame(
            {
                "pod": np.repeat(["home", "works"], STEPS), "time": times.append(times),
                "baseline_kw": net.ravel(), "plan_kw": net.ravel(),
            }
        ),
        "pod_summary": pd.DataFrame(
            {
                "pod": ["home", "works"], "status": "ok", "cost_eur": [10.92, 1.2],
                "plan_profit_eur": shares["contribution_eur"],
            }
        ),
        "steps": pd.DataFrame(
            {
                "time": times, "position_kw": position, "baseline_kw": position, "buy_eur_per_mwh": PRICES.buy,
                "sell_eur_per_mwh": PRICES.sell, "profit_eur": -position * 60 / 2000,
            }
        ),
        "bids": bids(),
        "reserve": reserve_rows(),
        "shares": shares,
        "shadow": pd.DataFrame(
            [(*name, time, price) for name, price in SHADOW.items() for time in times],
            columns=["what", "group", "time", "eur_per_kwh"],
        ),
    }  # fmt: skip


def write(folder: Path, change: Change) -> Path:
    tables = tables_of()
    level2 = {"method": "exact", "profit_eur": PROFIT, "bound_eur": PROFIT + 0.25, "gap": 0.25 / abs(PROFIT)}
    worth = {"plan_eur": PROFIT, "alone_eur": -12.12, "reference_promise_eur": 3.0, "reference_delivered_eur": 2.0}
    rounds = [
        {"round": 1, "bound_eur": PROFIT + 1, "profit_eur": None},
        {"round": 2, "bound_eur": PROFIT + 0.25, "profit_eur": PROFIT},
    ]
    summary = {
        "start": HORIZON.start.isoformat(), "end": HORIZON.end.isoformat(), "step_minutes": 30, "steps": STEPS,
        "pods": 2, "devices": 3, "level1": {"cost_eur": 12.12, "failed": 0}, "level2": level2 | PARTS,
        "undelivered_kwh": 0.0, "worth": worth, "virtus": {"profit_eur": 3.0},
    }  # fmt: skip
    documents: Documents = {"summary": summary, "certificate": level2 | {"rounds": rounds, "worth": dict(worth)}}
    change(tables, documents)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def cell(table: str, column: str, row: int, value: object) -> Change:
    def change(tables: Tables, _documents: Documents) -> None:
        tables[table].loc[row, column] = value

    return change


def rows_of(table: str, rows: list[int]) -> Change:
    def change(tables: Tables, _documents: Documents) -> None:
        tables[table] = tables[table].iloc[rows].reset_index(drop=True)

    return change


def part(name: str, value: float) -> Change:
    def change(_tables: Tables, documents: Documents) -> None:
        documents["summary"]["level2"][name] = value

    return change


def round_of(number: int, name: str, value: float) -> Change:
    def change(_tables: Tables, documents: Documents) -> None:
        documents["certificate"]["rounds"][number][name] = value

    return change


def moved(column: str, eur: float, table: str = "shares") -> Change:
    """Money goes from the second POD to the first, in a part and in its sum."""

    def change(tables: Tables, _documents: Documents) -> None:
        for name in {column, "contribution_eur"} & set(tables[table].columns):
            tables[table][name] += np.array([eur, -eur])

    return change


def worth(document: str, name: str) -> Change:
    def change(_tables: Tables, documents: Documents) -> None:
        documents[document]["worth"][name] = 7.0

    return change


def undelivered(_tables: Tables, documents: Documents) -> None:
    documents["summary"]["undelivered_kwh"] = 5.0


def long_curve(tables: Tables, _documents: Documents) -> None:
    rows = tables["bids"].iloc[[0] * 201].assign(price_eur_per_mwh=np.arange(201.0), quantity_mw=0.0)
    tables["bids"] = pd.concat([rows, tables["bids"].iloc[3:]])


def without(table: str) -> Change:
    def change(tables: Tables, _documents: Documents) -> None:
        del tables[table]

    return change


def test_files_of_what_was_worked_out_by_hand_are_good(tmp_path: Path) -> None:
    """Bids, reserve, shares, certificate and all parts of the profit."""
    report = check_results(portfolio(), PRICES, write(tmp_path, lambda _tables, _documents: None), market=MARKET)
    assert report.good, lines(report)


ALL = list(range(15))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("bids"), "the study sells reserve, but there is no bids.parquet"),
        (without("reserve"), "'up-2h' promises 5 kW up in block 0 (from 2018-05-14T00:00+02:00), but devices"),
        (cell("bids", "quantity_mw", 12, 0.011), "offers 0.011 MW of 'up-2h'"),
        (cell("bids", "market", 12, "spin"), "bids.parquet has bids for 'spin', which the study does not know"),
        (cell("bids", "direction", 12, "down"), "has the direction 'down', but should have 'up'"),
        (cell("bids", "availability_eur_per_mw_h", 12, 11.0), "price of 11 EUR/MW/h, but the study's is 10"),
        (cell("bids", "end", 12, HORIZON.times[3]), "is no block in which the product is sold"),
        (rows_of("bids", [*ALL, 12]), "stands there more than once"),
        (rows_of("bids", ALL[3:]), "has no energy bid for the market time unit from 2018-05-14 00:00:00+02:00"),
        (cell("bids", "end", 0, HORIZON.times[1]), "is no market time unit of the study"),
        (cell("bids", "quantity_mw", 0, -0.1), "takes 0 MW at 60 EUR/MWh, more than the -0.1 MW at the lower price"),
        (cell("bids", "quantity_mw", 0, 0.15), "the energy bid from 2018-05-14T00:00+02:00 has 0.15 MW, no multiple"),
        (cell("bids", "price_eur_per_mwh", 1, 10.0), "has the price 10 EUR/MWh after 20; prices must rise"),
        (cell("bids", "price_eur_per_mwh", 1, np.nan), "has a price or quantity that is no finite number"),
        (cell("bids", "price_eur_per_mwh", 0, 30.0), ""),
        (rows_of("bids", [2, *ALL[3:]]), "gives -0.1 MW at the market's 50 EUR/MWh, but the plan's mean position is"),
        (long_curve, "has 201 rows; at most 200 are allowed"),
        (cell("reserve", "backed_kw", 0, 9.0), "'battery', 2018-05-14T00:00:00+02:00: backs 9 kW for 'up-2h'"),
        (cell("reserve", "direction", 0, "left"), "reserve.parquet has the direction 'left'; 'up' or 'down'"),
        (rows_of("reserve", [0, *range(len(reserve_rows()))]), "reserve.parquet has more than one row"),
        (cell("reserve", "time", 0, HORIZON.times[0] - pd.Timedelta("1h")), "reserve.parquet has rows at times"),
        *((part(name, 7.0), f"level2.{name} is 7.0, but should be") for name in PARTS),
        (part("profit_eur", PROFIT + 1), "level2.profit_eur is"),
        (cell("steps", "profit_eur", 0, 0.0), "steps.parquet, profit_eur is"),
        (rows_of("shares", [0]), "POD 'works': shares.parquet has 0 rows for this POD"),
        (cell("shares", "pod", 1, "mill"), "POD 'mill': the study has no such POD, but shares.parquet has"),
        (cell("shares", "energy_eur", 0, 0.0), "POD 'home': shares.parquet, contribution_eur is"),
        (cell("shares", "contribution_eur", 0, 0.0), "shares.parquet, the sum of contribution_eur is"),
        (moved("energy_eur", 0.5), "energy_eur of POD 'home' is -1.314, but should be -1.814"),
        (moved("reserve_eur", 0.05), "reserve_eur of POD 'home' is 0.158, but should be 0.108"),
        (moved("limits_eur", 0.25), "shares.parquet, limits_eur of POD 'home' is"),
        (cell("shadow", "eur_per_kwh", 0, 0.06), "energy_eur of POD 'home' is -1.814, but should be -1.869"),
        (without("shadow"), "the study couples its PODs, but there is no shadow.parquet"),
        (moved("plan_profit_eur", 1.0, "pod_summary"), "pod_summary.parquet, plan_profit_eur of POD 'home' is"),
        (worth("summary", "plan_eur"), "summary.json, worth.plan_eur is 7.0, but should be"),
        (worth("summary", "alone_eur"), "summary.json, worth.alone_eur is 7.0, but should be -12.12"),
        (worth("summary", "reference_promise_eur"), "worth.reference_promise_eur is 7.0, but should be 3"),
        (worth("certificate", "reference_delivered_eur"), "'reference_delivered_eur': 2.0}, but certificate.json"),
        (undelivered, "summary.json, undelivered_kwh is 5.0, but should be"),
        (rows_of("bids", ALL[12:]), "has no energy bid for the market time unit from 2018-05-14 03:00:00+02:00"),
        (cell("bids", "quantity_mw", 0, 5.0), "has 5 MW, more than the 0.008 MW that the portfolio's limits leave"),
        (cell("bids", "quantity_mw", 2, -5.0), "has -5 MW, less than the -0.014 MW that the portfolio's limits leave"),
        (cell("shares", "retail_eur", 1, 1.3), "retail_eur of POD 'works' is 1.3, but should be 1.2"),
        (cell("shares", "device_eur", 1, 2.4), "device_eur of POD 'works' is 2.4, but should be -2.4"),
        (round_of(1, "bound_eur", PROFIT + 0.3), "the least bound_eur of its 2 rounds is"),
        (round_of(0, "profit_eur", PROFIT + 1.1), "round 1 earns"),
    ],
)  # fmt: skip
def test_a_spoiled_file_is_named(tmp_path: Path, change: Change, words: str) -> None:
    """One thing is changed after the run; a curve that is merely steeper stays good."""
    report = check_results(portfolio(), PRICES, write(tmp_path, change), market=MARKET)
    assert report.good if not words else words in lines(report), lines(report)
