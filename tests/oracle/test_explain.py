"""Values of stored energy and of limits, against another formulation solved twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import podium
from formulation import cheapest
from podium.explaining.record import read_record
from podium.explaining.worth import Change, PodModel
from podium.flexstore import FlexStore
from podium.market.prices import EnergyPrices
from podium.portfolio import Meter, Portfolio
from podium.study import Study
from random_pods import Maker, random_horizon, random_pod

#: The other formulation's difference, kWh or kW.
STEP = 1e-2


def random_study(seed: int) -> Study:
    """Two PODs with several devices and connections, all free of on/off decisions, at prices above 0."""
    random = np.random.default_rng(seed)
    maker = Maker(random, random_horizon(random, 12))
    pods = [random_pod(maker, f"pod{n}", 2, on_off=False, coupled=True) for n in range(2)]
    price = EnergyPrices.single(random.uniform(5, 150, maker.horizon.steps))
    return Study("Random", Portfolio.of(pods, maker.horizon, maker.profiles), price)


def cost_eur(model: PodModel, store: FlexStore, meter: Meter) -> float:
    other = cheapest(store, meter, model.hours, model.day)
    return np.nan if other is None else other.cost_eur


def shifted(store: FlexStore, column: str, device: int, step: int, amount: float) -> FlexStore:
    values = np.array(store.full(column))
    values[device, step] += amount
    return replace(store, **{column: values})


@pytest.mark.parametrize("seed", range(10))
def test_slopes_lie_between_differences_of_an_independent_programme(seed: int, tmp_path: Path) -> None:
    """The least cost is convex in what enters a store, and in a limit.

    So the slope at a point lies between the differences over a wider step on either side, and those are taken from
    another formulation.
    """
    study = random_study(seed)
    result = podium.run(study, workers=1)
    result.write(tmp_path / "results")
    failed = {failure.pod for failure in result.local.baseline.failures} | {f.pod for f in result.plan.failures}  # type: ignore[union-attr]
    compared = 0
    for pod in [name for name in study.portfolio.ids if name not in failed]:
        step = study.horizon.steps // 2
        record = read_record(study, tmp_path / "results", str(pod), study.horizon.times[step].to_pydatetime())
        model = PodModel(record)
        base = cost_eur(model, model.store, model.priced)
        for device in np.flatnonzero(model.store.has_store).tolist():
            more, less = (model.value(device, step, sign) for sign in (1.0, -1.0))
            wide = [
                (base - cost_eur(model, shifted(model.store, "drift", device, step, sign * STEP), model.priced))
                / (sign * STEP)
                for sign in (1.0, -1.0)
            ]
            close = 2e-4
            if more is not None and np.isfinite(wide[0]):
                assert more >= wide[0] - close
                compared += 1
            if less is not None and np.isfinite(wide[1]):
                assert less <= wide[1] + close
            if more is not None and less is not None:
                assert more <= less + close
            gain = model.worth(Change("p_max", device, step))
            wider = (base - cost_eur(model, shifted(model.store, "p_max", device, step, STEP), model.priced)) / STEP
            assert gain is not None
            assert gain >= wider - close
            assert gain >= -close
    assert compared or len(failed) == len(study.portfolio)
