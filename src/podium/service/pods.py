"""One POD of a run: what it pays, what its devices can do, and why they do what they do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import numpy as np

import podium
from podium.explaining import Explanation, explain
from podium.flexstore import Floats
from podium.service.accounts import Caller
from podium.service.installation import Installation
from podium.service.problems import NotFoundError
from podium.service.runs import owned_run, results_folder
from podium.service.studies import INPUT
from podium.study import Limits, Study

#: Studies that are kept in memory for those who look at one POD after the other; their files never change.
_STUDIES_KEPT = 2


@dataclass(frozen=True)
class Room:
    """What a device can do by its own limits. Shape (step,) each; energy holds at the end of a step."""

    device: str
    power_min_kw: Floats
    power_max_kw: Floats
    energy_min_kwh: Floats
    energy_max_kwh: Floats


@dataclass(frozen=True)
class PodTerms:
    """What a POD pays and what is possible behind its meter."""

    buy_eur_per_kwh: Floats
    """Tariff of withdrawing. Shape (step,)."""
    sell_eur_per_kwh: Floats
    """Tariff of injecting. Shape (step,)."""
    withdrawal_max_kw: float
    """inf where free."""
    injection_max_kw: float
    """inf where free."""
    rooms: dict[str, Room]
    """Of each device."""


def terms_of(place: Installation, caller: Caller, run: UUID, pod: str) -> PodTerms:
    """Tariff and limits of a POD of a run; raises NotFoundError where there is none."""
    study = _study_of(place, caller, run)
    rows = np.flatnonzero(study.portfolio.ids.astype(str) == pod)
    if not len(rows):
        raise NotFoundError("no such POD")
    portfolio = study.portfolio.take(rows)
    meter = portfolio.meter(None if study.prices is None else study.prices.tariff_eur_per_kwh)
    store = portfolio.store()
    names = ("p_min", "p_max", "e_min", "e_max")
    rooms = {
        str(name): Room(str(name), *(np.array(store.full(column)[row]) for column in names))
        for row, name in enumerate(store.ids)
    }
    return PodTerms(meter.buy[0], meter.sell[0], float(meter.withdrawal_max[0]), float(meter.injection_max[0]), rooms)


def why(place: Installation, caller: Caller, run: UUID, pod: str, step: int) -> Explanation:
    """Why the devices of a POD do what they do in a step, as `podium explain` says it.

    Raises InputError where there is no such POD or step, or the POD has no schedule.
    """
    study, folder = _study_of(place, caller, run), results_folder(place, caller, run)
    times = study.horizon.times
    if not 0 <= step < len(times):
        raise NotFoundError("no such step")
    return explain(study, folder, pod=pod, at=times[step].isoformat())


def _study_of(place: Installation, caller: Caller, run: UUID) -> Study:
    with place.database.reading() as session:
        study = owned_run(session, caller, run).study_id
    return _loaded(place.study_folder(study) / INPUT, place.settings.study_limits)


@lru_cache(_STUDIES_KEPT)
def _loaded(folder: Path, limits: Limits) -> Study:
    return podium.load_study(folder, limits)
