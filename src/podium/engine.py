"""A run: level 1, level 2, the reference's promise beside it, and the check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from podium.checking import CheckReport, check_position, check_results, check_schedule
from podium.checking import Schedule as CheckedSchedule
from podium.compute import Progress, Where, silent
from podium.errors import InputError, Problem
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flexstore import Floats
from podium.local import Failure, LocalResult, optimise_local
from podium.market.energy import require_one_price
from podium.market.plan import Plan, optimise_portfolio, promise, undeliverable
from podium.results import RESULTS, Outcome, Promise, replaced, summary_of, write_files, write_report
from podium.study import Study

#: Phases of a run, in order, as they are told to `progress`.
PHASES = ("level 1", "level 2", "reference promise", "check", "files", "report")
Phase = Callable[[str], Progress]


def _quiet(_phase: str) -> Progress:
    return silent


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
    study: Study, *, workers: int | None = None, where: Where | None = None, phase: Phase = _quiet
) -> LocalResult:
    """Level 1 of a study: what `run` begins with, to be kept and given to it later.

    The arguments are those of `run`.
    """
    prices = study.prices
    return optimise_local(
        study.portfolio,
        market_eur_per_kwh=None if prices is None else prices.tariff_eur_per_kwh,
        sustain_hours=study.options.sustain_hours,
        limits=Limits(study.options.time_limit_seconds, study.options.mip_gap),
        workers=workers if where is None else where,
        progress=phase("level 1"),
    )


def level1_result(study: Study, local: LocalResult, *, phase: Phase = _quiet) -> Result:
    """Level 1 of a study as a result of its own, checked: there is no plan, and nothing is promised."""
    phase("check")
    return Result(study, local, None, None, _checked(study, local, None))


def run(
    study: Study,
    *,
    workers: int | None = None,
    where: Where | None = None,
    phase: Phase = _quiet,
    local: LocalResult | None = None,
) -> Result:
    """Optimise a study on both levels and check it.

    `workers`: number of processes, None for all cores; `where`: instead, any place where work may run. The result
    depends on neither. `phase` is told the name of each phase of `PHASES` as it begins, and gives back what is to be
    told the number of PODs done. `local`: level 1 of the same study and options, where it is known already.
    Raises InputError where the study cannot be optimised at all, ClusterLostError where a Dask cluster is lost; a POD
    that fails is in the result.
    """
    place = workers if where is None else where
    options, portfolio, prices = study.options, study.portfolio, study.prices
    limits = Limits(options.time_limit_seconds, options.mip_gap)
    if prices is not None and options.method == "exact":
        require_one_price(prices, portfolio.horizon)
    local = local or level1(study, workers=workers, where=where, phase=phase)
    plan = promised = None
    if prices is not None:
        plan = optimise_portfolio(
            portfolio,
            prices,
            local,
            method=options.method,
            limits=limits,
            workers=place,
            progress=phase("level 2"),
        )
        phase("reference promise")
        promised = _promise(study, local)
    phase("check")
    return Result(study, local, plan, promised, _checked(study, local, plan))


def check(study: Study, results_dir: Path | None = None) -> CheckReport:
    """Judge the files of a run (default: `results` in the study's folder) by the study alone.

    Raises InputError where a file cannot be read.
    """
    folder = results_dir or (study.folder or Path()) / RESULTS
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "no such folder", "the results of a run (`podium run` writes them)"))
    return check_results(study.portfolio, study.prices, folder)


def _promise(study: Study, local: LocalResult) -> Promise:
    if study.prices is None:
        raise AssertionError("a promise needs prices")
    result = promise(study.portfolio, study.prices, local)
    most = undeliverable(study.portfolio, local, result.F_max_kw)
    least = undeliverable(study.portfolio, local, result.F_min_kw)
    return Promise(result, most, least)


def _checked(study: Study, local: LocalResult, plan: Plan | None) -> CheckReport:
    """Level 1's baseline and the plan, judged from the study's data alone."""
    base = local.baseline
    reports = [_judged(study, local, base.schedule, base.net_kw, base.failures)]
    if plan is not None and plan.schedule is not base.schedule:
        reports.append(_judged(study, local, plan.schedule, plan.pod_kw, plan.failures))
    return CheckReport.joined(reports)


def _judged(
    study: Study, local: LocalResult, schedule: Schedule, net_kw: Floats, failures: Sequence[Failure]
) -> CheckReport:
    """One schedule, and whether its powers sum to the net power of the PODs that have one."""
    failed = {failure.pod for failure in failures}
    kept = ~np.isin(study.portfolio.ids, list(failed))
    levels = np.where(local.baseline.has_store[:, None], schedule.e, np.nan)
    judged = CheckedSchedule(local.baseline.device_ids, schedule.p, levels, schedule.aux, schedule.spill)
    return CheckReport.joined(
        (
            check_schedule(study.portfolio, judged, without_pods=failed),
            check_position(study.portfolio, judged, net_kw[kept].sum(axis=0), without_pods=failed),
        )
    )
