"""Whatever is composed of the catalogue, with whatever sizes, is a study that loads, is solved and checks."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import podium
from podium.study import load_study
from podium.study.catalogue import catalogue
from podium.study.compose import compose
from podium.study.composition import Composition, Plants, size_factors
from podium.study.supply import bundled_weeks

#: Days of 2018 for which profiles and prices come along.
DAYS = [
    date(2018, first.month, first.day) + timedelta(days=shift)
    for first, last in bundled_weeks()
    for shift in range(3, (last - first).days - 4)
]
PLANTS = st.builds(Plants, template=st.sampled_from(list(catalogue())), count=st.integers(1, 2))
COMPOSITIONS = st.builds(
    Composition,
    name=st.just("Random"),
    start=st.sampled_from(DAYS),
    days=st.integers(1, 2),
    step_minutes=st.sampled_from([15, 30, 60]),
    plants=st.lists(PLANTS, min_size=1, max_size=3).map(tuple),
    size_variation=st.floats(0, 0.5),
)


@settings(max_examples=12)
@given(COMPOSITIONS)
def test_every_composition_is_solved_and_checks(composition: Composition) -> None:
    """No POD fails alone, and the independent check finds nothing in the plan."""
    with tempfile.TemporaryDirectory() as folder:
        study = load_study(compose(composition, Path(folder) / "study"))
    installed = composition.installed()
    assert (len(study.portfolio), study.portfolio.device_count) == (installed.pods, installed.devices)
    result = podium.run(study)
    assert result.summary["level1"]["failed"] == 0
    assert result.summary["check"]["violations"] == 0


@given(st.integers(1, 3000), st.floats(0, 0.5))
def test_sizes_stay_in_their_range_and_near_their_mean(count: int, variation: float) -> None:
    """Within 1 - v and 1 + v, the mean near 1 the sooner the more, and none depends on how many follow."""
    factors = size_factors(count, variation)
    assert np.all((factors >= 1 - variation) & (factors <= 1 + variation))
    assert abs(factors.mean() - 1) <= variation * min(1.0, 4 * np.log2(count + 1) / count)
    assert factors.tolist() == size_factors(count + 10, variation)[:count].tolist()
