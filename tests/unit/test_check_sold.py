"""The check of a plan settled on the market and at retail, worked out by hand: a battery backs reserve for a load too.

Half-hour steps from 08:00 to 11:00 in Rome, three market time units of an hour; no efficiency is 1.
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
    CheckReport,
    Schedule,
    check_backed,
    check_offers,
    check_portfolio_limits,
    check_reserve,
    check_results,
)
from podium.devices import Battery, Chp, CurtailableLoad, Device, FixedLoad, HeatPump, Pv
from podium.errors import InputError
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import GroupLimits, Market, PositionLimits, ReserveProduct
from podium.portfolio import Pod, Portfolio

STEPS = 6
HORIZON = Horizon(datetime(2018, 5, 14, 8, tzinfo=ZoneInfo("Europe/Rome")), 30, STEPS, "Europe/Rome")
PROFILES = {"load": [1, 0.5, 1, 1, 0.5, 1], "heat": [1] * STEPS, "sun": [0, 1, 1, 1, 0.5, 0]}
BATTERY = Battery(
    device="bat", charge_max_kw=40, discharge_max_kw=50, energy_max_kwh=100, energy_min_kwh=0, energy_initial_kwh=60,
    charge_efficiency=0.9, discharge_efficiency=0.8, wear_eur_per_kwh=0.02, energy_end_min_kwh=0,
)  # fmt: skip
PODS = [
    Pod(pod="a", group="north", devices=[BATTERY], buy_eur_per_kwh=0.2, sell_eur_per_kwh=0.1, withdrawal_max_kw=25,
        injection_max_kw=45),
    Pod(pod="b", group="south", devices=[FixedLoad(device="load", profile="load", scale_kw=20)], buy_eur_per_kwh=0.2,
        sell_eur_per_kwh=0.1, peak_eur_per_kw=0.3),
]  # fmt: skip
POWER = {"bat": [10, 0, -8, 0, 0, 0], "load": [20, 10, 20, 20, 10, 20]}
#: 60 + 0.5 x 10 x 0.9, then less 0.5 x 8 / 0.8.
LEVEL = [64.5, 64.5, 59.5, 59.5, 59.5, 59.5]
BUY, SELL = np.array([50.0, 60, 40, 40, 30, 70]), np.array([40.0, 50, 36, 36, 30, 60])
PRICES = EnergyPrices(BUY, SELL, np.zeros(STEPS))
UP = ReserveProduct(
    "up", "up", np.array([0, 0, 1, 1, -1, -1]), np.array([10.0, 12.0]), np.full(STEPS, 150.0), activated_share=0.1,
    sustain_hours=1.0, minimum_mw=0.02, increment_mw=0.005, maximum_mw=np.array([0.03, np.inf]),
)  # fmt: skip
BOTH = ReserveProduct(
    "both", "symmetric", np.zeros(STEPS, dtype=np.int64), np.array([20.0]), np.zeros(STEPS), activated_share=0.2,
    sustain_hours=0.5, maximum_mw=np.array([np.inf]),
)  # fmt: skip


def limits(withdrawal_kw: float, injection_kw: float) -> PositionLimits:
    return PositionLimits(np.full(STEPS, withdrawal_kw), np.full(STEPS, injection_kw))


MARKET = Market(
    settlement="both", time_unit_minutes=60, reserves=(UP, BOTH), limits=limits(42, 33), peak_eur_per_kw=0.5,
    headroom_up_kw=3, headroom_down_kw=2, headroom_sustain_hours=0.5, groups=(GroupLimits("north", limits(22, 43)),),
)  # fmt: skip
OFFERS_KW = {"up": np.array([30.0, 20.0]), "both": np.array([10.0])}
#: The parts of the profit, by hand. Positions are 30, 10, 12, 20, 10, 20 kW: means of 20, 16, 15 kW at 55, 40, 50.
ENERGY_EUR = -(55 * 20 + 40 * 16 + 50 * 15) / 1000
#: 0.03 MW x 0.5 h x (10 + 0.1 (150 - 45) + 10 + 0.1 (150 - 55)), 0.02 MW x 1 h x (12 + 0.1 (150 - 38)), 0.01 x 60.
RESERVE_EUR = 0.03 * 0.5 * 40 + 0.02 * 23.2 + 0.6
#: POD a: 0.5 h x (10 x 0.2 - 8 x 0.1); POD b: 50 kWh x 0.2 and 20 kW x 0.3.
RETAIL_EUR = [0.6, 16.0]
WEAR_EUR = 0.02 * 8 * 0.5
PEAK_EUR = 0.5 * 30
#: POD a withdraws 1 kWh and backs 50 kWh of `up`, 30 up and 30 down of the other, and 9 and 6 of headroom; POD b
#: withdraws 50 kWh.
SHADOW = {
    ("energy", "north"): 1.0, ("energy", ""): -(ENERGY_EUR + 1) / 50, ("up up", "north"): 1.064 / 50,
    ("both up", "north"): 0.6 / 30,
}  # fmt: skip
PROFIT_EUR = ENERGY_EUR + RESERVE_EUR - sum(RETAIL_EUR) - WEAR_EUR - PEAK_EUR


def portfolio(*pods: Pod) -> Portfolio:
    return Portfolio.of(pods or PODS, HORIZON, PROFILES)


def schedule() -> Schedule:
    power = np.array([POWER["load"], POWER["bat"]], dtype=float)
    energy = np.array([[np.nan] * STEPS, LEVEL])
    return Schedule(np.array(["load", "bat"], dtype=object), power, energy, 0 * power, 0 * power)


def backing() -> Backing:
    """The battery alone backs everything."""
    up, down = np.zeros((3, 1, STEPS)), np.zeros((3, 1, STEPS))
    up[0, 0], up[1], down[1], up[2], down[2] = [30, 30, 20, 20, 0, 0], 10, 10, 3, 2
    return Backing(np.array(["bat"], dtype=object), ("up", "both", "headroom"), up, down)


def changed(side: str, product: int, step: int, kw: float) -> Backing:
    good = backing()
    numbers = getattr(good, side).copy()
    numbers[product, 0, step] = kw
    return replace(good, **{side: numbers})


def lines(report: CheckReport) -> str:
    return "\n".join(map(str, report.violations))


def test_the_backing_worked_out_by_hand_is_good() -> None:
    """Power 43 of 50 kW, at most 45.625 of 64.5 kWh, connections, sums and limits of the whole hold, some exactly."""
    net = np.array([POWER["bat"], POWER["load"]], dtype=float)
    for report in (
        check_reserve(portfolio(), schedule(), backing(), MARKET),
        check_offers(MARKET, HORIZON, OFFERS_KW),
        check_backed(MARKET, HORIZON, OFFERS_KW, backing()),
        check_portfolio_limits(portfolio(), MARKET, net, OFFERS_KW, backing()),
    ):
        assert report.good, lines(report)


@pytest.mark.parametrize(
    ("side", "product", "step", "kw", "words"),
    [
        ("up_kw", 0, 1, 38, "backs 38 kW for 'up' and 10 kW for 'both' and 3 kW for 'headroom' (up), but its power of "
         "0 kW leaves 50 kW"),
        ("down_kw", 1, 0, 30, "(down), but its power of 10 kW leaves 30 kW"),
        ("up_kw", 0, 1, 34, "with the 47 kW up that its devices back, the POD's injection is 47 kW, more than the 45"),
        ("down_kw", 1, 0, 15, "the POD's withdrawal is 27 kW, more than the 25 kW of its connection"),
        ("up_kw", 0, 4, 5, "backs 5 kW up for 'up', which is not sold in this step"),
        ("down_kw", 0, 0, 5, "backs 5 kW down for 'up', which has no such side"),
        ("up_kw", 1, 0, -1, "backs -1 kW up for 'both', less than nothing"),
        ("up_kw", 1, 0, np.nan, "values that are no finite numbers"),
    ],
)  # fmt: skip
def test_a_backing_that_the_battery_cannot_bear_is_found(
    side: str, product: int, step: int, kw: float, words: str
) -> None:
    """One number of the backing is changed; the sentence says who, when, what and what was expected."""
    report = check_reserve(portfolio(), schedule(), changed(side, product, step, kw), MARKET)
    assert words in lines(report)
    if "POD's" not in words and np.isfinite(kw):
        assert any(v.device == "bat" and v.step == step and words in v.what for v in report.violations)


def test_energy_must_last_for_the_whole_call() -> None:
    """For 1 h each kW up takes 1.25 kWh: 2.6 h of 20 kW at 09:00 need 65 kWh beside 16.25, of the 59.5 that are there.

    At the horizon's end the four steps before have moved 0.5 h x 1.25 x what they backed: that is found as well.
    """
    long = replace(MARKET, reserves=(replace(UP, sustain_hours=2.6), BOTH))
    report = check_reserve(portfolio(), schedule(), backing(), long)
    said = [v for v in report.violations if v.step == 2 and "sustaining" in v.what]
    assert len(said) == 1
    assert "sustaining that takes 73.125 kWh, but its store holds 59.5 kWh at the end of this step" in said[0].what
    assert said[0].amount == pytest.approx(73.125 - 59.5)
    assert "a call (up) up to this step moves" in lines(report)


def test_energy_to_fill_is_what_is_left_above() -> None:
    """At 08:00 down 10 kW for 4 h and the headroom's 2 kW for 0.5 h take (40 + 1) x 1.25 kWh; 35.5 kWh are free."""
    long = replace(MARKET, reserves=(UP, replace(BOTH, sustain_hours=4.0)))
    report = check_reserve(portfolio(), schedule(), backing(), long)
    assert "sustaining that takes 51.25 kWh" in lines(report)
    assert "35.5 kWh to fill" in lines(report)


