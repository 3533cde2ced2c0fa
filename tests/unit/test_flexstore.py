"""The canonical arrays: defaults, parts, and stores put together."""

import numpy as np
import pytest

from podium.flexstore import DEVICE_COLUMNS, STEP_COLUMNS, FlexStore, concatenate

IDS = np.array(["a", "b"], dtype=object)


def test_columns_take_numbers_rows_and_matrices() -> None:
    """What is constant in time is kept once."""
    store = FlexStore.of(
        IDS, np.array([0, 1]), 3, p_max=2.5, k_plus=[0.9, 0.8], drift=[[1.0, 2.0, 3.0], [0.0, 0.0, -1.0]]
    )
    assert store.p_max.tolist() == [[2.5], [2.5]]
    assert store.k_plus.tolist() == [[0.9], [0.8]]
    assert store.drift.shape == (2, 3)
    assert store.full("p_max").shape == (2, 3)
    assert store.keep.tolist() == [[1.0], [1.0]]


def test_unknown_columns_are_refused() -> None:
    """A typo does not become a default."""
    with pytest.raises(TypeError, match="no column \\['k_pluss'\\]"):
        FlexStore.of(IDS, np.array([0, 1]), 3, k_pluss=0.9)


def test_stores_are_joined_by_pod() -> None:
    """Sorted by POD, within a POD in the order of the stores; narrow columns are widened."""
    one = FlexStore.of(IDS, np.array([0, 2]), 2, p_max=[1.0, 2.0])
    two = FlexStore.of(np.array(["c", "d"], dtype=object), np.array([1, 0]), 2, has_store=False, p_max=[[3, 4], [5, 6]])
    both = concatenate([one, two], 2)
    assert both.ids.tolist() == ["a", "d", "c", "b"]
    assert both.pod.tolist() == [0, 0, 1, 2]
    assert both.p_max.tolist() == [[1, 1], [5, 6], [3, 4], [2, 2]]
    assert both.has_store.tolist() == [True, False, False, True]
    assert concatenate([], 2).devices == 0


def test_parts_keep_every_column() -> None:
    """By row number or by mask."""
    store = FlexStore.of(IDS, np.array([0, 2]), 2, p_max=[1.0, 2.0], ramp=[np.inf, 3.0])
    for rows in (np.array([1]), np.array([False, True])):
        part = store.take(rows)
        assert (part.ids.tolist(), part.steps) == (["b"], 2)
        for name in (*STEP_COLUMNS, *DEVICE_COLUMNS):
            np.testing.assert_array_equal(getattr(part, name), getattr(store, name)[rows])


@pytest.mark.parametrize(
    ("columns", "on_off", "memory"),
    [
        ({}, False, False),
        ({"p_on": [[0.0, 0.5]]}, True, True),
        ({"start_cost": 0.1}, True, True),
        ({"min_up": 1, "min_down": 1}, False, False),
        ({"min_up": 2}, True, True),
        ({"min_down": 2}, True, True),
        ({"ramp": 1.0}, False, True),
        ({"discharge_day_max": 3.0}, False, True),
    ],
)
def test_what_needs_a_programme(columns: dict[str, float], on_off: bool, memory: bool) -> None:
    """On/off, ramps and cycle limits remember more than the stored energy."""
    store = FlexStore.of(IDS[:1], np.array([0]), 2, p_max=1.0, **columns)
    assert (store.on_off.tolist(), store.memory.tolist()) == ([on_off], [memory])
