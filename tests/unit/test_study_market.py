"""The key `market` of study.yaml: what it becomes, and what a user reads who made a mistake."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from podium.errors import InputError
from podium.horizon import Horizon
from podium.study import Study, load_study
from podium.study.blocks import Calendar, calendar_blocks
from podium.study.presets import presets
from unit.study_folders import one_home, series, write_files

OWN = """\
market:
  time_unit_minutes: 60
  withdrawal_max_kw: 12.5
  injection_max_kw: sun
  peak_eur_per_kw: 0.4
  headroom_up_kw: 1.5
  groups:
    - {group: north, withdrawal_max_kw: 9}
  reserve:
    - name: evening
      direction: down
      offered_from: 15:00
      offered_to: 21:00
      block_hours: 3
      availability_eur_per_mw_h: 7.5
      activation_eur_per_mwh: household
      activated_share: 0.1
      sustain_hours: 0.5
      minimum_mw: 0.001
      increment_mw: 0.0005
      maximum_mw: 0.01
      kinds: [battery]
  takeover: priority
  priority: [battery-1, ev_charger]
"""


def with_market(market: str, **files: str) -> dict[str, str]:
    """The small study with a market, and files beside it."""
    study = one_home()
    study["study.yaml"] += market
    return study | {name.replace("_csv", ".csv"): text for name, text in files.items()}


def loaded(folder: Path, market: str, **files: str) -> Study:
    return load_study(write_files(folder, with_market(market, **files)))


def problems(folder: Path, market: str, *changes: tuple[str, str, str], **files: str) -> list[str]:
    """What `load_study` says of the small study with a market, after changes (file, old, new)."""
    study = with_market(market, **files)
    for name, old, new in changes:
        assert old in study[name]
        study[name] = study[name].replace(old, new, 1)
    with pytest.raises(InputError) as caught:
        load_study(write_files(folder, study))
    return [str(problem) for problem in caught.value.problems]


def test_every_field_arrives(tmp_path: Path) -> None:
    """Blocks of 3 h from 15:00 to 21:00 are quarter-hours 60 to 71 and 72 to 83; profiles stay out of the portfolio."""
    study = loaded(tmp_path, OWN)
    market = study.market
    assert (market.settlement, market.time_unit_minutes, market.peak_eur_per_kw) == ("market", 60, 0.4)
    assert (market.headroom_up_kw, market.headroom_down_kw, market.headroom_sustain_hours) == (1.5, 0.0, 1.0)
    assert (market.takeover, market.priority) == ("priority", ("battery-1", "ev_charger"))
    (product,) = market.reserves
    assert (product.name, product.direction, product.kinds) == ("evening", "down", ("battery",))
    expected = np.full(96, -1)
    expected[60:72], expected[72:84] = 0, 1
    np.testing.assert_array_equal(product.block, expected)
    np.testing.assert_array_equal(product.availability_eur_per_mw_h, [7.5, 7.5])
    np.testing.assert_array_equal(product.maximum_mw, [0.01, 0.01])
    assert (product.activated_share, product.sustain_hours) == (0.1, 0.5)
    assert (product.minimum_mw, product.increment_mw) == (0.001, 0.0005)
    household = study.portfolio.profiles.values[study.portfolio.profiles.names.index("household")]
    np.testing.assert_array_equal(product.activation_eur_per_mwh, household)
    assert market.limits is not None
    np.testing.assert_array_equal(market.limits.withdrawal_max_kw, np.full(96, 12.5))
    sun = study.portfolio.profiles.values[study.portfolio.profiles.names.index("sun")]
    np.testing.assert_array_equal(market.limits.injection_max_kw, sun)
    (group,) = market.groups
    assert group.name == "north"
    assert (group.limits.withdrawal_max_kw == 9).all()
    assert np.isinf(group.limits.injection_max_kw).all()


AFRR = """\
market:
  reserve:
    - preset: eu-afrr
      availability_eur_per_mw_h: 8
      minimum_mw: 0.001
