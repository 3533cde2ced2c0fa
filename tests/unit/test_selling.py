"""Offers in steps that can be sold."""

from __future__ import annotations

import numpy as np
import pytest

from podium.market.coupling import Coupling, Product
from podium.market.selling import sellable, within_reach


@pytest.mark.parametrize(
    ("backed_kw", "offered_kw"),
    [(249.9, 200.0), (299.9999997, 300.0), (99.9999997, 100.0), (99.9, 0.0), (912.0, 450.0)],
)
def test_a_solver_s_rounding_costs_no_step(backed_kw: float, offered_kw: float) -> None:
    """Steps of 50 kW from 100 to 450 kW: 0.3 mW less than a step is that step; anything that counts is not made up."""
    block = np.zeros(2, dtype=np.int64)
    product = Product("p", block, np.ones(1), (True, False), 1.0, ("battery",), 100.0, 50.0, np.full(1, 470.0))
    held = np.zeros((1, 2))
    coupling = Coupling(0.5, block, None, None, (product,), (None,), None, 0.0, held, 5.0, 1000.0)
    found = sellable(coupling, 0, 0, backed_kw)
    assert found == pytest.approx(offered_kw)


def test_no_bound_counts_on_offers_beyond_the_devices() -> None:
    """Steps of 50 kW from 100 kW: 260 kW in the weaker step of the first block sell 250, and 90 kW sell nothing.

    Without it a pool of 90 kW would be bound by what 90 kW earn, though it can offer none.
    """
    block = np.array([0, 0, 1, -1])
    product = Product("p", block, np.ones(2), (True, False), 1.0, ("battery",), 100.0, 50.0, np.full(2, np.inf))
    held = np.zeros((1, 4))
    coupling = Coupling(0.5, np.arange(4), None, None, (product,), (None,), None, 0.0, held, 5.0, 1000.0)
    most_kw = np.array([[310.0, 260.0, 90.0, 0.0]])
    assert within_reach(coupling, most_kw).products[0].most_kw == pytest.approx([250.0, 0.0])