def test_only_known_devices_and_products_back() -> None:
    """A stranger's backing and one for a product that is not there are named."""
    good = backing()
    strange = replace(good, device_ids=np.array(["ghost"], dtype=object))
    assert "'ghost': backs reserve, but the study has no such device" in lines(
        check_reserve(portfolio(), schedule(), strange, MARKET)
    )
    other = replace(good, products=("up", "else", "headroom"))
    assert "devices back 'else', but the study has no such product" in lines(
        check_reserve(portfolio(), schedule(), other, MARKET)
    )
    with pytest.raises(InputError, match="5 steps"):
        check_reserve(portfolio(), schedule(), replace(good, up_kw=good.up_kw[..., :5], down_kw=good.down_kw[..., :5]),
                      MARKET)  # fmt: skip


CYCLED = BATTERY.model_copy(update={"cycles_max_per_day": 0.3})
HEAT: dict[str, Any] = {
    "heat_profile": "heat", "heat_scale_kw": 3, "heat_store_max_kwh": 20, "heat_store_initial_kwh": 10,
    "heat_store_end_min_kwh": 0,
}  # fmt: skip
ENGINE = Chp(device="x", electric_max_kw=10, electric_min_kw=4, heat_ratio=1.5, heat_spill_max_kw=30, boiler_max_kw=9,
             **HEAT)  # fmt: skip