"""


def test_a_preset_with_what_differs(tmp_path: Path) -> None:
    """Two products of six blocks of 16 quarter-hours; the increment is the preset's, the minimum the study's."""
    up, down = loaded(tmp_path, AFRR).market.reserves
    assert (up.name, up.direction, down.name, down.direction) == ("afrr-up", "up", "afrr-down", "down")
    for product in (up, down):
        np.testing.assert_array_equal(product.block, np.repeat(np.arange(6), 16))
        assert (product.minimum_mw, product.increment_mw, product.sustain_hours) == (0.001, 1.0, 1.0)
        np.testing.assert_array_equal(product.availability_eur_per_mw_h, np.full(6, 8.0))


def test_only_one_product_of_a_preset(tmp_path: Path) -> None:
    (down,) = loaded(tmp_path, AFRR + "      only: afrr-down\n").market.reserves
    assert (down.name, down.direction) == ("afrr-down", "down")


@pytest.mark.parametrize(("day", "first"), [("2018-03-25", 12), ("2018-10-28", 20)])
def test_the_block_over_the_change_of_clocks(day: str, first: int) -> None:
    """00:00 to 04:00 is 3 h long in spring and 5 h in autumn; the five others have 4."""
    horizon = Horizon.days(day, 1, 15, "Europe/Rome")
    blocks = calendar_blocks(Calendar(0, 1440, 240), horizon, "here")
    assert np.bincount(blocks.of_step).tolist() == [first, 16, 16, 16, 16, 16]


def test_a_block_in_the_hour_that_is_skipped_does_not_exist() -> None:
    """Hourly blocks: 23 in spring, and in autumn 24 of which that of 02:00 lasts 2 h."""
    for day, longest, count in (("2018-03-25", 4, 23), ("2018-10-28", 8, 24)):
        blocks = calendar_blocks(Calendar(0, 1440, 60), Horizon.days(day, 1, 15, "Europe/Rome"), "here")
        assert (len(blocks), np.bincount(blocks.of_step).max()) == (count, longest)


def test_uvam_is_sold_on_weekdays(tmp_path: Path) -> None:
    """Monday 2018-05-14: 15:00 to 18:00 and 18:00 to 22:00, one block each; on the Sunday before none, said so."""
    uvam = "market: {reserve: [{preset: it-uvam-2021}]}\n"
    afternoon, evening = loaded(tmp_path / "monday", uvam).market.reserves
    assert np.flatnonzero(afternoon.block == 0).tolist() == list(range(60, 72))
    assert np.flatnonzero(evening.block == 0).tolist() == list(range(72, 88))
    assert (afternoon.activation_eur_per_mwh[0], evening.activation_eur_per_mwh[0]) == (200.0, 400.0)
    assert afternoon.availability_eur_per_mw_h[0] * 3 * 261 == pytest.approx(22_500, rel=2e-4)
    assert evening.availability_eur_per_mw_h[0] * 4 * 261 == pytest.approx(30_000, rel=2e-4)
    files = {name: text.replace("2018-05-14", "2018-05-13") for name, text in with_market(uvam).items()}
    sunday = load_study(write_files(tmp_path / "sunday", files))
    assert sunday.market.reserves == ()
    assert any("uvam-evening is sold from Monday to Friday" in notice for notice in sunday.notices)


def test_every_preset_can_be_used_and_says_where_it_is_from(tmp_path: Path) -> None:
    assert list(presets()) == ["eu-afrr", "eu-fcr", "eu-mfrr", "it-uvam-2021"]
    for name, preset in presets().items():
        market = f"market: {{reserve: [{{preset: {name}, availability_eur_per_mw_h: 3}}]}}\n"
        assert len(loaded(tmp_path / name, market).market.reserves) == len(preset.products)
        assert preset.source
        assert date.fromisoformat(preset.date) <= date(2025, 1, 1)
    assert "TIDE" in presets()["it-uvam-2021"].note


def prices_of_blocks(header: str, *rows: tuple[int, str]) -> str:
    return series(header, [(f"2018-05-14T{hour:02}:00+02:00", price) for hour, price in rows])


BY_TABLE = AFRR.replace("mw_h: 8", "mw_h: afrr.csv")
SIX = [(hour, f"{5 + hour},{6 + hour}") for hour in range(0, 24, 4)]


def test_availability_from_a_table(tmp_path: Path) -> None:
    """A column per product, or one for all; rows of other times are left alone."""
    table = prices_of_blocks("time,afrr-up,afrr-down", (2, "99,99"), *SIX)
    up, down = loaded(tmp_path / "two", BY_TABLE, afrr_csv=table).market.reserves
    np.testing.assert_array_equal(up.availability_eur_per_mw_h, [5, 9, 13, 17, 21, 25])
    np.testing.assert_array_equal(down.availability_eur_per_mw_h, [6, 10, 14, 18, 22, 26])
    table = prices_of_blocks("time,price_eur_per_mw_h", *[(hour, "7") for hour, _ in SIX])
    up, down = loaded(tmp_path / "one", BY_TABLE, afrr_csv=table).market.reserves
    assert (up.availability_eur_per_mw_h == 7).all()
    assert (down.availability_eur_per_mw_h == 7).all()


BLOCKS = """\
product,start,end,availability_eur_per_mw_h,maximum_mw
own,2018-05-14T08:00+02:00,2018-05-14T09:30+02:00,4.5,
own,2018-05-14T03:00+02:00,2018-05-14T06:00+02:00,3.5,2.25
other,2018-05-14T00:00+02:00,2018-05-14T06:00+02:00,1.5,
"""
OWN_BLOCKS = "market: {reserve: [{name: own, direction: symmetric, blocks: blocks.csv}]}\n"


def test_blocks_of_a_table(tmp_path: Path) -> None:
    (product,) = loaded(tmp_path, OWN_BLOCKS, blocks_csv=BLOCKS).market.reserves
    assert np.flatnonzero(product.block == 0).tolist() == list(range(12, 24))
    assert np.flatnonzero(product.block == 1).tolist() == list(range(32, 38))
    np.testing.assert_array_equal(product.availability_eur_per_mw_h, [3.5, 4.5])
    np.testing.assert_array_equal(product.maximum_mw, [2.25, np.inf])


def test_groups_of_a_table(tmp_path: Path) -> None:
    table = "group,withdrawal_max_kw,injection_max_kw\nnorth,,4.5\n"
    (group,) = loaded(tmp_path, "market: {groups: groups.csv}\n", groups_csv=table).market.groups
    assert (group.limits.injection_max_kw == 4.5).all()
    assert np.isinf(group.limits.withdrawal_max_kw).all()


def test_blocks_that_the_horizon_cuts_are_not_sold(tmp_path: Path) -> None:
    """From 06:00 for 12 h: the blocks of 04:00 and 16:00 are cut, those of 08:00 and 12:00 whole."""
    files = with_market(AFRR)
    files["study.yaml"] = files["study.yaml"].replace(
        "start: 2018-05-14\ndays: 1", "start: 2018-05-14T06:00:00+02:00\nhours: 12"
    )
    study = load_study(write_files(tmp_path, files))
    np.testing.assert_array_equal(study.market.reserves[0].block, np.repeat([-1, 0, 1, -1], [8, 16, 16, 8]))
    assert any("2 blocks of afrr-up are cut by the horizon" in notice for notice in study.notices)


# One mistake, one message: (old, new) in OWN, and what is said.
MISTAKES: list[tuple[str, str, str]] = [
    ("reserve:", "reserv:", "line 23: unknown key 'reserv'; expected 'reserve'"),
    ("12.5", "-1", "line 17: market.withdrawal_max_kw -1; expected a number at least 0, or the name of a profile"),
    (
        "kw: sun",
        "kw: snu",
        "line 18: injection_max_kw 'snu' is not among the profiles; "
        "expected a number, or a column of the files under 'profiles': 'sun'",
    ),
    ("group: north", "group: nord", "line 22: unknown group 'nord'; expected a group of the PODs: 'north'"),
    ("minutes: 60", "minutes: 20", "line 16: market.time_unit_minutes 20; expected 15, 30 or 60"),
    (
        "direction: down",
        "direction: left",
        "line 25: market.reserve.0.direction 'left'; expected 'up', 'down' or 'symmetric'",
    ),
    ("      direction: down\n", "", "line 24: 'direction' is missing for evening; expected a line 'direction: ...'"),
    (
        "block_hours: 3",
        "block_hours: 4",
        "line 28: blocks of 4 h do not divide the 6 h offered each day; expected block_hours that divides 6",
    ),
    (
        "offered_to: 21:00",
        "offered_to: 09:00",
        "line 28: hours that end before they begin; expected offered_from before offered_to",
    ),
    (
        "offered_to: 21:00",
        "offered_to: 25:00",
        "line 27: market.reserve.0.offered_to 1500; expected a time of day from 00:00 to 24:00, such as 07:30",
    ),
    (
        "maximum_mw: 0.01",
        "maximum_mw: 0.0102",
        "line 35: maximum_mw 0.0102; expected a multiple of increment_mw, 0.0005",
    ),
    ("maximum_mw: 0.01", "maximum_mw: 0.0005", "line 35: maximum_mw 0.0005; expected at least minimum_mw, 0.001"),
    ("[battery]", "[batery]", "line 36: unknown kind of device 'batery'; expected 'battery'"),
    ("name: evening", "name: energy", "line 24: name 'energy'; expected another name; results use this one"),
    ("[battery-1,", "[battery-7,", "line 38: unknown name 'battery-7'; expected a kind or a device: 'battery-1'"),
    (
        "takeover: priority",
        "takeover: cost",
        "line 38: priority without 'takeover: priority'; expected both or neither",
    ),
    (
        "activation_eur_per_mwh: household",
        "kinds: [chp]",
        "line 36: key 'kinds' stands in line 30 too; expected each key once",
    ),
    (
        "      activation_eur_per_mwh: household\n",
        "",
        "line 24: 'activation_eur_per_mwh' is missing for evening; expected a line 'activation_eur_per_mwh: ...'",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_one_mistake_one_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert OWN.count(old) >= 1
    assert problems(tmp_path, OWN.replace(old, new, 1)) == [f"study.yaml, {message}"]


def test_presets_that_there_are_not(tmp_path: Path) -> None:
    found = problems(tmp_path / "preset", AFRR.replace("eu-afrr", "eu-affr"))
    expected = "expected 'eu-afrr' (`podium markets` lists them)"
    assert found == [f"study.yaml, line 17: unknown preset 'eu-affr'; {expected}"]
    found = problems(tmp_path / "product", AFRR + "      only: [afrr-upp]\n")
    assert found == ["study.yaml, line 20: unknown product 'afrr-upp' of eu-afrr; expected 'afrr-up'"]
    found = problems(tmp_path / "name", AFRR + "      name: mine\n")
    assert found == ["study.yaml, line 20: one name for 2 products; expected 'only' with one of 'afrr-up', 'afrr-down'"]
    found = problems(tmp_path / "price", AFRR.replace("      availability_eur_per_mw_h: 8\n", ""))
    assert [message.split(";")[0] for message in found] == [
        f"study.yaml, line 17: 'availability_eur_per_mw_h' is missing for {name}" for name in ("afrr-up", "afrr-down")
    ]


def test_a_table_without_the_row_of_a_block(tmp_path: Path) -> None:
    table = prices_of_blocks("time,price_eur_per_mw_h", *[(hour, "7") for hour, _ in SIX if hour not in (8, 20)])
    found = problems(tmp_path, BY_TABLE + "      only: afrr-up\n", afrr_csv=table)
    assert found == [
        "afrr.csv: no row for the block of 2018-05-14T08:00+02:00 (and 1 more); "
        "expected a row at the start of each block of afrr-up"
    ]


def test_hours_outside_the_horizon(tmp_path: Path) -> None:
    """The evening is not in the morning's study."""
    found = problems(
        tmp_path,
        OWN.replace("  time_unit_minutes: 60\n", ""),
        ("study.yaml", "days: 1", "hours: 12"),
        ("ev.csv", "", ""),
    )
    assert found == [
        "study.yaml, line 27: evening is sold in blocks of 3 h from 15:00 to 21:00, and none lies in the horizon; "
        "expected a block within 2018-05-14T00:00+02:00 to 2018-05-14T12:00:00+02:00"
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("T09:30", "T07:30", ", line 2: end is not after start; expected a block with a length"),
        (
            "14T08:00",
            "14T05:00",
            ", line 2: a block that begins before the one before it ends; expected blocks that do not overlap",
        ),
        ("14T09:30", "15T09:30", ", line 2: a block outside the horizon; expected blocks wholly in the horizon"),
        (
            "T09:30",
            "T09:20",
            ": the block of 2018-05-14T08:00+02:00 does not begin and end with a step; "
            "expected blocks of whole steps of 15 minutes",
        ),
        ("\nown,", "\nmine,", ": no row of 'own'; expected a row per block"),
    ],
)
def test_wrong_blocks(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in BLOCKS
    times = -1 if "mine" in new else 1
    assert problems(tmp_path, OWN_BLOCKS, blocks_csv=BLOCKS.replace(old, new, times)) == [f"blocks.csv{message}"]


def test_time_units_and_prices(tmp_path: Path) -> None:
    """Hourly steps cannot be settled by half-hours, nor can prices of half-hours by the hour."""
    half_hourly = "market: {time_unit_minutes: 30}\n"
    found = problems(tmp_path / "step", half_hourly, ("study.yaml", "step_minutes: 15", "step_minutes: 60"))
    assert found == ["study.yaml, line 15: time_unit_minutes 30; expected a multiple of the step, 60 minutes"]
    times = [f"2018-05-14T{hour:02}:{minute}+02:00" for hour in range(24) for minute in ("00", "30")]
    files = {"prices.csv": series("time,price_eur_per_mwh", list(zip(times, range(48), strict=True)))}
    assert load_study(write_files(tmp_path / "half", with_market(half_hourly) | files)).market.time_unit_minutes == 30
    with pytest.raises(InputError, match="changes within the time unit of 2018-05-14T00:00"):
        load_study(write_files(tmp_path / "hour", with_market(half_hourly.replace("30", "60")) | files))


def test_a_horizon_of_whole_time_units(tmp_path: Path) -> None:
    found = problems(tmp_path, "market: {time_unit_minutes: 60}\n", ("study.yaml", "days: 1", "hours: 5.5"))
    assert found == [
        "study.yaml, line 15: time units of 60 minutes in a horizon of 22 steps from 00:00; "
        "expected a horizon that begins and ends with a time unit"
    ]


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """Limits, groups, products and another file: none hides another."""
    market = OWN.replace("kw: sun", "kw: snu").replace("north", "nord").replace("[battery]", "[batery]")
    found = problems(tmp_path, market, ("battery.csv", "0.92", "92"))
    words = ["charge_efficiency 92", "'snu'", "'nord'", "'batery'"]
    assert len(found) == len(words)
    assert all(any(word in message for message in found) for word in words)
