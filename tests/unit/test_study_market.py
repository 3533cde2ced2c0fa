"""The key `market` of study.yaml: what it becomes, and what a user reads who made a mistake in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import podium
from podium.devices import KINDS
from podium.errors import InputError
from podium.horizon import Horizon
from podium.market.terms import Market, ReserveProduct
from podium.study import Study, load_study, write_study
from podium.study.blocks import Window
from podium.study.groups import GROUPS_MAX
from podium.study.presets import presets
from unit.study_folders import hourly, one_home, series, write_files

HEAD = len(one_home()["study.yaml"].splitlines())
AFRR = "reserve:\n  - preset: eu-afrr\n    availability_eur_per_mw_h: "


TWO_GROUPS = {
    "pods_csv": "pod,group,buy_eur_per_kwh\nhome-1,north,0.3\nhome-2,south,0.25\n",
    "profiles_csv": hourly("time,sun,household,feeder,unused", 0.2, 0.4, 3.0, -1.0),
}
"""PODs in two groups, and a profile that may be a limit."""


def with_market(text: str, **files: str) -> dict[str, str]:
    """The small study with these keys under `market`; they begin in line HEAD + 2."""
    found = one_home() | {name.replace("_csv", ".csv"): content for name, content in files.items()}
    found["study.yaml"] += "market:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    return found


def market(folder: Path, text: str, **files: str) -> Market:
    return load_study(write_files(folder, with_market(text, **files))).market


def problems(folder: Path, text: str, **files: str) -> list[str]:
    """What `load_study` says, with lines counted from the first one below `market:`."""
    with pytest.raises(InputError) as caught:
        load_study(write_files(folder, with_market(text, **files)))
    found = [str(problem) for problem in caught.value.problems]
    for line in range(40, 0, -1):
        found = [message.replace(f"study.yaml, line {HEAD + 1 + line}:", f"line {line}:") for message in found]
    return found


def blocks_of(product: ReserveProduct) -> list[int]:
    """Steps per block."""
    return np.bincount(product.block[product.block >= 0]).tolist()


# ---- what it becomes


def test_without_the_key_nothing_is_added(tmp_path: Path) -> None:
    found = load_study(write_files(tmp_path, one_home())).market
    assert found == Market()


def test_limits_are_numbers_or_profiles_and_groups_are_those_of_the_pods(tmp_path: Path) -> None:
    """The profile `feeder` is 3 kW x (1 + hour / 10); a side that is not named is free."""
    text = """\
settlement: both
time_unit_minutes: 60
limits: {withdrawal_max_kw: 12.5, injection_max_kw: feeder}
peak_eur_per_kw: 0.3
headroom_up_kw: 1.5
headroom_down_kw: 0.5
headroom_sustain_hours: 0.75
groups:
  - {group: north, injection_max_kw: 4}