@pytest.mark.parametrize(
    ("device", "power", "aux", "up", "down", "words"),
    [
        (ENGINE, 0, 3, 1, 0, "what is off backs nothing"),
        (ENGINE, -5, 0, 0, 2, "its power of -5 kW leaves 1 kW"),
        (ENGINE, -5, 0, 6, 0, "its power of -5 kW leaves 5 kW"),
        (ENGINE.model_copy(update={"ramp_kw_per_hour": 20}), -5, 0, 1, 0, "its ramp of 20 kW per hour lets it back no"),
        (HeatPump(device="x", electric_max_kw=3, electric_min_kw=1, cop=3, **HEAT), 1.5, 0, 0.8, 0, "leaves 0.5 kW"),
        (CYCLED.model_copy(update={"device": "x"}), 0, 0, 30, 0, "the cycle limit allows 30 kWh"),
        (Pv(device="x", profile="sun", scale_kw=4), 0, 0, 0, 1, "for 'any', but a pv may not; it takes battery, chp"),
        (CurtailableLoad(device="x", profile="heat", scale_kw=5, curtailable_fraction=0.5,
                         curtailable_energy_kwh_per_day=2), 5, 0, 2.5, 0, "sustaining that takes 2.5 kWh, but its st"),
    ],
)  # fmt: skip
def test_each_kind_has_its_own_room(
    device: Device, power: float, aux: float, up: float, down: float, words: str
) -> None:
    """Engines and pumps stay on or off, ramps back nothing, cycles and day allowances end, sun is no reserve."""
    alone = portfolio(Pod(pod="p", devices=[device]))
    powers, heat = np.full((1, STEPS), float(power)), np.full((1, STEPS), float(aux))
    plan = Schedule(np.array(["x"], dtype=object), powers, np.zeros((1, STEPS)), heat, np.zeros((1, STEPS)))
    product = replace(BOTH, name="any", sustain_hours=1.0)
    ups, downs = np.zeros((1, 1, STEPS)), np.zeros((1, 1, STEPS))
    ups[0, 0, 1], downs[0, 0, 1] = up, down
    report = check_reserve(
        alone, plan, Backing(plan.device_ids, ("any",), ups, downs), Market(reserves=(product,))
    )  # fmt: skip
    assert words in lines(report)


