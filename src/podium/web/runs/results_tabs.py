"""All results of a run, in tabs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from podium.web.runs import overview, sales
from podium.web.runs.pod_table import pod_table
from podium.web.runs.shown import Found, Shown
from podium.web.tags import tag, words


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
    pod_panel(shown.run.id, shown.found, planned=planned)


def pod_panel(run: UUID, found: Found, *, planned: bool, page_size: int = 25) -> None:
    """The table of PODs, and what its times are."""
    with tag("div", "pd-card pd-stack"):
        pod_table(run, found.results, planned=planned, page_size=page_size)
        words(
            "p",
            "Minimisation and maximisation: time to find the least and the greatest energy. PODs that are solved "
            "together share their time evenly.",
            "pd-muted pd-small",
        )
