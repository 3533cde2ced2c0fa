"""A run: level 1, level 2, the reference's promise beside it, and the check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from podium.checking import CheckReport, check_files, check_results, check_schedule
from podium.checking import Schedule as CheckedSchedule
from podium.compute import Kept, Progress, Where, silent
from podium.compute.fingerprint import fingerprint
from podium.errors import InputError, Problem
from podium.local import LocalResult
from podium.market.bidding import bids_of
from podium.market.coordination import Round
from podium.market.energy import ensure_no_arbitrage
from podium.market.plan import local_of, optimise_portfolio, promise, undeliverable
from podium.market.prices import KWH_PER_MWH
from podium.results import RESULTS, Outcome, Promise, files_of, replaced, summary_of, write_files, write_report
from podium.study import Study
from podium.version import __version__

#: Phases of a run, in order, as they are told to `progress`.
PHASES = ("level 1", "level 2", "bids", "reference promise", "check", "files", "report")
Phase = Callable[[str], Progress]
Done = TypeVar("Done")


def _quiet(_phase: str) -> Progress:
    return silent


def _unheard(_round: Round) -> None:
    pass


class Result(Outcome):
    """Everything that a run found, and the files that it makes."""

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        return summary_of(self)

    def write(self, folder: Path, phase: Phase = _quiet) -> None:
        """Tables, summary, certificate, report and pictures into `folder`, which is replaced as a whole."""
        with replaced(folder) as aside:
            phase("files")
            write_files(self, aside)
            phase("report")
            write_report(aside)


def level1(
    study: Study,
    *,
    workers: int | None = None,
    where: Where | None = None,
    phase: Phase = _quiet,
    kept: Kept | None = None,
) -> LocalResult:
    """Level 1 of a study: what `run` begins with, to be given to it later (arguments as of `run`)."""
    _ensure_ready(study)
    return local_of(study, workers if where is None else where, phase("level 1"), kept)


def level1_result(study: Study, local: LocalResult, *, phase: Phase = _quiet) -> Result:
    """Level 1 of a study as a result of its own, checked: there is no plan, and nothing is promised."""
    phase("check")
    return _checked(Result(study, local, None, None, CheckReport.joined(())))


def run(
    study: Study,
    *,
    workers: int | None = None,
    where: Where | None = None,
    phase: Phase = _quiet,
    local: LocalResult | None = None,
    told: Callable[[Round], None] = _unheard,
    kept: Kept | None = None,
) -> Result:
    """Optimise a study on both levels and check it.

    `workers`: number of processes, None for all cores; `where`: instead, any place where work may run. The result
    depends on neither. `phase` is told the name of each phase of `PHASES` as it begins, and gives back what is to be
    told the number of PODs done. `local`: level 1 of the same study and options, where it is known already. `told`
    hears of every round of level 2: its bound, profit and gap. `kept`: where batches of PODs of level 1, and the phases
    behind it, are kept as they are done, and taken from where an earlier run of the same study, options and version
    was ended in its midst; the result is the same, and its times are those of whoever computed it.
    Raises InputError where the study cannot be optimised at all, ClusterLostError where a Dask cluster is lost; a POD
    that fails is in the result.
    """
    place = workers if where is None else where
    _ensure_ready(study)
    if study.options.method == "exact":
        ensure_no_arbitrage(study.prices, study.horizon)
    local = local or level1(study, workers=workers, where=where, phase=phase, kept=kept)
    once = _Phases(study, phase, kept)
    plan = promised = bids = None
    if study.prices is not None or study.market.sells:
        plan = once(
            "level 2", lambda progress: optimise_portfolio(study, local, workers=place, progress=progress, told=told)
        )
    if plan is not None and plan.method == "exact":
        sold = plan
        bids = once("bids", lambda _: bids_of(study, sold, place))
    if study.prices is not None:
        promised = once("reference promise", lambda _: _promise(study, local))
    phase("check")
    return _checked(Result(study, local, plan, promised, CheckReport.joined(()), bids))


def _ensure_ready(study: Study) -> None:
    """Raise InputError where a study that was read lacks prices, with file and line."""
    if study.prices is None and study.unready:
        raise InputError(study.unready)


class _Phases:
    """Does the phases behind level 1, each once, also where an earlier run of the same was ended behind it."""

    def __init__(self, study: Study, phase: Phase, kept: Kept | None) -> None:
        self._phase, self._kept = phase, kept
        facts = (study.portfolio, study.prices, study.market, study.options)
        self._key = "" if kept is None else fingerprint(__version__, *facts)

    def __call__(self, name: str, work: Callable[[Progress], Done]) -> Done:
        progress = self._phase(name)
        if self._kept is None:
            return work(progress)
        known: dict[int, Done] = self._kept.known(name, [self._key])
        if 0 not in known:
            known[0] = work(progress)
            self._kept.keep(name, self._key, known[0])
        return known[0]


def check(study: Study, results_dir: Path | None = None) -> CheckReport:
    """Judge the files of a run (default: `results` in the study's folder) by the study alone.

    Raises InputError where a file cannot be read.
    """
    folder = results_dir or (study.folder or Path()) / RESULTS
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "no such folder", "the results of a run (`podium run` writes them)"))
    return check_results(study.portfolio, study.prices, folder, market=study.market)


def _promise(study: Study, local: LocalResult) -> Promise:
    if study.prices is None:
        raise AssertionError("a promise needs prices")
    result = promise(study.portfolio, study.prices, local)
    most = undeliverable(study.portfolio, local, result.F_max_kw)
    least = undeliverable(study.portfolio, local, result.F_min_kw)
    gains = result.gain_max_eur_per_mwh * most.delivered_kw + result.gain_min_eur_per_mwh * least.delivered_kw
    delivered_eur = study.horizon.step_hours / KWH_PER_MWH * float(gains.sum())
    return Promise(result, most, least, delivered_eur)


def _checked(result: Result) -> Result:
    """A result with what the check says of it, from the study's data alone.

    All that `check` will say of its files, and level 1's baseline, of which the files keep only the powers.
    """
    study = result.study
    reports = [check_files(study.portfolio, study.prices, files_of(result), market=study.market)]
    if result.schedule is not result.local.baseline.schedule:
        reports.append(_judged_baseline(study, result.local))
    return replace(result, check=CheckReport.joined(reports))


def _judged_baseline(study: Study, local: LocalResult) -> CheckReport:
    base, found = local.baseline, local.baseline.schedule
    levels = np.where(base.has_store[:, None], found.e, np.nan)
    schedule = CheckedSchedule(base.device_ids, found.p, levels, found.aux, found.spill)
    return check_schedule(study.portfolio, schedule, without_pods={failure.pod for failure in base.failures})