def test_behind_a_narrow_connection_devices_go_on_at_rest() -> None:
    """A pump could catch up at full power later, but a connection that cannot carry it and the load will not let it.

    Heat of 10 kWh less 0.5 h x 3 kW a step lasts 6 steps at rest with 1 kWh left: at rest there is 1 kWh to spare, less
    than the 0.5 h x 3 kWh/kWh x 1 kW that a call takes.
    """
    pump = HeatPump(device="x", electric_max_kw=3, cop=3, heat_store_min_kwh=0, **HEAT)
    load = FixedLoad(device="l", profile="heat", scale_kw=5)
    power = np.array([[0.9] * STEPS, [5.0] * STEPS])
    plan = Schedule(np.array(["x", "l"], dtype=object), power, np.full((2, STEPS), np.nan), 0 * power, 0 * power)
    up = np.zeros((1, 1, STEPS))
    up[0, 0, 0] = 0.9
    given = Backing(np.array(["x"], dtype=object), ("any",), up, 0 * up)
    market = Market(reserves=(replace(BOTH, name="any", sustain_hours=2.0),))
    wide = portfolio(Pod(pod="p", devices=[pump, load], withdrawal_max_kw=8))
    narrow = portfolio(Pod(pod="p", devices=[pump, load], withdrawal_max_kw=7))
    assert check_reserve(wide, plan, given, market).good
    assert "sustaining that takes 5.4 kWh" in lines(check_reserve(narrow, plan, given, market))


@pytest.mark.parametrize(
    ("name", "block", "kw", "words"),
    [
        ("up", 0, 35, "offers 0.035 MW of 'up' in block 0 (from 2018-05-14T08:00+02:00), more than its maximum of 0.0"),
        ("up", 1, 15, "offers 0.015 MW of 'up' in block 1 (from 2018-05-14T09:00+02:00), below its minimum of 0.02 MW"),
        ("up", 1, 22, "offers 0.022 MW of 'up' in block 1 (from 2018-05-14T09:00+02:00), no multiple of its increment"),
        ("both", 0, -1, "but offers are finite numbers of at least 0"),
    ],
)  # fmt: skip
def test_offers_keep_the_rules_of_their_products(name: str, block: int, kw: float, words: str) -> None:
    """Minimum, increment and maximum; the sentence names product, block, offer and rule."""
    offers = {key: values.copy() for key, values in OFFERS_KW.items()}
    offers[name][block] = kw
    report = check_offers(MARKET, HORIZON, offers)
    assert words in lines(report)
    assert report.count == 1


def test_offers_of_what_is_not_there() -> None:
    """An unknown product is told; offers for other blocks than there are cannot be judged."""
    assert "'night' is offered" in lines(check_offers(MARKET, HORIZON, OFFERS_KW | {"night": np.array([1.0])}))
    with pytest.raises(InputError, match="one per block"):
        check_offers(MARKET, HORIZON, {"up": np.array([30.0])})


