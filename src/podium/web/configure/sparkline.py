"""Small charts without axes, as SVG in the page: the shape of a profile, light enough for a table of them."""

from __future__ import annotations

from html import escape

import numpy as np
from nicegui import ui

from podium.flexstore import Floats

WIDTH, HEIGHT = 160, 32
_POINTS_MAX = 160
_EDGE = 2.0


def sparkline(values: Floats, label: str) -> ui.html:
    """The shape of a series from its first step to its last; `label` says in words what it shows."""
    return ui.html(svg(values, label), sanitize=False).classes("pd-spark")


def svg(values: Floats, label: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A line over an area down to zero; a series below zero too has its zero line."""
    shown = thinned(values)
    low, high = min(0.0, float(shown.min())), max(0.0, float(shown.max()))
    span = (high - low) or 1.0
    x = np.linspace(0.0, width, len(shown) + 1)

    def y(value: float) -> float:
        return _EDGE + (high - value) / span * (height - 2 * _EDGE)

    steps = [f"{x[step]:.1f},{y(value):.1f} {x[step + 1]:.1f},{y(value):.1f}" for step, value in enumerate(shown)]
    line, zero = " ".join(steps), f"{y(0.0):.1f}"
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
        f'<polygon class="pd-spark-area" points="0,{zero} {line} {width},{zero}"/>'
        f'<line class="pd-spark-zero" x1="0" x2="{width}" y1="{zero}" y2="{zero}"/>'
        f'<polyline class="pd-spark-line" points="{line}"/></svg>'
    )


def thinned(values: Floats) -> Floats:
    """At most so many points as a small chart can show: means of equal stretches."""
    if len(values) <= _POINTS_MAX:
        return np.asarray(values, dtype=np.float64)
    edges = np.linspace(0, len(values), _POINTS_MAX + 1).astype(np.int64)
    return np.asarray(np.add.reduceat(values, edges[:-1]) / np.diff(edges), dtype=np.float64)
