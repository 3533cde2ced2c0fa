"""What a pool is said to be worth, and how much of its position devices do not deliver."""

from __future__ import annotations

import numpy as np

from podium.checking.case import Case
from podium.checking.earnings import Earnings
from podium.checking.results_folder import number_of


def check_worth(case: Case, earned: Earnings) -> None:
    """The plan's profit, minus level 1's cost and the reference's promise, the same in both files.

    What of that promise devices deliver rests on what the reference method makes of it, which the files do not keep.
    """
    summary, cost = case.results.summary, case.results.pod_summary["cost_eur"].to_numpy(dtype=float)
    for name, expected, scale in (
        ("plan_eur", earned.profit_eur, earned.scale_eur),
        ("alone_eur", -float(np.nansum(cost)), float(np.nansum(abs(cost)))),
    ):
        case.equal(f"summary.json, worth.{name}", number_of(summary, "worth", name), expected, "EUR", scale)
    promise, said = number_of(summary, "virtus", "profit_eur"), number_of(summary, "worth", "reference_promise_eur")
    if said is not None or promise is not None:
        expected = np.nan if promise is None else float(promise)
        case.equal("summary.json, worth.reference_promise_eur", said, expected, "EUR")
    ours, theirs = summary.get("worth"), case.results.certificate.get("worth")
    if ours != theirs:
        case.findings.note(f"summary.json, worth is {ours}, but certificate.json has {theirs}", np.nan, "")


def check_undelivered(case: Case) -> None:
    """The position that no set point stands for; a POD without a schedule delivers what it declares."""
    planned = case.net_kw(case.plan)
    absent = case.without(case.plan)
    delivered = np.where(absent[:, None], case.pods["plan_kw"], planned).sum(axis=0)
    hours, position = case.portfolio.horizon.step_hours, case.steps["position_kw"]
    missing, scale = (hours * float(abs(row).sum()) for row in (position - delivered, position))
    case.equal("summary.json, undelivered_kwh", case.results.summary.get("undelivered_kwh"), missing, "kWh", scale)