@pytest.mark.parametrize(
    ("side", "product", "step", "kw", "words"),
    [
        ("up_kw", 0, 1, 29.0, "'up' promises 30 kW up in block 0 (from 2018-05-14T08:00+02:00), but devices back 29 k"),
        ("down_kw", 1, 5, 9.0, "'both' promises 10 kW down in block 0"),
        ("up_kw", 1, 5, 9.0, "'both' promises 10 kW up in block 0"),
        ("up_kw", 2, 3, 2.5, "the headroom promises 3 kW up, but devices back 2.5 kW"),
        ("down_kw", 2, 3, 0.5, "the headroom promises 2 kW down, but devices back 0.5 kW"),
    ],
)  # fmt: skip
def test_devices_back_every_offer_and_the_headroom(side: str, product: int, step: int, kw: float, words: str) -> None:
    """Each side of a symmetric offer by itself, at every step of its block."""
    report = check_backed(MARKET, HORIZON, OFFERS_KW, changed(side, product, step, kw))
    assert words in lines(report)
    assert [violation.step for violation in report.violations] == [step]


@pytest.mark.parametrize(
    ("market", "words"),
    [
        (replace(MARKET, limits=limits(41, 33)), "the withdrawal of the portfolio with 12 kW called is 42 kW, more th"),
        (replace(MARKET, limits=limits(42, 32)), "the injection of the portfolio with 43 kW called is 33 kW, more tha"),
        (replace(MARKET, groups=(GroupLimits("north", limits(21, 43)),)), "the withdrawal of the group 'north' with 1"),
        (replace(MARKET, groups=(GroupLimits("north", limits(22, 42)),)), "the injection of the group 'north' with 43"),
    ],
)  # fmt: skip
def test_limits_of_the_whole_and_of_groups_hold_with_all_offers_called(market: Market, words: str) -> None:
    """30 kW with 12 kW down at 08:00, 10 kW with 43 kW up at 08:30; the battery's group 10 + 12 and 0 - 43."""
    net = np.array([POWER["bat"], POWER["load"]], dtype=float)
    report = check_portfolio_limits(portfolio(), market, net, OFFERS_KW, backing())
    assert words in lines(report)


Tables = dict[str, pd.DataFrame]
Documents = dict[str, dict[str, Any]]
Change = Callable[[Tables, Documents], None]


def unchanged(tables: Tables, documents: Documents) -> None:
    """Leave the results as they are."""


def bid_table() -> pd.DataFrame:
    """Curves that give 0.0 MW (20, 16 and 15 kW rounded) at 50, 38 and 47.5 EUR/MWh, and the offers."""
    times = [*HORIZON.times, HORIZON.times[-1] + pd.Timedelta("30min")]
    rows: list[tuple[Any, ...]] = []
    for unit, prices in enumerate(((40, 60), (30, 50), (40, 60))):
        span = times[2 * unit], times[2 * unit + 2]
        rows += [
            ("energy", "net", *span, float(price), np.nan, mw) for price, mw in zip(prices, (0.1, 0.0), strict=True)
        ]
    rows += [
        ("up", "up", times[0], times[2], np.nan, 10.0, 0.03),
        ("up", "up", times[2], times[4], np.nan, 12.0, 0.02),
        ("both", "symmetric", times[0], times[6], np.nan, 20.0, 0.01),
    ]
    columns = ["market", "direction", "start", "end", "price_eur_per_mwh", "availability_eur_per_mw_h", "quantity_mw"]
    return pd.DataFrame(rows, columns=columns)


def reserve_table() -> pd.DataFrame:
    good, rows = backing(), []
    for direction, side in (("up", good.up_kw), ("down", good.down_kw)):
        for product, step in zip(*np.nonzero(side[:, 0]), strict=True):
            rows.append(
                ("a", "bat", good.products[product], direction, HORIZON.times[step], side[product, 0, step])
            )  # fmt: skip
    return pd.DataFrame(rows, columns=["pod", "device", "product", "direction", "time", "backed_kw"])


