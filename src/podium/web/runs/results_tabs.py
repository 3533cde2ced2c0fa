"""All results of a run, in tabs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from podium.web.runs import overview, sales
from podium.web.runs.pod_table import pod_table
from podium.web.runs.shown import Shown
from podium.web.tags import tag


def results_tabs(shown: Shown, more: dict[str, Callable[[], object]] | None = None) -> None:
    """Tabs with what there is; `more` come last."""
    found = shown.found
    level2 = found.results.summary["level2"]
    planned = level2["method"] is not None
    tabs: dict[str, Callable[[], object]] = {"Overview": partial(overview.overview, shown)}
    if planned:
        tabs["Methods compared"] = partial(overview.comparison, found)
        tabs["Certificate"] = partial(overview.certificate, found)
    if found.sold.bids is not None:
        tabs["Bids"] = partial(sales.bids, found)
    if found.sold.backed:
        tabs["Reserve"] = partial(sales.reserve, found)
    if found.limits is not None:
        tabs["Limits"] = partial(overview.limits, found)
    if found.sold.shares is not None:
        tabs["Shares"] = partial(sales.shares, shown.run.id, found)
    tabs["PODs"] = partial(_pods, shown, planned=planned)
    tabs["Files"] = partial(overview.files, shown)
    overview.lazily(tabs | (more or {}))


def _pods(shown: Shown, *, planned: bool) -> None:
    with tag("div", "pd-card"):
        pod_table(shown.run.id, shown.found.results, planned=planned)
