"""Level 1 over random portfolios of all kinds: nothing breaks, the check agrees, and the sums are right."""

from __future__ import annotations

import numpy as np
import pytest

from formulation import cheapest
from podium.checking import Schedule as CheckedSchedule
from podium.checking import check_schedule
from podium.flex.exclusive import Limits
from podium.local import LocalResult, optimise_local
from podium.local.batch import BOUND_GAP
from podium.local.problems import posed
from podium.portfolio import Portfolio
from random_pods import Maker, random_horizon, random_pod

LIMITS = Limits(time_limit_seconds=2.0, mip_gap=1e-4)


def portfolio_of(seed: int) -> Portfolio:
    """Eight PODs with up to three stores, on/off devices, limits; some ask for what is not possible."""
    random = np.random.default_rng(seed)
    maker = Maker(random, random_horizon(random, 14))
    listed = [
        random_pod(maker, f"pod{n}", int(random.integers(0, 4)), on_off=n % 3 == 0, coupled=n % 2 == 0)
        for n in range(8)
    ]
    listed[0] = listed[0].model_copy(update={"withdrawal_max_kw": 0.05, "injection_max_kw": 0.05})
    return Portfolio.of(listed, maker.horizon, maker.profiles)


def result_of(portfolio: Portfolio) -> LocalResult:
    return optimise_local(portfolio, sustain_hours=0.5, limits=LIMITS, workers=1)


@pytest.mark.parametrize("seed", range(16))
def test_a_random_portfolio_gives_what_the_check_accepts(seed: int) -> None:
    """Every POD has a schedule that the check accepts or a reason; none stops the others.

    Nets are sums of devices; the cost is the bill and what the use costs; no band is negative or where there is no
    schedule.
    """
    portfolio = portfolio_of(seed)
    result, store = result_of(portfolio), portfolio.store()
    base = result.baseline
    failed = {failure.pod for failure in base.failures}
    assert all(failure.reason and "inf" not in failure.reason.split() for failure in base.failures)
    levels = np.where(store.has_store[:, None], base.schedule.e, np.nan)
    checked = CheckedSchedule(base.device_ids, base.schedule.p, levels, base.schedule.aux, base.schedule.spill)
    report = check_schedule(portfolio, checked, without_pods=failed)
    assert report.good, report
    net = np.zeros_like(base.net_kw)
    np.add.at(net, store.pod, base.schedule.p)
    kept = ~np.isin(portfolio.ids, list(failed))
    np.testing.assert_allclose(net[kept], base.net_kw[kept], rtol=0, atol=1e-9)
    assert (base.bound_eur <= base.cost_eur + 1e-6 * np.maximum(1.0, abs(base.cost_eur))).all()
    for band in (result.device_up_kw, result.device_down_kw):
        assert (band >= 0).all()
        assert (band[~kept[store.pod]] == 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_energy_bounds_are_those_of_an_independent_programme(seed: int) -> None:
    """Within the share that is promised, either way: the other side stops early too. Cars have wishes beside energy."""
    portfolio = portfolio_of(seed)
    result, horizon = result_of(portfolio), portfolio.horizon
    failed = {failure.pod for failure in result.baseline.failures}
    for problem, net in (("min_energy", result.min_kw), ("max_energy", result.max_kw)):
        store, meter = posed(portfolio.store(), portfolio.meter(), "min_energy" if "min" in problem else "max_energy")
        sign = 1.0 if problem == "min_energy" else -1.0
        for row in [row for row, name in enumerate(portfolio.ids) if name not in failed]:
            if (store.shortfall_cost[store.pod == row] > 0).any():
                continue
            other = cheapest(store, meter, horizon.step_hours, horizon.day, pod=row)
            assert other is not None
            found = sign * net[row].sum() * horizon.step_hours
            slack = BOUND_GAP * max(1.0, abs(other.cost_eur)) + 1e-4 * horizon.steps
            assert other.cost_eur - slack <= found <= other.cost_eur + slack, (problem, row)
