"""The main figures as pictures for papers, slides and READMEs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from podium.report.clock import LocalClock
from podium.report.files import Results
from podium.report.sections import period_text
from podium.report.sold import Backed, Sold
from podium.report.text import MINUS, fixed, kind_text, percent, seconds

INK, MUTED, FAINT, BAND, ACCENT = "#1b2329", "#5c6870", "#d9dee2", "#dfe5e9", "#0b6578"
#: As in the page (report.css).
KIND_COLOURS = ("#2f7f74", "#8fbf5a", "#d8a23a", "#4f7fb5", "#a26fb0", "#c8664e", "#7d8a92", "#b8a07a")
MEGAWATTS_FROM_KW = 10_000.0


def draw_pictures(results: Results, sold: Sold) -> dict[str, Figure]:
    """The main figures by file name."""
    drawings: dict[str, Callable[[Results], Figure]] = {
        "flexibility.png": flexibility,
        "profit.png": profit,
        "price.png": price,
        "level1_times.png": level1_times,
    }
    found = {name: draw(results) for name, draw in drawings.items()}
    if len(results.certificate.get("rounds") or []) > 1:
        found["certificate.png"] = certificate(results)
    return found | ({"reserve.png": reserve(results, sold.backed)} if sold.backed else {})


def certificate(results: Results) -> Figure:
    """Bound and best mix, and the gap between them, round by round."""
    rounds = pd.DataFrame(results.certificate["rounds"]).astype(float)
    figure, axes = _figure("Bound, best mix and gap by round", results, rows=2)
    bound = rounds["bound_eur"]
    axes[0].plot(rounds["round"], bound, color=MUTED, linewidth=1.4, linestyle=":", label="bound")
    axes[0].plot(rounds["round"], rounds["profit_eur"], color=ACCENT, linewidth=2.0, label="best mix")
    late = rounds.iloc[len(rounds) // 3 :][["bound_eur", "profit_eur"]]
    low, high = float(np.nanmin(late)), float(np.nanmax(late))
    room = 0.15 * max(high - low, 1e-9 * max(abs(high), 1.0))
    axes[0].set_ylim(low - room, high + room)
    axes[0].set_ylabel("EUR")
    axes[0].yaxis.set_major_formatter(_thousands())
    _legend(figure, axes[0], columns=2)
    gap = 100.0 * (bound - rounds["profit_eur"]) / rounds["profit_eur"].abs()
    if (gap > 0).any():
        axes[1].set_yscale("log")
    axes[1].plot(rounds["round"], gap.where(gap > 0), color=INK, linewidth=1.4)
    axes[1].set_ylabel("Gap, %")
    axes[1].yaxis.set_major_formatter(_thousands())
    axes[1].yaxis.set_minor_formatter(NullFormatter())
    axes[1].set_xlabel(_ended(results))
    for each in axes:
        each.grid(color=FAINT, linewidth=0.6)
    return figure


def _ended(results: Results) -> str:
    """What the rounds came to."""
    gap, spent = results.certificate["gap"], results.summary["level2"]["seconds"]
    return f"Round (plan that is sold: gap {percent(gap)}, after {seconds(spent)})"


def reserve(results: Results, backed: list[Backed]) -> Figure:
    """What is offered of each product and side, and what backs it, by kind of device."""
    scale, unit = _power_unit(*(np.sum(list(each.kinds.values()), axis=0) for each in backed))
    figure, axes = _figure("Reserve: offered and backed", results, rows=len(backed))
    kinds = list(dict.fromkeys(kind for each in backed for kind in each.kinds))
    edges = np.arange(len(results.steps) + 1)
    for each, axis in zip(backed, axes, strict=True):
        below = np.zeros(len(results.steps))
        for kind, kw in each.kinds.items():
            above = below + kw / scale
            color = KIND_COLOURS[kinds.index(kind) % len(KIND_COLOURS)]
            axis.stairs(above, edges, baseline=below, fill=True, color=color, label=kind_text(kind))
            below = above
        if each.offer_kw is not None:
            _stairs(axis, each.offer_kw / scale, color=INK, linewidth=1.4, label="offered")
        name = each.product if each.product.endswith(each.direction) else f"{each.product}, {each.direction}"
        axis.set_ylabel(_plain(f"{name}, {unit}"))
        axis.set_ylim(bottom=0.0)
        axis.yaxis.set_major_formatter(_thousands())
    handles: dict[str, Any] = {}
    for axis in axes:
        handles |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=4, frameon=False, fontsize=8)
    _time_axis(axes[-1], results.clock)
    return figure


def flexibility(results: Results) -> Figure:
    """Aggregated flexibility bound, baseline, the reference method's optimised bound, and the plan's position."""
    steps = results.steps
    series = {name: _values(results, name) for name in (
        "min_kw", "max_kw", "virtus_sum_min_kw", "virtus_sum_max_kw", "virtus_min_kw", "virtus_max_kw", "baseline_kw",
        "position_kw")}  # fmt: skip
    promised = bool(np.isfinite(series["virtus_sum_max_kw"]).any())
    low, high = ("virtus_sum_min_kw", "virtus_sum_max_kw") if promised else ("min_kw", "max_kw")
    scale, unit = _power_unit(*series.values())
    figure, axes = _figure("Aggregated flexibility bound and optimised bound", results, rows=1)
    edges = np.arange(len(steps) + 1)
    values = {name: row / scale for name, row in series.items()}
    axes[0].stairs(values[high], edges, baseline=values[low], fill=True, color=BAND,
                   label="aggregated bound (reference method)" if promised else "least to greatest energy")  # fmt: skip
    for name in ("virtus_max_kw", "virtus_min_kw"):
        label = "optimised bound (reference method)" if name == "virtus_max_kw" else None
        _stairs(axes[0], values[name], color=ACCENT, linewidth=1.1, linestyle=(0, (3, 1.5)), label=label)
    _stairs(axes[0], values["baseline_kw"], color=MUTED, linewidth=1.2, label="baseline (level 1)")
    _stairs(axes[0], values["position_kw"], color=ACCENT, linewidth=2.0, label="position (plan)")
    axes[0].set_ylabel(f"Net power, {unit} (+ withdraws)")
    axes[0].yaxis.set_major_formatter(_thousands())
    _legend(figure, axes[0], columns=4)
    _time_axis(axes[0], results.clock)
    return figure


def profit(results: Results) -> Figure:
    """The portfolio's profit per step with its mean, what the reference method claims, and the profit added up."""
    per_step, claimed = _values(results, "profit_eur"), _values(results, "virtus_profit_eur")
    figure, axes = _figure("Optimised profit", results, rows=2)
    edges = np.arange(len(per_step) + 1)
    axes[0].stairs(np.nan_to_num(per_step), edges, fill=True, color=ACCENT, label="plan, on the market")
    mean = float(np.nan_to_num(per_step).mean())
    of_pod = fixed(mean / max(len(results.pods), 1), 4)
    label = f"mean over all steps: {fixed(mean, 2)} EUR ({of_pod} EUR per POD)"
    axes[0].axhline(mean, color=INK, linewidth=1.0, label=label)
    _stairs(axes[0], claimed, color=MUTED, linewidth=1.1, linestyle=(0, (3, 1.5)), label="reference method’s claim")
    axes[0].set_ylabel("EUR per step, portfolio")
    axes[0].yaxis.set_major_formatter(_thousands())
    _legend(figure, axes[0], columns=3)
    axes[1].plot(edges, np.concatenate(([0.0], np.nancumsum(per_step))), color=ACCENT, linewidth=2.0)
    axes[1].set_ylabel("EUR, cumulated")
    axes[1].yaxis.set_major_formatter(_thousands())
    for each in axes:
        each.axhline(0.0, color=MUTED, linewidth=0.6)
    _time_axis(axes[1], results.clock)
    return figure