def write_results(folder: Path, change: Change) -> Path:
    """The good results as a run writes them, after `change` has spoiled something."""
    names, times = ["bat", "load"], HORIZON.times
    power = np.array([POWER[name] for name in names], dtype=float)
    position, mean = power.sum(axis=0), np.repeat([20.0, 16.0, 15.0], 2)
    pods = {"pod": np.repeat(["a", "b"], STEPS), "time": times.append(times)}
    level2 = {"method": "exact", "profit_eur": PROFIT_EUR, "bound_eur": PROFIT_EUR + 0.25, "gap": 0.25 / -PROFIT_EUR}
    rounds = [
        {"round": 1, "bound_eur": PROFIT_EUR + 1, "profit_eur": PROFIT_EUR - 1, "gap": 2 / (1 - PROFIT_EUR)},
        {"round": 2, "bound_eur": PROFIT_EUR + 0.25, "profit_eur": PROFIT_EUR - 0.1},
    ]
    parts = {"energy_eur": ENERGY_EUR, "reserve_eur": RESERVE_EUR, "retail_eur": sum(RETAIL_EUR),
             "device_eur": WEAR_EUR, "peak_eur": PEAK_EUR,
             "offers_mw": {"up": [0.03, 0.02], "both": [0.01]}}  # fmt: skip
    share = pd.DataFrame(
        {"pod": ["a", "b"], "energy_eur": [-1.0, ENERGY_EUR + 1], "reserve_eur": [RESERVE_EUR, 0.0],
         "retail_eur": [-0.6, -16.0], "device_eur": [-WEAR_EUR, 0.0],
         "limits_eur": [-PEAK_EUR * 134 / 184, -PEAK_EUR * 50 / 184]}
    )  # fmt: skip
    share["contribution_eur"] = share.iloc[:, 1:].sum(axis=1)
    tables = {
        "schedule": pd.DataFrame(
            pods | {"device": np.repeat(names, STEPS), "power_kw": power.ravel(), "aux_kw": 0.0, "spill_kw": 0.0,
                    "energy_kwh": [*LEVEL, *[np.nan] * STEPS], "baseline_kw": power.ravel()}
        ),
        "pods": pd.DataFrame(pods | {"baseline_kw": power.ravel(), "plan_kw": power.ravel()}),
        "pod_summary": pd.DataFrame(
            {"pod": ["a", "b"], "status": "ok", "cost_eur": [0.68, 16.0], "plan_profit_eur": share["contribution_eur"]}
        ),
        "steps": pd.DataFrame(
            {"time": times, "position_kw": position, "baseline_kw": position, "buy_eur_per_mwh": BUY,
             "sell_eur_per_mwh": SELL, "profit_eur": -mean * BUY / 2000}
        ),
        "bids": bid_table(), "reserve": reserve_table(), "shares": share,
        "shadow": pd.DataFrame(
            [(*name, time, price) for name, price in SHADOW.items() for time in times],
            columns=["what", "group", "time", "eur_per_kwh"],
        ),
    }  # fmt: skip
    summary = {
        "start": HORIZON.start.isoformat(), "end": HORIZON.end.isoformat(), "step_minutes": 30, "steps": STEPS,
        "pods": 2, "devices": 2, "level1": {"cost_eur": 16.68, "failed": 0}, "level2": level2 | parts,
        "undelivered_kwh": 0.0, "worth": {"plan_eur": PROFIT_EUR, "alone_eur": -16.68},
    }  # fmt: skip
    documents = {"summary": summary, "certificate": level2 | {"rounds": rounds, "worth": dict(summary["worth"])}}
    change(tables, documents)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def judged(folder: Path, change: Change, market: Market = MARKET) -> CheckReport:
    return check_results(portfolio(), PRICES, write_results(folder, change), market=market)


def test_the_files_of_a_plan_that_sells_are_good(tmp_path: Path) -> None:
    """All parts of the money as worked out by hand, bids, backing, limits, shares and certificate."""
    report = judged(tmp_path, unchanged)
    assert report.good, lines(report)


def cell(table: str, column: str, row: int, value: object) -> Change:
    def change(tables: Tables, documents: Documents) -> None:  # noqa: ARG001
        tables[table].loc[row, column] = value

    return change


def entry(document: str, *path: Any, value: object) -> Change:
    def change(tables: Tables, documents: Documents) -> None:  # noqa: ARG001
        place: Any = documents[document]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


