"""Step 1's fields become a composition and come back; small charts are what they say. Without a browser."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.errors import InputError
from podium.study.catalogue import catalogue
from podium.study.composition import composition_of
from podium.study.presets import presets
from podium.web.configure.choice import Choice, choice_of
from podium.web.configure.reserve import Reserve
from podium.web.configure.reserve_rows import preset_text
from podium.web.configure.sparkline import svg, thinned

RESERVES = st.builds(
    Reserve,
    availability_eur_per_mw_h=st.floats(0.125, 100),
    sustain_hours=st.none() | st.floats(0.125, 24),
    activation_eur_per_mwh=st.floats(-100, 1000),
    activated_share=st.none() | st.integers(0, 100).map(lambda percent: percent / 100),
    minimum_mw=st.none() | st.floats(0.125, 5),
    increment_mw=st.none() | st.floats(0, 5),
    kept=st.sampled_from(list(presets())).map(lambda name: {"preset": name}),
)
CHOICES = st.builds(
    Choice,
    name=st.text("abc é", min_size=1, max_size=20).filter(lambda text: bool(text.strip())).map(str.strip),
    start=st.dates(min_value=date(1970, 1, 1), max_value=date(2100, 12, 31)).map(str),
    days=st.integers(1, 31),
    step_minutes=st.sampled_from([1, 5, 15, 60]),
    variation_percent=st.integers(0, 50).map(float),
    settlement=st.sampled_from(["market", "retail", "both"]),
    reserves=st.lists(RESERVES, max_size=3, unique_by=lambda reserve: reserve.title),
    method=st.sampled_from(["exact", "virtus"]),
    gap_percent=st.integers(0, 100).map(float),
    quantities=st.dictionaries(st.sampled_from(list(catalogue())), st.integers(1, 500), max_size=5),
)


@given(CHOICES)
def test_choices_come_back_as_they_were(chosen: Choice) -> None:
    """Through the composition that is kept, reserve markets in their order and with their own terms."""
    content = chosen.composition().model_dump(mode="json", exclude_defaults=True)
    again = choice_of(content)
    again.rest = {}
    assert again == chosen


def test_problems_stand_at_the_fields_of_the_page() -> None:
    chosen = Choice(name=" ", start="", days=None, variation_percent=80, gap_percent=None, method="best")
    chosen.reserves = [
        Reserve(kept={"preset": "eu-fcr"}, availability_eur_per_mw_h=-1.0, sustain_hours=0.0),
        Reserve(kept={"preset": "eu-afrr"}, minimum_mw=-1.0, increment_mw=-1.0),
    ]
    with pytest.raises(InputError) as error:
        chosen.composition()
    assert {problem.where for problem in error.value.problems} == {
        "name",
        "start",
        "days",
        "variation_percent",
        "gap_percent",
        "method",
        "reserve.0.availability_eur_per_mw_h",
        "reserve.0.sustain_hours",
        "reserve.1.availability_eur_per_mw_h",
        "reserve.1.minimum_mw",
        "reserve.1.increment_mw",
    }


def test_a_preset_without_a_price_asks_for_one() -> None:
    """The Italian preset has its own, which stays where none is given."""
    with pytest.raises(InputError, match=re.escape("reserve.0.availability_eur_per_mw_h: empty; expected a price")):
        Choice(reserves=[Reserve(kept={"preset": "eu-fcr"})]).composition()
    (reserve,) = Choice(reserves=[Reserve(kept={"preset": "it-uvam-2021"})]).composition().market.reserve
    assert reserve.availability_eur_per_mw_h is None


def test_a_preset_of_energy_asks_what_calls_earn() -> None:
    """Availability is 0 in the preset; a tenth is called at 140 EUR/MWh."""
    reserve = Reserve(kept={"preset": "eu-mfrr-energy"})
    chosen = Choice(reserves=[Reserve(kept={"preset": "it-uvam-2021"}), reserve])
    with pytest.raises(InputError) as error:
        chosen.composition()
    assert [(problem.where, problem.expected) for problem in error.value.problems] == [
        ("reserve.1.activation_eur_per_mwh", "what calls earn, EUR/MWh"),
        ("reserve.1.activated_share", "the share of the offer that is called, %"),
    ]
    reserve.activation_eur_per_mwh, reserve.activated_percent = 140.0, 10.0
    keys = chosen.composition().market.reserve[1]
    assert (keys.activation_eur_per_mwh, keys.activated_share) == (140.0, 0.1)
    reserve.activated_percent = 110.0
    with pytest.raises(InputError, match=r"reserve\.1\.activated_share: 1\.1; expected less than or equal to 1"):
        chosen.composition()


def test_a_share_that_is_called_needs_its_price() -> None:
    """Of a market that pays availability, where calls are no part of the preset; nothing called needs none."""
    reserve = Reserve(kept={"preset": "eu-afrr"}, availability_eur_per_mw_h=8.0)
    chosen = Choice(reserves=[reserve])
    reserve.activated_percent = 5.0
    with pytest.raises(InputError, match=re.escape("reserve.0.activation_eur_per_mwh: empty; expected what calls")):
        chosen.composition()
    reserve.activated_percent = 0.0
    assert chosen.composition().market.reserve[0].activated_share == 0.0


def test_empty_fields_show_what_the_preset_says() -> None:
    """A share is 0 where nothing else is said, except where calls alone are paid."""
    shown = {
        name: (
            preset_text(Reserve(kept={"preset": name}), "activation_eur_per_mwh"),
            preset_text(Reserve(kept={"preset": name}), "activated_share"),
        )
        for name in ("eu-afrr", "eu-mfrr-energy", "it-uvam-2021")
    }
    assert shown == {"eu-afrr": ("", "0"), "eu-mfrr-energy": ("", ""), "it-uvam-2021": ("200 to 400", "0")}


def test_what_the_page_cannot_show_is_kept() -> None:
    """Of reserve: products of one's own, a choice of a preset's, prices in a table; what has a field is in it."""
    content = {
        "name": "x",
        "start": "2018-03-13",
        "nearest_days": True,
        "market": {
            "peak_eur_per_kw": 0.5,
            "reserve": [
                {"preset": "eu-fcr", "availability_eur_per_mw_h": 5.0, "minimum_mw": 1, "increment_mw": 0.5},
                {"preset": "eu-afrr", "only": ["afrr-up"], "availability_eur_per_mw_h": {"file": "afrr.csv"}},
                {"name": "local", "direction": "down", "availability_eur_per_mw_h": 3, "kinds": ["battery"]},
            ],
        },
        "options": {"sustain_hours": 2.0},
    }
    chosen = choice_of(content)
    assert [reserve.title for reserve in chosen.reserves] == ["eu-fcr", "eu-afrr · afrr-up", "local"]
    assert (chosen.reserves[0].minimum_mw, chosen.reserves[0].increment_mw) == (1.0, 0.5)
    assert [reserve.unseen for reserve in chosen.reserves] == [
        [],
        ["availability_eur_per_mw_h"],
        ["direction", "kinds"],
    ]
    assert chosen.composition() == composition_of(content)
    chosen.reserves[1].availability_eur_per_mw_h = 7.0
    assert chosen.composition().market.reserve[1].availability_eur_per_mw_h == 7.0


def points(text: str) -> list[tuple[float, float]]:
    """The points of a chart's line."""
    found = re.search(r'pd-spark-line" points="([^"]*)"', text)
    assert found is not None
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_a_small_chart_is_a_staircase_over_its_zero() -> None:
    """Two points per step, from edge to edge; the greatest at the top, zero at the bottom, text without markup."""
    text = svg(np.array([0.0, 2.0, 1.0]), 'a "b" <c>', width=90, height=34)
    assert points(text) == [(0, 32), (30, 32), (30, 2), (60, 2), (60, 17), (90, 17)]
    assert "&quot;b&quot; &lt;c&gt;" in text


def test_prices_below_zero_have_a_zero_line_above_them() -> None:
    text = svg(np.array([-10.0, 30.0]), "prices", width=20, height=44)
    assert points(text) == [(0, 42), (10, 42), (10, 2), (20, 2)]
    assert 'y1="32.0" y2="32.0"' in text
    assert svg(np.zeros(4), "nothing").count("nan") == 0


def test_long_series_are_thinned_without_losing_their_mean() -> None:
    values = np.random.default_rng(1).random(35_000)
    found = thinned(values)
    assert len(found) <= 160
    assert found.mean() == pytest.approx(values.mean(), rel=1e-3)
