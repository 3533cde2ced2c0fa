"""The parts of the page that need no script: head, key numbers, the reference method's promise, failures."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd

from podium.report.clock import day_text
from podium.report.files import Results
from podium.report.text import count, energy, eur, fixed, large_eur, percent, seconds, table, tag

SHOWN_FAILURES = 500


def period_text(results: Results) -> str:
    """The study's days, steps and zone in a line."""
    clock = results.clock
    first, last = clock.edges[0], clock.edges[-1]
    day = day_text(first, year=True)
    end_of_day = last - pd.Timedelta(minutes=1)
    if end_of_day.date() != first.date():
        day = f"{day} – {day_text(end_of_day, year=True)}"
    until = "24:00" if f"{last:%H:%M}" == "00:00" else f"{last:%H:%M}"
    steps = f"{count(len(clock.times), 'step')} of {clock.step_minutes} min"
    return f"{day}, {first:%H:%M}–{until} · {steps} · local time, {clock.zone_text}"


def key_numbers(results: Results) -> str:
    """Five numbers that say how the run went."""
    summary = results.summary
    level1, level2, check = summary["level1"], summary["level2"], summary["check"]
    undelivered = float(summary["undelivered_kwh"])
    failed = int(level1["failed"])
    violations = int(check["violations"])
    return "".join(
        [
            _number("Profit of the plan", large_eur(level2["profit_eur"]),
                    f"bound {eur(level2['bound_eur'])} · gap {percent(level2['gap'])}"),
            _number("Cost at level 1", large_eur(level1["cost_eur"]), f"worst gap {percent(level1.get('worst_gap'))}"),
            _number("Portfolio", count(summary["pods"], "POD"),
                    f"{count(summary['devices'], 'device')} · {_failed(failed)}"),
            _number("Check", count(violations, "violation"),
                    f"largest {fixed(check['max_violation_kw'], 3)} kW", bad=violations > 0),
            _number("Undelivered", energy(undelivered), "of the plan, by the devices’ own limits",
                    bad=undelivered > 0.005),
        ]
    )  # fmt: skip


def _failed(failed: int) -> str:
    return tag("span", f"{failed:,} failed", "flag" if failed else "")


def _number(label: str, value: str, note: str, *, bad: bool = False) -> str:
    inner = tag("dt", escape(label)) + tag("dd", value, "value") + tag("dd", note, "note")
    return tag("div", inner, "key bad" if bad else "key")


def profit_text(results: Results) -> str:
    """How the market's money per step and the plan's profit belong together; empty where they are equal."""
    level2 = results.summary["level2"]
    profit = level2["profit_eur"]
    on_market = float(results.steps["profit_eur"].sum())
    if profit is None or abs(on_market - profit) < 0.005:
        return ""
    return tag(
        "p", f"The steps show money on the market: {eur(on_market)} in all. {_rest(level2, on_market)}", "quiet under"
    )


def _rest(level2: dict[str, Any], on_market: float) -> str:
    """What comes to the market's money, part by part where the run tells them."""
    profit = level2["profit_eur"]
    parts = (("reserve", 1, "reserve_eur"), ("retail bills", -1, "retail_eur"), ("use of devices", -1, "device_eur"),
             ("peak charge of the portfolio", -1, "peak_eur"))  # fmt: skip
    told = [f"{words} {eur(sign * level2[key])}" for words, sign, key in parts if level2.get(key)]
    if told:
        return f"With {', '.join(told)}, the plan’s profit is {eur(profit)}."
    return (
        "Device costs (wear, fuel, starts), values of what is stored at the end, and what else belongs to no step come "
        f"to {eur(profit - on_market)}; the plan’s profit is {eur(profit)}."
    )


def certificate_text(results: Results) -> str:
    """What the plan earns, what no plan can exceed, and how far apart they are."""
    certificate = results.certificate
    rounds = certificate.get("rounds") or []
    rows = [
        ["Method", escape(str(certificate["method"] or "none: a study without market prices"))],
        ["Profit of the plan", eur(certificate["profit_eur"])],
        ["No plan can earn more than", eur(certificate["bound_eur"])],
        ["Gap, (bound − profit) / |profit|", percent(certificate["gap"])],
        ["Rounds", f"{len(rounds):,}"],
        ["Time at level 1, level 2", _times(results.summary)],
    ]
    note = "A round’s best mix becomes the plan when it is made real and offers are whole: that costs a little."
    return table(["Certificate", ""], rows, {1}) + (tag("p", note, "quiet under") if len(rounds) > 1 else "")


def _times(summary: dict[str, Any]) -> str:
    return f"{seconds(summary['level1']['seconds'])}, {seconds(summary['level2']['seconds'])}"