def without(table: str, *rows: int) -> Change:
    def change(tables: Tables, documents: Documents) -> None:  # noqa: ARG001
        if rows:
            tables[table] = tables[table].drop(index=list(rows))
        else:
            del tables[table]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (entry("summary", "level2", "offers_mw", "up", value=[0.03, 0.03]), "in block 1 is 0.03, but should be 0.02"),
        (entry("summary", "level2", "offers_mw", "up", value=[0.03]), "level2.offers_mw of 'up' has 1 blocks, not 2"),
        (without("reserve"), "the study sells reserve or keeps headroom, but there is no reserve.parquet"),
        (without("shares"), "the study couples its PODs, but there is no shares.parquet"),
        (without("bids", 2, 3), "no energy bid for the market time unit from 2018-05-14 09:00"),
        (cell("bids", "quantity_mw", 1, -0.2), "gives -0.2 MW at the market's 50 EUR/MWh, but the plan's mean positio"),
        (cell("bids", "end", 0, HORIZON.times[3]), "is no market time unit of the study"),
        (cell("bids", "start", 7, HORIZON.times[0]), "is no block in which the product is sold"),
        (cell("bids", "quantity_mw", 6, 0.025), "level2.reserve_eur is"),
        (cell("bids", "quantity_mw", 7, 0.025), "'up' promises 25 kW up in block 1"),
        (cell("reserve", "backed_kw", 0, 29.0), "'up' promises 30 kW up in block 0 (from 2018-05-14T08:00+02:00), but"),
        (cell("reserve", "device", 0, "load"), "POD 'b', 'load', 2018-05-14T08:00:00+02:00: backs 30 kW up for 'up',"),
        (cell("steps", "profit_eur", 3, 0.0), "steps.parquet, profit_eur is -0.32 EUR, but position and prices make -"),
        (cell("shares", "pod", 1, "c"), "the study has no such POD, but shares.parquet has"),
        (entry("certificate", "rounds", 1, "bound_eur", value=-30.0), "the least bound_eur of its 2 rounds is -31.5"),
        (entry("certificate", "rounds", 0, "profit_eur", value=-30.0), "round 1 earns -30 EUR, more than its bound of"),
        (entry("certificate", "rounds", 0, "gap", value=0.5), "certificate.json, gap of round 1 is 0.5, but should be"),
        (entry("certificate", "gap", value=0.5), "certificate.json, gap is 0.5, but should be"),
    ],
)  # fmt: skip
def test_a_spoiled_file_is_named(tmp_path: Path, change: Change, words: str) -> None:
    """One cell, row, file or entry is changed after the run."""
    assert words in lines(judged(tmp_path, change))


@pytest.mark.parametrize(
    ("settlement", "part"), [("market", "retail_eur is 16.6, but should be 0"), ("retail", "energy_eur is -2.49, but")]
)
def test_money_is_settled_where_the_study_says(tmp_path: Path, settlement: Any, part: str) -> None:
    """Settled on the market alone nobody pays a retail bill, at retail alone there is no market money."""
    assert part in lines(judged(tmp_path, unchanged, replace(MARKET, settlement=settlement)))


def test_the_reference_method_sells_nothing(tmp_path: Path) -> None:
    """With `virtus` no bids, backing or shares are asked for; the plan's profit is market money less wear."""

    def change(tables: Tables, documents: Documents) -> None:
        energy = -np.array([30, 10, 12, 20, 10, 20]) * BUY / 2000
        tables["steps"]["profit_eur"] = energy
        profit = float(energy.sum()) - WEAR_EUR
        level2 = {"method": "virtus", "profit_eur": profit, "bound_eur": None, "gap": None}
        worth = documents["summary"]["worth"] = {"plan_eur": profit, "alone_eur": -16.68}
        documents["certificate"], documents["summary"]["level2"] = level2 | {"worth": worth}, dict(level2)
        tables["pod_summary"]["plan_profit_eur"] = [profit, 0.0]
        for name in ("bids", "reserve", "shares"):
            del tables[name]

    report = judged(tmp_path, change)
    assert report.good, lines(report)
