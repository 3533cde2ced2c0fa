"""What runs are called."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from podium.service.views import RunView
from podium.web import figures, parts
from podium.web.tags import words

KINDS = {"full": "Both levels", "local": "Local", "portfolio": "Aggregate"}
METHODS = {"exact": "Exact, with certificate", "virtus": "Reference method (VIRTUS)"}
STATES = {
    "queued": "waiting",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
_SPANS = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))
#: What an option of a run is called, and how its value is shown.
_OPTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "method": ("method", str),
    "gap": ("gap", figures.percent),
    "portfolio_time_limit_seconds": ("time limit", figures.duration),
    "sustain_hours": ("band held for", lambda hours: f"{figures.number(hours, 2)} h"),
    "time_limit_seconds": ("time limit of a POD", figures.duration),
    "mip_gap": ("gap of a POD", figures.percent),
    "curves": ("bid curves", str),
}


def state_badge(run: RunView) -> None:
    """The state of a run in a word."""
    words("span", STATES[run.state], parts.badge_classes(run.state))


def options_text(options: dict[str, Any]) -> str:
    """Options that a run was given, in words.

    >>> options_text({"method": "exact", "gap": 0.005})
    'method exact, gap 0.5 %'
    """
    return ", ".join(f"{_OPTIONS[key][0]} {_OPTIONS[key][1](value)}" for key, value in options.items())


def brief(seconds: float | None) -> str:
    """A short span of time given in seconds, with three digits.

    >>> brief(9.4e-6), brief(0.000358), brief(0.0523), brief(-7.26), brief(float("nan"))
    ('9.40 µs', '358 µs', '52.3 ms', '−7.26 s', '–')
    """
    if seconds is None or not math.isfinite(seconds):
        return figures.ABSENT
    size, unit = next(((size, unit) for size, unit in _SPANS if abs(seconds) < 1000 * size), _SPANS[-1])
    digits = abs(seconds) / size
    return f"{figures.number(seconds / size, 2 if digits < 10 else 1 if digits < 100 else 0)} {unit}"


def seconds_of(run: RunView) -> float | None:
    """How long a run has been computed, s; None where it has not begun."""
    if run.started_at is None:
        return None
    end = run.finished_at or (datetime.now(UTC) if run.state == "running" else None)
    return None if end is None else max((end - run.started_at).total_seconds(), 0.0)


def profit_of(run: RunView) -> float | None:
    """Profit of a run's plan, EUR; None where there is none."""
    return None if run.summary is None else run.summary.get("level2", {}).get("profit_eur")


def gap_of(run: RunView) -> float | None:
    """Gap of a run's plan; None where there is none."""
    return None if run.summary is None else run.summary.get("level2", {}).get("gap")


def cost_of(run: RunView) -> float | None:
    """Cost at level 1, EUR; None where there is none."""
    return None if run.summary is None else run.summary.get("level1", {}).get("cost_eur")
