"""Level 2 with everything that couples PODs, against one programme written from the fields alone."""

from __future__ import annotations

import pytest

from podium.market.plan import optimise_portfolio
from portfolio_physics import Case, greatest_profit_eur
from random_markets import drawn, study_of

GAP = 0.002


@pytest.mark.parametrize("seed", range(20))
def test_no_plan_beats_the_programme_and_the_programme_no_bound(seed: int) -> None:
    """The most that can be earned lies between a plan's profit and its bound, which are as close as was asked for.

    Few PODs, and calls that last several steps, so that no mix makes up for answers that do not hold them to their end.
    """
    ensure_between(drawn(seed))


@pytest.mark.parametrize("seed", range(5))
def test_nor_where_engines_are_on_or_off_and_offers_come_in_steps(seed: int) -> None:
    """An increment of 1 kW is a fifth of what a battery does: with it the best plan earns some per cent less."""
    ensure_between(drawn(seed, whole=True))


@pytest.mark.parametrize("seed", range(4))
def test_without_time_a_plan_still_keeps_limits_and_its_bound_binds(seed: int) -> None:
    case = drawn(seed, whole=True)
    plan = optimise_portfolio(study_of(case), time_limit_seconds=1e-3, workers=1)
    greatest, certificate = greatest_profit_eur(case), plan.certificate
    assert certificate is not None
    rounding = 1e-6 * max(1.0, abs(greatest))
    assert certificate.profit_eur <= greatest + rounding
    assert greatest <= certificate.bound_eur + rounding
    assert certificate.bound_eur == pytest.approx(min(done.bound_eur for done in certificate.rounds), abs=1e-9)
    assert certificate.gap <= 0.005 or "the time limit came first" in plan.notices[-1]


def ensure_between(case: Case) -> None:
    """Profit, the greatest profit of the oracle, and bound rise in this order, within the gap."""
    plan = optimise_portfolio(study_of(case), gap=GAP, workers=1)
    greatest = greatest_profit_eur(case)
    certificate = plan.certificate
    assert certificate is not None
    rounding = 1e-6 * max(1.0, abs(greatest))
    assert certificate.profit_eur <= greatest + rounding
    assert greatest <= certificate.bound_eur + rounding
    assert certificate.gap <= GAP
    assert plan.notices == ()