takeover: priority
priority: [battery-1, ev_charger]
"""
    profiles = hourly("time,sun,household,feeder", 0.2, 0.4, 3.0)
    found = market(tmp_path, text, profiles_csv=profiles)
    assert (found.settlement, found.time_unit_minutes, found.peak_eur_per_kw) == ("both", 60, 0.3)
    assert (found.headroom_up_kw, found.headroom_down_kw, found.headroom_sustain_hours) == (1.5, 0.5, 0.75)
    assert found.limits is not None
    assert (found.limits.withdrawal_max_kw == 12.5).all()
    np.testing.assert_allclose(found.limits.injection_max_kw, np.repeat(3.0 * (1 + np.arange(24) / 10), 4))
    assert [group.name for group in found.groups] == ["north"]
    assert (found.groups[0].limits.injection_max_kw == 4).all()
    assert np.isinf(found.groups[0].limits.withdrawal_max_kw).all()
    assert (found.takeover, found.priority) == ("priority", ("battery-1", "ev_charger"))


def test_groups_may_be_a_table(tmp_path: Path) -> None:
    """As CSV and as Parquet: numbers, names of profiles, and empty cells, as the list has them."""
    listed = market(tmp_path / "list", "groups:\n  - {group: north, withdrawal_max_kw: feeder, injection_max_kw: 4}\n"
                    "  - {group: south, injection_max_kw: 5.5}", **TWO_GROUPS)  # fmt: skip
    rows = "group,injection_max_kw,withdrawal_max_kw\nnorth,4,feeder\nsouth,5.5,\n"
    folder = write_files(tmp_path / "csv", with_market("groups: groups.csv", groups_csv=rows, **TWO_GROUPS))
    from_csv = load_study(folder)
    same_groups(from_csv.market, listed)
    again = load_study(write_study(from_csv, tmp_path / "again", "parquet"))
    assert (tmp_path / "again" / "groups.parquet").is_file()
    same_groups(again.market, listed)
    frame = pd.DataFrame({"group": ["north", "south"], "injection_max_kw": [4, 5.5]})
    numbers = write_files(tmp_path / "numbers", with_market("groups: {file: groups.parquet}", **TWO_GROUPS))
    frame.to_parquet(numbers / "groups.parquet")
    found = load_study(numbers).market.groups
    assert [group.limits.injection_max_kw[0] for group in found] == [4, 5.5]
    assert all(np.isinf(group.limits.withdrawal_max_kw).all() for group in found)


def same_groups(one: Market, other: Market) -> None:
    assert [group.name for group in one.groups] == [group.name for group in other.groups] == ["north", "south"]
    for mine, its in zip(one.groups, other.groups, strict=True):
        np.testing.assert_array_equal(mine.limits.withdrawal_max_kw, its.limits.withdrawal_max_kw)
        np.testing.assert_array_equal(mine.limits.injection_max_kw, its.limits.injection_max_kw)


def test_profiles_of_the_market_are_none_of_the_portfolio(tmp_path: Path) -> None:
    plain = load_study(write_files(tmp_path / "plain", one_home())).portfolio.profiles
    text = "reserve:\n  - {preset: eu-fcr, availability_eur_per_mw_h: 9, activation_eur_per_mwh: unused}"
    study = load_study(write_files(tmp_path / "market", with_market(text)))
    assert study.portfolio.profiles.names == plain.names
    np.testing.assert_allclose(study.market.reserves[0].activation_eur_per_mwh[:8], [-1.0] * 4 + [-1.1] * 4)


def test_a_preset_makes_its_products_and_what_is_said_beside_it_wins(tmp_path: Path) -> None:
    text = AFRR + "7.5\n    increment_mw: 0.1\n    minimum_mw: 0.2\n    kinds: battery"
    up, down = market(tmp_path, text).reserves
    assert [(product.name, product.direction) for product in (up, down)] == [("afrr-up", "up"), ("afrr-down", "down")]
    for product in (up, down):
        assert blocks_of(product) == [16] * 6
        assert product.availability_eur_per_mw_h.tolist() == [7.5] * 6
        assert (product.minimum_mw, product.increment_mw, product.sustain_hours) == (0.2, 0.1, 1.0)
        assert np.isinf(product.maximum_mw).all()
        assert product.kinds == ("battery",)


def test_one_product_of_a_preset_under_another_name(tmp_path: Path) -> None:
    text = AFRR + "7.5\n    only: afrr-down\n    name: secondary"
    assert [(found.name, found.direction) for found in market(tmp_path, text).reserves] == [("secondary", "down")]


def test_energy_of_mfrr_is_sold_by_the_quarter_hour(tmp_path: Path) -> None:
    """From 1 MW in steps of 1 MW, held for a quarter of an hour; nothing but calls is paid."""
    text = "reserve:\n  - {preset: eu-mfrr-energy, activated_share: 0.1, activation_eur_per_mwh: 140}"
    up, down = market(tmp_path, text).reserves
    assert [(found.name, found.direction) for found in (up, down)] == [
        ("mfrr-energy-up", "up"),
        ("mfrr-energy-down", "down"),
    ]
    for product in (up, down):
        assert blocks_of(product) == [1] * 96
        assert (product.minimum_mw, product.increment_mw, product.sustain_hours) == (1.0, 1.0, 0.25)
        assert (product.availability_eur_per_mw_h == 0).all()
        assert (product.activation_eur_per_mwh == 140).all()


def test_a_market_without_prices_is_told_with_its_line(tmp_path: Path) -> None:
    """Such a study can be read, but not run: a limit needs prices, and so does a POD without a tariff."""
    files = with_market("limits: {withdrawal_max_kw: 5}")
    files["study.yaml"] = "\n".join(line for line in files["study.yaml"].splitlines() if "prices:" not in line) + "\n"
    files["pods.csv"] = "pod,buy_eur_per_kwh,sell_eur_per_kwh\nhome-1,0.3,\nhome-2,0.3,0.1\n"
    with pytest.raises(InputError) as caught:
        podium.run(load_study(write_files(tmp_path, files)), workers=1)
    tariff, settled = (str(problem) for problem in caught.value.problems)
    assert tariff == (
        "pods.csv, line 2: POD 'home-1': no selling price; expected sell_eur_per_kwh, sell_profile, or market prices "
        "in the study"
    )
    assert settled.startswith(f"study.yaml, line {HEAD}: settlement 'market' without market prices; expected a file")


def test_capacity_of_mfrr_takes_hourly_steps_and_energy_does_not(tmp_path: Path) -> None:
    """A block of four hours is four steps; a quarter-hour is none, with steps of 5 minutes it is three."""
    capacity = "reserve:\n  - {preset: eu-mfrr, availability_eur_per_mw_h: 8}"
    energy = "reserve:\n  - {preset: eu-mfrr-energy, activated_share: 0.1, activation_eur_per_mwh: 140}"
    found: dict[tuple[str, int], Study] = {}
    for name, text, minutes in (("hours", capacity, 60), ("fine", energy, 5), ("coarse", energy, 60)):
        files = with_market(text)
        files["study.yaml"] = files["study.yaml"].replace("step_minutes: 15", f"step_minutes: {minutes}")
        folder = write_files(tmp_path / name, files)
        if name == "coarse":
            with pytest.raises(InputError) as caught:
                load_study(folder)
        else:
            found[name, minutes] = load_study(folder)
    assert blocks_of(found["hours", 60].market.reserves[0]) == [4] * 6
    assert blocks_of(found["fine", 5].market.reserves[1]) == [3] * 96
    assert [str(problem) for problem in caught.value.problems] == [
        f"study.yaml, line {HEAD + 3}: blocks of 15 min from 00:00 begin or end within a step; expected blocks of "
        "whole steps of 60 min, or step_minutes: 15"
    ]


def test_uvam_is_sold_in_its_hours(tmp_path: Path) -> None:
    """2018-05-14 is a Monday: 15:00 to 18:00 are steps 60 to 71, 18:00 to 22:00 steps 72 to 87."""
    afternoon, evening = market(tmp_path, "reserve:\n  - preset: it-uvam-2021").reserves
    assert np.flatnonzero(afternoon.block == 0).tolist() == list(range(60, 72))
    assert np.flatnonzero(evening.block == 0).tolist() == list(range(72, 88))
    assert (afternoon.activation_eur_per_mwh[0], evening.activation_eur_per_mwh[0]) == (200.0, 400.0)
    assert afternoon.availability_eur_per_mw_h[0] * 3 * 261 == pytest.approx(22_500, rel=1e-3)
    assert evening.availability_eur_per_mw_h[0] * 4 * 261 == pytest.approx(30_000, rel=1e-3)


def test_a_product_without_a_day_in_the_horizon_is_told_of(tmp_path: Path) -> None:
    """2018-05-14 is a Monday: nothing is sold of what Saturdays and Sundays have, and the study runs."""
    text = "reserve:\n  - {name: x, direction: up, availability_eur_per_mw_h: 3, weekdays: [sat, sun]}"
    study = load_study(write_files(tmp_path, with_market(text)))
    assert study.market.reserves == ()
    notice = f"study.yaml, line {HEAD + 3}: product 'x' is sold on sat, sun alone, so nothing of it here"
    assert notice in study.notices


def test_hours_outside_the_horizon_are_a_problem(tmp_path: Path) -> None:
    """Half a day has no evening."""
    files = with_market("reserve:\n  - {name: x, direction: up, availability_eur_per_mw_h: 3, hours: '20:00-24:00'}")
    files["study.yaml"] = files["study.yaml"].replace("days: 1", "hours: 12")
    with pytest.raises(InputError, match=r"product 'x' has no whole block between .*; expected hours and days"):
        load_study(write_files(tmp_path, files))


def test_uvam_is_not_sold_at_the_weekend() -> None:
    """Friday to Monday: two days with a block, two without."""
    horizon = Horizon.days("2018-05-18", 4, 15, "Europe/Rome")
    found = Window(15 * 60, 18 * 60, 180, (0, 1, 2, 3, 4)).blocks(horizon)
    assert horizon.day[found.starts].tolist() == [0, 3]
    assert (found.ends - found.starts).tolist() == [12, 12]


@pytest.mark.parametrize(("day", "first"), [("2018-05-14", 16), ("2018-03-25", 12), ("2018-10-28", 20)])
def test_the_block_in_which_the_clocks_change_has_3_or_5_hours(day: str, first: int) -> None:
    found = Window(block_minutes=240).blocks(Horizon.days(day, 1, 15, "Europe/Rome"))
    assert (found.ends - found.starts).tolist() == [first, *[16] * 5]


@pytest.mark.parametrize(("day", "hours"), [("2018-03-25", 23), ("2018-10-28", 25)])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_short_blocks_are_equally_long_on_every_day(day: str, hours: int, minutes: int) -> None:
    """The repeated hour has blocks of its own."""
    found = Window(block_minutes=minutes).blocks(Horizon.days(day, 1, 15, "Europe/Rome"))
    assert (found.ends - found.starts).tolist() == [minutes // 15] * (hours * 60 // minutes)


def test_blocks_that_the_horizon_cuts_are_not_sold_and_said(tmp_path: Path) -> None:
    """From 02:00 to 20:00: the blocks from 00:00 and from 20:00 are out, four remain."""
    files = with_market(AFRR + "7.5")
    files["study.yaml"] = (
        files["study.yaml"].replace("2018-05-14", "2018-05-14T02:00+02:00").replace("days: 1", "hours: 17")
    )
    study = load_study(write_files(tmp_path, files))
    assert blocks_of(study.market.reserves[0]) == [16] * 3
    assert np.flatnonzero(study.market.reserves[0].block == 0)[0] == 8
    said = f"study.yaml, line {HEAD + 3}: product 'afrr-up' is not sold in the blocks that the horizon holds in part"
    assert study.notices[0] == f"{said}, as at 2018-05-14T02:00+02:00"


def table(*rows: tuple[str, ...], header: str = "time,afrr-up,afrr-down") -> str:
    return series(header, [(f"2018-05-14T{hour}:00+02:00", *cells) for hour, *cells in rows])


def test_prices_per_block_from_a_table(tmp_path: Path) -> None:
    """A column per product, rows in any order, and empty cells where another product has a row."""
    rows = [(f"{hour:02}:00", f"{hour}", f"{hour + 0.5}") for hour in range(0, 24, 4)]
    text = AFRR + "afrr.csv"
    up, down = market(tmp_path, text, afrr_csv=table(*rows[::-1], ("02:00", "", ""))).reserves
    assert up.availability_eur_per_mw_h.tolist() == [0, 4, 8, 12, 16, 20]
    assert down.availability_eur_per_mw_h.tolist() == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5]


def test_blocks_from_a_table(tmp_path: Path) -> None:
    """Without block_minutes the rows say what the blocks are: 01:15 to 02:00, and 05:00 to 09:30."""
    text = """\