def price(results: Results) -> Figure:
    """Market prices."""
    figure, axes = _figure("Market price", results, rows=1, height=3.2)
    buy, sell, production = (_values(results, f"{name}_eur_per_mwh") for name in ("buy", "sell", "production"))
    one = np.array_equal(buy, sell, equal_nan=True)
    _stairs(axes[0], buy, color=ACCENT, linewidth=2.0, label="buying and selling" if one else "buying")
    if not one:
        _stairs(axes[0], sell, color=INK, linewidth=1.4, label="selling")
    if np.nan_to_num(production).any():
        _stairs(axes[0], production, color=MUTED, linewidth=1.0, linestyle=(0, (3, 1.5)), label="production")
    axes[0].set_ylabel("EUR/MWh")
    _legend(figure, axes[0], columns=3)
    _time_axis(axes[0], results.clock)
    return figure


def level1_times(results: Results) -> Figure:
    """Distribution of the time that level 1 took per POD, for each solver."""
    figure, axes = _figure("Time of level 1 per POD", results, rows=1, height=3.2)
    pods = results.pods.dropna(subset=["seconds"])
    parts = {
        f"{name}\n{len(part):,} PODs": 1e3 * part["seconds"].to_numpy(dtype=float)
        for name, part in pods.groupby("solver", sort=True)
    }
    spent = [values[values > 0] for values in parts.values()]
    if any(len(values) for values in spent):
        axes[0].set_xscale("log")
    axes[0].boxplot(
        spent, orientation="horizontal", tick_labels=list(parts), widths=0.5, whis=(5, 95), patch_artist=True,
        boxprops={"facecolor": BAND, "edgecolor": MUTED}, medianprops={"color": ACCENT, "linewidth": 2.0},
        whiskerprops={"color": MUTED}, capprops={"color": MUTED},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": MUTED, "alpha": 0.4},
    )  # fmt: skip
    axes[0].invert_yaxis()
    axes[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[0].xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_xlabel("Time per POD, ms (box: quartiles; whiskers: 5 % and 95 %)")
    axes[0].grid(axis="x", color=FAINT, linewidth=0.6)
    return figure


def _figure(title: str, results: Results, *, rows: int, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.0, height if rows == 1 else 1.0 + 2.1 * rows), layout="constrained", facecolor="white")
    axes = list(np.atleast_1d(figure.subplots(rows, 1, sharex=True)))
    figure.suptitle(_plain(title), x=0.012, ha="left", fontsize=12, fontweight="bold", color=INK)
    study = _plain(f"{results.summary['study']} · {period_text(results)}")
    axes[0].set_title(study, loc="left", fontsize=8, color=MUTED)
    for each in axes:
        each.set_axisbelow(True)
        each.tick_params(colors=MUTED, labelsize=8, length=3)
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(FAINT)
        each.yaxis.label.set(color=INK, fontsize=9)
        each.xaxis.label.set(color=INK, fontsize=9)
    return figure, axes


