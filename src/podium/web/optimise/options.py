"""Fields for the options of a run: empty ones leave to the study what it says itself."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from podium.errors import InputError, Problem
from podium.service.views import RunOptions
from podium.web import parts
from podium.web.runs.words import METHODS
from podium.web.tags import tag

_PERCENT = 100.0


class LocalOptions:
    """Options of level 1."""

    def __init__(self, given: dict[str, Any]) -> None:
        with tag("div", "pd-grid pd-options"):
            self.sustain = _number("Hold a band for, h", given.get("sustain_hours"))
            self.seconds = _number("Time limit of a POD, s", given.get("time_limit_seconds"))
            self.gap = _number("Gap of a POD with integers, %", _percent(given.get("mip_gap")))

    @property
    def fields(self) -> dict[str, ui.number]:
        """The fields by the names of the options."""
        return {"sustain_hours": self.sustain, "time_limit_seconds": self.seconds, "mip_gap": self.gap}

    def read(self) -> RunOptions:
        """What was filled in; raises InputError with a problem for each field that does not fit."""
        return parts.checked(
            RunOptions,
            sustain_hours=self.sustain.value,
            time_limit_seconds=self.seconds.value,
            mip_gap=_fraction("mip_gap", self.gap.value),
        )


class PortfolioOptions:
    """Options of level 2."""

    def __init__(self, given: dict[str, Any]) -> None:
        method = given.get("method") or "exact"
        with tag("div", "pd-grid pd-options"):
            self.method = ui.select(METHODS, value=method, label="Method", on_change=self._fit)
            self.gap = _number("Stop at a gap of, %", _percent(given.get("gap")))
            self.seconds = _number("Time limit, s", given.get("portfolio_time_limit_seconds"))
        self._study = given
        self._fit()

    @property
    def fields(self) -> dict[str, ui.number | ui.select]:
        """The fields by the names of the options."""
        return {"method": self.method, "gap": self.gap, "portfolio_time_limit_seconds": self.seconds}

    def _fit(self) -> None:
        """The reference method has neither gap nor rounds."""
        for field in (self.gap, self.seconds):
            field.set_enabled(self.method.value == "exact")

    def read(self) -> RunOptions:
        """What was filled in and differs from the study's own; raises InputError where a field does not fit."""
        exact = self.method.value == "exact"
        return parts.checked(
            RunOptions,
            method=self.method.value if self.method.value != self._study.get("method") else None,
            gap=_fraction("gap", self.gap.value) if exact else None,
            portfolio_time_limit_seconds=self.seconds.value if exact else None,
        )


def _number(label: str, of_study: float | None) -> ui.number:
    """A number that may be left empty; what the study says stands in its place."""
    field = ui.number(label, format="%.6g", placeholder="" if of_study is None else f"{of_study:g}").props("clearable")
    field.props["hint"] = "no limit" if of_study is None else f"of the study: {of_study:g}"
    return field


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * _PERCENT


def _fraction(name: str, percent: float | None) -> float | None:
    """A share of one; raises InputError in percent, as it was filled in."""
    if percent is not None and not 0 <= percent <= _PERCENT:
        raise InputError(Problem(name, f"{percent:g} %", "a percentage from 0 to 100"))
    return None if percent is None else percent / _PERCENT
