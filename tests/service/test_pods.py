"""One POD of a run: its tariff and limits, and the reasons that `podium explain` gives."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

import podium
from podium.service import accounts, jobs, pods, runs, studies
from podium.service.accounts import Caller, Role
from podium.service.installation import Installation
from podium.service.problems import ConflictError, NotFoundError
from podium.service.views import RunWish
from podium.service.worker import compute
from service.conftest import PASSWORD
from unit.study_folders import one_home, write_files


def made_user(place: Installation, email: str) -> Caller:
    """A user of an address."""
    return accounts.caller_of(accounts.add_user(place, email, email, PASSWORD, Role.operator))


@pytest.fixture
def ada(place: Installation) -> Caller:
    """Who starts the run."""
    return made_user(place, "ada@example.org")


@pytest.fixture
def waiting(place: Installation, ada: Caller) -> UUID:
    """A run of a study of two PODs."""
    study = studies.create(place, ada, lambda folder: write_files(folder, one_home()))
    return runs.start(place, ada, RunWish(study=study.id), None).run.id


@pytest.fixture
def done(place: Installation, waiting: UUID) -> UUID:
    """The same, computed."""
    job = jobs.take(place)
    assert job is not None
    compute(place, job)
    return waiting


def test_reasons_are_those_of_the_library(place: Installation, ada: Caller, done: UUID, tmp_path: Path) -> None:
    loaded = podium.load_study(write_files(tmp_path / "study", one_home()))
    folder = runs.results_folder(place, ada, done)
    for step in (0, 50, 95):
        at = loaded.horizon.times[step].isoformat()
        assert pods.why(place, ada, done, "home-1", step) == podium.explain(loaded, folder, pod="home-1", at=at)
    with pytest.raises(NotFoundError, match="no such step"):
        pods.why(place, ada, done, "home-1", 96)
    with pytest.raises(podium.InputError, match="home-9"):
        pods.why(place, ada, done, "home-9", 0)


def test_terms_are_the_tariff_and_what_devices_can_do(place: Installation, ada: Caller, done: UUID) -> None:
    """The battery of the study: 3 kW in, 2.5 kW out, 10 kWh; the POD may draw 6.5 kW at 0.30 EUR/kWh."""
    terms = pods.terms_of(place, ada, done, "home-1")
    assert set(np.unique(terms.buy_eur_per_kwh)) == {0.30}
    assert set(np.unique(terms.sell_eur_per_kwh)) == {0.08}
    assert (terms.withdrawal_max_kw, terms.injection_max_kw) == (6.5, np.inf)
    battery = terms.rooms["battery-1"]
    assert (battery.power_min_kw.min(), battery.power_max_kw.max(), battery.energy_max_kwh.max()) == (-2.5, 3.0, 10.0)
    assert set(terms.rooms) == {"battery-1", "pv-1", "load-1", "car-1"}
    with pytest.raises(NotFoundError, match="no such POD"):
        pods.terms_of(place, ada, done, "home-9")


def test_nobody_else_learns_of_a_pod(place: Installation, done: UUID) -> None:
    bob = made_user(place, "bob@example.org")
    for run in (done, uuid4()):
        with pytest.raises(NotFoundError, match="no such run"):
            pods.terms_of(place, bob, run, "home-1")
        with pytest.raises(NotFoundError, match="no such run"):
            pods.why(place, bob, run, "home-1", 0)


def test_there_are_no_reasons_before_there_are_results(place: Installation, ada: Caller, waiting: UUID) -> None:
    with pytest.raises(ConflictError, match="queued"):
        pods.why(place, ada, waiting, "home-1", 0)
