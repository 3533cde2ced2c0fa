"""Does the certificate say what it proves, and do its rounds lead to it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from podium.checking.case import LEAST_EUR, MONEY_TOLERANCE, Case
from podium.checking.results_folder import number_of


def check_certificate(case: Case) -> None:
    """gap = (bound - profit) / |profit|, the bound not below the profit, and the same in both files."""
    written = case.results.certificate
    profit, bound, gap = (written.get(name) for name in ("profit_eur", "bound_eur", "gap"))
    for name in ("method", "profit_eur", "bound_eur", "gap"):
        said = number_of(case.results.summary, "level2", name)
        if said != written.get(name):
            what = f"summary.json, level2.{name} is {said}, but certificate.json has {written.get(name)}"
            case.findings.note(what, np.nan, "")
    if bound is None and gap is None:
        return
    if not isinstance(profit, int | float) or not isinstance(bound, int | float):
        case.findings.note("certificate.json lacks profit_eur or bound_eur", 1.0, "numbers")
        return
    if gap is not None or np.isfinite(gap_of(bound, profit)):
        case.equal("certificate.json, gap", gap, gap_of(bound, profit), "")
    short = profit - bound
    if short > MONEY_TOLERANCE * max(abs(profit), LEAST_EUR):
        case.findings.note(f"the bound of {bound:.9g} EUR is below the profit of {profit:.9g} EUR", short, "EUR")
    _check_rounds(case, written, float(bound), float(profit))


def _check_rounds(case: Case, written: Mapping[str, Any], bound: float, profit: float) -> None:
    """The least bound of all rounds is the certificate's, and no round earns more than its own bound.

    The profit of a round is that of a mix which is made real only at the end, so that the plan's may be another.
    """
    rounds = written.get("rounds")
    if not isinstance(rounds, list) or not rounds:
        return
    bounds = [_number(entry, "bound_eur") for entry in rounds]
    profits = [_number(entry, "profit_eur") for entry in rounds]
    scale = max(abs(bound), abs(profit))
    case.equal(
        f"certificate.json, the least bound_eur of its {len(rounds)} rounds", np.nanmin([np.inf, *bounds]), bound,
        "EUR", scale,
    )  # fmt: skip
    for number, (most, earned, entry) in enumerate(zip(bounds, profits, rounds, strict=True), start=1):
        if earned - most > MONEY_TOLERANCE * max(abs(most), abs(earned), LEAST_EUR):
            what = f"certificate.json, round {number} earns {earned:.9g} EUR, more than its bound of {most:.9g} EUR"
            case.findings.note(what, earned - most, "EUR")
        gap, expected = _number(entry, "gap"), gap_of(most, earned)
        if np.isfinite(gap) and np.isfinite(expected):
            case.equal(f"certificate.json, gap of round {number}", gap, expected, "", 1.0)


def _number(entry: Any, name: str) -> float:
    """A number of a round, NaN where it has none."""
    found = entry.get(name) if isinstance(entry, Mapping) else None
    return float(found) if isinstance(found, int | float) else np.nan


def gap_of(bound_eur: float, profit_eur: float) -> float:
    """(bound - profit) / |profit|; where nothing is earned, 0 if the bound is 0 too, else inf."""
    if profit_eur == 0:
        return 0.0 if bound_eur == 0 else np.inf
    return (bound_eur - profit_eur) / abs(profit_eur)