def promise_text(results: Results) -> str:
    """How much of what the reference method promises the devices cannot deliver."""
    virtus = results.summary.get("virtus")
    if not virtus:
        return tag("p", "The reference method was not run.", "quiet")
    lead = (
        "The reference method sums two trajectories per POD and treats them as a band. They are not one: what it "
        "asks for breaks device limits by the energy below (least absolute deviation, [lower, upper] bound)."
    )
    promised = float(virtus["promised_kwh"])
    bars = "".join(
        _promise_bar(label, virtus[key], promised)
        for label, key in (("Upper bound F<sub>max</sub>", "undelivered_max_kwh"),
                           ("Lower bound F<sub>min</sub>", "undelivered_min_kwh"))
    )  # fmt: skip
    rows = [
        ["Promised shift of energy, both bounds", energy(promised)],
        ["Profit it reports", eur(virtus["profit_eur"])],
        ["Mean profit it reports per step", f"{fixed(virtus['mean_profit_eur_per_step'], 4)} EUR"],
        ["Objective, in its own unit", fixed(virtus["objective"], 2)],
    ]
    return tag("p", lead, "quiet") + bars + table(["Reference method", ""], rows, {1})


def _promise_bar(label: str, undelivered_kwh: list[float], promised_kwh: float) -> str:
    lower, upper = (float(value) for value in undelivered_kwh)
    share = 100.0 * min(upper / promised_kwh, 1.0) if promised_kwh > 0 else 0.0
    meter = f'<div class="bar" aria-hidden="true"><i style="width:{share:.1f}%"></i></div>'
    line = f"{label}: [{energy(lower)}, {energy(upper)}] not deliverable"
    of = f"{fixed(share, 1)} % of all that is promised" if promised_kwh > 0 else "nothing promised"
    return tag("div", tag("p", f"<span>{line}</span> <span>{of}</span>") + meter, "promise")


def failures_text(results: Results) -> str:
    """PODs without an answer, and why."""
    failures = results.summary["level1"]["failures"]
    if not failures:
        return tag("p", "Every POD has a schedule.", "quiet good")
    rows = [[_pod_link(str(each["pod"])), escape(str(each["reason"]))] for each in failures[:SHOWN_FAILURES]]
    rest = len(failures) - SHOWN_FAILURES
    note = f"{count(rest, 'more failure')} in summary.json." if rest > 0 else "They keep their declared baseline."
    return table(["POD", "Reason"], rows, set()) + tag("p", note, "quiet")


def _pod_link(pod: str) -> str:
    return f'<a data-pod="{escape(pod)}" href="#pods">{escape(pod)}</a>'


def notices_text(results: Results) -> str:
    """What the run wants its reader to know."""
    notices = results.summary.get("notices") or []
    if not notices:
        return tag("p", "No notices.", "quiet")
    return tag("ul", "".join(tag("li", escape(str(text))) for text in notices), "notices")


def alert_text(results: Results) -> str:
    """A line under the head when something went wrong, empty otherwise."""
    failed, violations = results.summary["level1"]["failed"], results.summary["check"]["violations"]
    parts = []
    if failed:
        parts.append(f'<a href="#failures">{count(failed, "POD")} failed</a>')
    if violations:
        parts.append(f"the check found {count(violations, 'violation')}")
    return tag("p", " · ".join(parts), "alert") if parts else ""


def solver_times(pods: pd.DataFrame) -> list[dict[str, Any]]:
    """Level-1 times per solver: counts, quantiles for a box and a sorted curve of at most 201 points, s."""
    spent = pods.assign(seconds=pods["seconds"].astype(float)).dropna(subset=["seconds"])
    return [_solver_times(str(name), part["seconds"].to_numpy()) for name, part in spent.groupby("solver", sort=True)]


def _solver_times(name: str, spent: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, Any]:
    ranks = np.unique(np.linspace(0, len(spent) - 1, min(len(spent), 201)).round().astype(int))
    return {
        "solver": name, "pods": len(spent), "total": float(spent.sum()),
        "box": np.quantile(spent, (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)).tolist(),
        "rank": (ranks + 1).tolist(), "sorted": np.sort(spent)[ranks].tolist(),
    }  # fmt: skip


def times_text(pods: pd.DataFrame) -> str:
    """Level-1 times per solver as a table, ms."""
    rows = [
        [escape(each["solver"]), f"{each['pods']:,}", *(fixed(1e3 * each["box"][i], 3) for i in (2, 4, 5)),
         fixed(each["total"], 3)]
        for each in solver_times(pods)
    ]  # fmt: skip
    head = ["Solver", "PODs", "Median ms", "95 % ms", "Largest ms", "Sum s"]
    return table(head, rows, {1, 2, 3, 4, 5})