reserve:
  - name: local
    direction: up
    availability_eur_per_mw_h: {file: local.csv, column: price}
    maximum_mw: {file: local.csv, column: most}
"""
    rows = [("2018-05-14T01:15+02:00", "2018-05-14T02:00+02:00", 3, 0.5)]
    rows += [("2018-05-14T05:00+02:00", "2018-05-14T09:30+02:00", 4, 1.5)]
    found = market(tmp_path, text, local_csv=series("time,end,price,most", rows)).reserves[0]
    assert blocks_of(found) == [3, 18]
    assert (found.block[4], found.block[5], found.block[8], found.block[20]) == (-1, 0, -1, 1)
    assert (found.availability_eur_per_mw_h.tolist(), found.maximum_mw.tolist()) == ([3, 4], [0.5, 1.5])


def test_a_limit_in_some_steps_only_cannot_be_written(tmp_path: Path) -> None:
    study = load_study(write_files(tmp_path / "in", with_market("limits: {withdrawal_max_kw: 5}")))
    assert study.market.limits is not None
    study.market.limits.withdrawal_max_kw[7] = np.inf
    with pytest.raises(InputError, match="no limit in step 7; expected a limit in each step, or none"):
        write_study(Study("x", study.portfolio, study.prices, market=study.market), tmp_path / "out")


@pytest.mark.parametrize("name", list(presets()))
def test_presets_say_where_they_are_from_and_can_be_used(tmp_path: Path, name: str) -> None:
    preset = presets()[name]
    assert len(preset.source) > 40
    assert preset.as_of[:2] == "20"
    found = market(tmp_path, f"reserve:\n  - preset: {name}\n    availability_eur_per_mw_h: 5.5").reserves
    assert [product.name for product in found] == list(preset.products)
    assert all(product.minimum_mw == 1.0 for product in found)
    assert all(set(product.kinds) <= set(KINDS) for product in found)


def test_fcr_is_symmetric_and_lasts_a_quarter_of_an_hour(tmp_path: Path) -> None:
    (fcr,) = market(tmp_path, "reserve:\n  - {preset: eu-fcr, availability_eur_per_mw_h: 5}").reserves
    assert (fcr.direction, fcr.sustain_hours, fcr.increment_mw, fcr.blocks) == ("symmetric", 0.25, 1.0, 6)


# ---- what may go wrong: keys, and the message

PRODUCT = "reserve:\n  - {name: x, direction: up, availability_eur_per_mw_h: 3"

CASES: list[tuple[str, str]] = [
    ("setlement: retail", "line 1: unknown key 'setlement'; expected 'settlement'"),
    ("settlement: net", "line 1: market.settlement 'net'; expected 'market', 'retail' or 'both'"),
    ("time_unit_minutes: 45", "line 1: market.time_unit_minutes 45; expected 15, 30 or 60"),
    ("time_unit: 45", "line 1: unknown key 'time_unit'; expected 'time_unit_minutes'"),
    (
        "limits: {withdrawal_max_kw: -5}",
        "line 1: market.limits.withdrawal_max_kw -5; expected a number at least 0, or the name of a profile",
    ),
    ("limits: {withdrawal_kw: 5}", "line 1: unknown key 'withdrawal_kw'; expected 'withdrawal_max_kw'"),
    ("peak_eur_per_kw: -1", "line 1: market.peak_eur_per_kw -1; expected greater than or equal to 0"),
    (
        "limits: {withdrawal_max_kw: sunny}",
        "line 1: withdrawal_max_kw 'sunny' is not among the profiles; expected a column of profiles.csv: 'sun'",
    ),
    (
        "limits:\n  injection_max_kw: unused",
        "line 2: profile 'unused' is -1 at 2018-05-14T00:00+02:00; expected numbers at least 0",
    ),
    (
        "groups:\n  - {group: nord, withdrawal_max_kw: 5}",
        "line 2: unknown group 'nord'; expected a group that PODs name: 'north'",
    ),
    ("groups:\n  - {withdrawal_max_kw: 5}", "line 2: 'market.groups.0.group' is missing; expected a line 'group: ...'"),
    ("groups:\n  - {group: north}\n  - {group: north}", "line 3: group 'north' stands twice; expected each group once"),
    ("groups: absent.csv", "line 1: 'absent.csv' does not exist; expected a file in the study folder, such as "
     "'battery.csv', 'ev.csv', 'load.csv', 'pods.csv', 'prices.csv', 'profiles.csv', 'pv.csv', 'study.yaml'"),
    ("groups: {file: groups.csv, shet: x}", "line 1: unknown key 'shet'; expected 'sheet'"),
    ("groups:\n  - {group: north, withdrawal: 5}", "line 2: unknown key 'withdrawal'; expected 'withdrawal_max_kw'"),
    ("groups: 5", "line 1: market.groups 5; expected a valid tuple"),
    (
        "takeover: priority",
        "line 1: takeover 'priority' without a list; expected 'priority:' with kinds or ids of devices",
    ),
    (
        "priority:\n  - batery",
        "line 2: priority 'batery'; expected a kind of device or the id of one: 'battery'",
    ),
    (PRODUCT.replace("x", "energy") + "}", "line 2: product 'energy'; expected another name; results use this one"),
    ("reserve:\n  - preset: eu-affr", "line 2: unknown preset 'eu-affr'; expected 'eu-afrr'"),
    (
        AFRR + "5\n    only: up",
        "line 4: 'eu-afrr' has no product 'up'; expected one of 'afrr-down', 'afrr-up'",
    ),
    (
        AFRR + "5\n    name: both",
        "line 4: name 'both' for 2 products; expected 'only:' with one of the preset's products",
    ),
    (
        "reserve:\n  - preset: eu-fcr",
        "line 2: 'availability_eur_per_mw_h' is missing in product 'fcr'; expected a line "
        "'availability_eur_per_mw_h: ...'",
    ),
    (
        "reserve:\n  - {direction: up, availability_eur_per_mw_h: 3}",
        "line 2: 'name' is missing (or a preset); expected a line 'name: ...'",
    ),
    (PRODUCT + ", kinds: [batery]}", "line 2: unknown kind of device 'batery'; expected 'battery'"),
    (
        PRODUCT + ", activated_share: 0.1}",
        "line 2: 'activation_eur_per_mwh' is missing in product 'x'; expected a line 'activation_eur_per_mwh: ...'",
    ),
    (
        "reserve:\n  - preset: eu-mfrr-energy",
        "line 2: 'activated_share' is missing in products 'mfrr-energy-up' and 'mfrr-energy-down'; expected a line "
        "'activated_share: ...'",
    ),
    (
        "reserve:\n  - preset: eu-mfrr-energy",
        "line 2: 'activation_eur_per_mwh' is missing in products 'mfrr-energy-up' and 'mfrr-energy-down'; expected a "
        "line 'activation_eur_per_mwh: ...'",
    ),
    (PRODUCT + ", block_minutes: 300}", "line 2: blocks of 300 min in 24 h; expected a length that divides the day"),
    (
        PRODUCT + ", hours: '08:00-20:00', block_minutes: 300}",
        "line 2: blocks of 300 min in 12 h; expected a length that divides the hours 08:00-20:00",
    ),
    (PRODUCT + ", hours: '20:00-08:00'}", "line 2: hours '20:00-08:00'; expected hours of one day such "
     "as 15:00-18:00, not past midnight (24:00)"),
    (
        PRODUCT + ", block_minutes: 20}",
        "line 2: blocks of 20 min from 00:00 begin or end within a step; expected blocks of whole steps of 15 min, "
        "or step_minutes: 20",
    ),
    (
        "reserve:\n  - {preset: it-uvam-2021, only: uvam-evening, hours: '19:00-20:00', sustain_hours: 2}",
        "line 2: offered for 1 h; expected at least 2 h",
    ),
    ("reserve:\n  - {preset: it-uvam-2021, block_minutes: 60}", "line 2: offered for 1 h; expected at least 2 h"),
    ("reserve:\n  - {preset: it-uvam-2021, sustain_hours: 1.5}", "line 2: held for 1.5 h; expected at least 2 h"),
    (
        PRODUCT + ", increment_mw: 0.3, maximum_mw: 1}",
        "line 2: at most 1 MW in steps of 0.3 MW; expected a maximum that is a multiple of the increment",
    ),
    (
        PRODUCT + ", minimum_mw: 2, maximum_mw: 1}",
        "line 2: at most 1 MW and at least 2 MW; expected a maximum above the minimum",
    ),
    (PRODUCT + "}\n  - {preset: eu-fcr, only: fcr, name: x, availability_eur_per_mw_h: 3}", "line 3: product 'x' "
     "stands twice; expected names that are unique"),
    (AFRR + "absent.csv", "line 3: 'absent.csv' does not exist; expected a file in the study folder, such as "
     "'battery.csv', 'ev.csv', 'load.csv', 'pods.csv', 'prices.csv', 'profiles.csv', 'pv.csv', 'study.yaml'"),
    (
        AFRR + "true",
        "line 3: market.reserve.0.availability_eur_per_mw_h True; expected a number at least 0, or a table such as "
        "afrr.csv or {file: afrr.csv, column: up}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), CASES)
def test_mistakes_in_the_keys(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems(tmp_path, text)


ROWS = [(f"{hour:02}:00", "5", "5") for hour in range(0, 24, 4)]
TABLES: list[tuple[str, str]] = [
    (
        table(*ROWS[:3], *ROWS[5:]),
        "afrr.csv: no value for the blocks from 2018-05-14T12:00+02:00, 2018-05-14T16:00+02:00; expected a row for "
        "each block of the horizon",
    ),
    (table(*ROWS, ("05:00", "4", "4")), "afrr.csv, line 8: no block starts here; expected starts of blocks"),
    (table(*ROWS, ROWS[0]), "afrr.csv, line 8: a second row for this block; expected one row per block"),
    (table(*ROWS[:5], ("20:00", "-1", "2")), "afrr.csv, line 7: afrr-up -1; expected a number at least 0"),
    (table(*ROWS[:5], ("20:00", "x", "2")), "afrr.csv, line 7: afrr-up 'x'; expected a number at least 0"),
    (
        table(*ROWS, header="time,up,down"),
        "afrr.csv, line 1: no column 'afrr-up' or 'availability_eur_per_mw_h'; expected 'column:' with one of "
        "'down', 'up'",
    ),
    (
        table(*ROWS, header="day,afrr-up,afrr-down"),
        "afrr.csv, line 1: column 'time' is missing; expected the start of each block, with an offset",
    ),
]


@pytest.mark.parametrize(("content", "message"), TABLES)
def test_mistakes_in_a_table_of_blocks(tmp_path: Path, content: str, message: str) -> None:
    assert message in problems(tmp_path, AFRR + "afrr.csv", afrr_csv=content)


OWN_ROWS: list[tuple[list[tuple[str, str]], str]] = [
    ([("01:00", "01:50")], "line 2: a block that begins or ends within a step; expected whole steps of 15 min"),
    ([("02:00", "01:00")], "line 2: a block that ends before it begins; expected time before end"),
    ([("01:00", "03:00"), ("02:00", "04:00")], "line 3: a block that begins before the one above it ends; expected "
     "blocks in order"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "message"), OWN_ROWS)
def test_mistakes_in_blocks_from_a_table(tmp_path: Path, rows: list[tuple[str, str]], message: str) -> None:
    text = "reserve:\n  - {name: x, direction: down, availability_eur_per_mw_h: x.csv}"
    content = series("time,end,x", [(*(f"2018-05-14T{time}+02:00" for time in row), 1) for row in rows])
    assert f"x.csv, {message}" in problems(tmp_path, text, x_csv=content)


GROUP_TABLES: list[tuple[str, str]] = [
    (
        "group,withdrawal_max_kw\nnorth,5\nnord,6\n",
        "groups.csv, line 3: unknown group 'nord'; expected a group that PODs name: 'north'",
    ),
    (
        "group,withdrawal_max_kw\nnorth,5\n\nnorth,6\n",
        "groups.csv, line 4: group 'north' stands twice; expected each group once",
    ),
    (
        "group,withdrawal_max_kw\nsouth,5\nnorth,-5\n",
        "groups.csv, line 3: withdrawal_max_kw -5.0; expected a number at least 0, or the name of a profile",
    ),
    (
        "group,injection_max_kw\nnorth,feder\n",
        "groups.csv, line 2: injection_max_kw 'feder' is not among the profiles; expected a column of profiles.csv: "
        "'feeder'",
    ),
    (
        "group,injection_max_kw\nnorth,unused\n",
        "groups.csv, line 2: profile 'unused' is -1 at 2018-05-14T00:00+02:00; expected numbers at least 0",
    ),
    ("group,injection_max_kw\nnorth,4\n,5\n", "groups.csv, line 3: group is empty; expected a name"),
    (
        "group,injection_max\nnorth,4\n",
        "groups.csv, line 1: unknown column 'injection_max'; expected 'injection_max_kw'",
    ),
    (
        "injection_max_kw\n4\n",
        "groups.csv, line 1: column 'group' is missing; expected a group of PODs in each row",
    ),
]


@pytest.mark.parametrize(("content", "message"), GROUP_TABLES)
def test_mistakes_in_a_table_of_groups(tmp_path: Path, content: str, message: str) -> None:
    assert problems(tmp_path, "groups: groups.csv", groups_csv=content, **TWO_GROUPS) == [message]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([4.0, np.nan], "groups.parquet, row 2: injection_max_kw nan; expected a number, or the name of a "
         "profile"),
        ([True, False], "groups.parquet: column 'injection_max_kw' holds bool; expected numbers, or names of profiles"),
    ],
)  # fmt: skip
def test_mistakes_in_a_table_of_groups_with_types(tmp_path: Path, cells: list[object], message: str) -> None:
    folder = write_files(tmp_path, with_market("groups: groups.parquet", **TWO_GROUPS))
    pq.write_table(pa.table({"group": ["north", "south"], "injection_max_kw": cells}), folder / "groups.parquet")
    with pytest.raises(InputError) as caught:
        load_study(folder)
    assert [str(problem) for problem in caught.value.problems] == [message]


def test_more_groups_than_a_programme_holds_are_refused(tmp_path: Path) -> None:
    content = "group\n" + "".join(f"g{number}\n" for number in range(GROUPS_MAX + 1))
    assert problems(tmp_path, "groups: groups.csv", groups_csv=content, **TWO_GROUPS) == [
        "groups.csv: 10,001 groups; expected at most 10,000"
    ]


def test_prices_are_constant_within_a_time_unit_that_fits_steps_and_horizon(tmp_path: Path) -> None:
    quarters = [(f"2018-05-14T{step // 4:02}:{step % 4 * 15:02}+02:00", 40 + (step == 6)) for step in range(96)]
    prices = series("time,price_eur_per_mwh", quarters)
    assert problems(tmp_path / "prices", "time_unit_minutes: 60", prices_csv=prices) == [
        "line 1: prices change within the time unit of 60 min from 2018-05-14T01:00+02:00; expected one price per "
        "time unit"
    ]
    for name, old, new, message in (
        ("steps", "step_minutes: 15", "step_minutes: 20", "a time unit of 30 min and steps of 20 min"),
        ("cut", "days: 1", "hours: 5.25", "a horizon that is cut within a time unit of 30 min"),
    ):
        files = with_market("time_unit_minutes: 30")
        files["study.yaml"] = files["study.yaml"].replace(old, new)
        with pytest.raises(InputError, match=message):
            load_study(write_files(tmp_path / name, files))


def test_both_settlements_need_prices(tmp_path: Path) -> None:
    files = with_market("settlement: both")
    files["study.yaml"] = files["study.yaml"].replace("prices: prices.csv\n", "")
    with pytest.raises(InputError, match="settlement 'both' without market prices; expected a file under 'prices'"):
        load_study(write_files(tmp_path, files))


def test_every_mistake_of_the_market_at_once(tmp_path: Path) -> None:
    """Limits, groups, two products and a table: one does not hide the other, nor a mistake in another file."""
    text = """\
limits: {withdrawal_max_kw: sunny}
groups:
  - {group: nord}
reserve:
  - preset: eu-affr
  - {name: x, direction: up, availability_eur_per_mw_h: 3, block_minutes: 300}
  - {preset: eu-afrr, availability_eur_per_mw_h: afrr.csv}
"""
    prices = one_home()["prices.csv"].replace("T05:00", "T05:30")
    found = problems(tmp_path, text, afrr_csv=table(*ROWS[1:]), prices_csv=prices)
    starts = ["prices.csv, line 7: time", "line 1: withdrawal_max_kw 'sunny'", "line 3: unknown group 'nord'"]
    starts += ["line 5: unknown preset", "line 6: blocks of 300 min", "afrr.csv: no value", "afrr.csv: no value"]
    for start in starts:
        assert sum(message.startswith(start) for message in found) == starts.count(start), (start, found)