def _plain(text: str) -> str:
    """Text that is shown as it is, never read as a formula."""
    return text.replace("$", r"\$")


def _time_axis(axes: Axes, clock: LocalClock) -> None:
    at, labels = clock.ticks(9)
    axes.set_xlim(0, len(clock.times))
    axes.set_xticks(at, labels)
    axes.set_xlabel(f"Local time, {clock.zone_text}")
    for each in axes.figure.axes:
        each.grid(color=FAINT, linewidth=0.6)
        for first, _ in clock.changes:
            each.axvline(first, color=MUTED, linewidth=0.8, linestyle=":")
    for first, text in clock.changes:
        above = axes.get_xaxis_transform()
        axes.text(first, 1.0, f" {text}", transform=above, va="top", fontsize=7, color=MUTED)


def _stairs(axes: Axes, values: NDArray[np.float64], **look: Any) -> None:
    """A line that is constant over each step; nothing where there is no number at all."""
    if np.isfinite(values).any():
        axes.stairs(values, np.arange(len(values) + 1), baseline=None, **look)


def _thousands() -> FuncFormatter:
    """Labels with thousands separators, and decimals only where they are needed."""
    return FuncFormatter(lambda value, _: f"{value:,.6g}".replace("-", MINUS))


def _legend(figure: Figure, axes: Axes, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8)


def _values(results: Results, name: str) -> NDArray[np.float64]:
    return results.steps[name].to_numpy(dtype=float, na_value=np.nan)


def _power_unit(*series: NDArray[np.float64]) -> tuple[float, str]:
    """What to divide kW by, and the unit's name."""
    peak = max((float(np.nanmax(np.abs(row), initial=0.0)) for row in series), default=0.0)
    return (1000.0, "MW") if peak >= MEGAWATTS_FROM_KW else (1.0, "kW")
