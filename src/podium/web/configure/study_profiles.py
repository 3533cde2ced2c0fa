"""Step 2 of a study: what its profiles are and what they add up to. A study is complete, so nothing is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from nicegui import ui

import podium
from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.portfolio import Portfolio
from podium.service import studies
from podium.service.accounts import Role
from podium.service.installation import Installation
from podium.service.views import StudyView
from podium.study.catalogue import Installed
from podium.study.forecast import Forecast, portfolio_forecasts
from podium.web import figures, parts, shell, theme
from podium.web.configure.supplies import forecast_tiles, horizon_words, price_panel, study_profile_table
from podium.web.steps import PROFILES, steps
from podium.web.tags import link, tag, words
from podium.web.visitor import Visitor, page


@dataclass(frozen=True)
class _Loaded:
    """What the page shows of a study."""

    horizon: Horizon
    installed: Installed
    profiles: list[tuple[str, str, Floats]]
    """Name, users, values."""
    sums: list[Forecast]
    prices: Floats | None
    kinds: dict[str, tuple[int, int]]
    """Title of a kind -> devices, and profiles that they use."""


@page("/profiles/{study}", title="Profiles")
async def profiles_of_study(visitor: Visitor, study: UUID) -> None:
    """Step 2 of a study."""
    await study_profiles(visitor, study)


async def study_profiles(visitor: Visitor, study: UUID) -> None:
    """The page of a study; raises NotFoundError where there is none."""
    found = await visitor.query(lambda session, caller: studies.view(session, caller, study))
    loaded = await visitor.read(lambda place, _caller: _load(place, study))
    ui.add_head_html(f'<link rel="stylesheet" href="{theme.address()}/configure.css">')
    with shell.frame(visitor, found.name, active="studies", lead=horizon_words(loaded.horizon)):
        steps(PROFILES, study)
        forecast_tiles(loaded.installed, loaded.sums)
        with tag("div", "pd-side"):
            with parts.panel("Profiles", flush=True):
                if loaded.profiles:
                    study_profile_table(loaded.profiles)
                else:
                    parts.empty("This study has no profiles.")
            with tag("div", "pd-stack"):
                _prices(loaded.prices)
                _kinds(loaded.kinds)
        _dock(visitor, found)


def _load(place: Installation, study: UUID) -> _Loaded:
    loaded = podium.load_study(place.study_folder(study) / studies.INPUT, place.settings.study_limits)
    portfolio = loaded.portfolio
    used: Counter[int] = Counter()
    kinds = {}
    for table in portfolio.devices.values():
        named = [table[name] for name in ("profile", "heat_profile", "cop_profile") if name in table.columns]
        rows = np.concatenate([*named, np.zeros(0, dtype=np.int64)])
        rows = rows[rows >= 0]
        used.update(rows.tolist())
        kinds[table.kind.title] = (len(set(table.ids)), len(set(rows.tolist())))
    profiles = [
        (name, figures.counted(used[row], "device") if used[row] else "PODs", portfolio.profiles.values[row])
        for row, name in enumerate(portfolio.profiles.names)
    ]
    prices = None if loaded.prices is None else loaded.prices.buy
    return _Loaded(loaded.horizon, _installed(portfolio), profiles, portfolio_forecasts(portfolio), prices, kinds)


def _installed(portfolio: Portfolio) -> Installed:
    """PODs, devices and batteries."""
    batteries = portfolio.devices.get("battery")
    return Installed(
        pods=len(portfolio),
        devices=portfolio.device_count,
        storage_kw=0.0 if batteries is None else float(batteries["discharge_max_kw"].sum()),
        storage_kwh=0.0 if batteries is None else float(batteries["energy_max_kwh"].sum()),
    )


def _prices(values: Floats | None) -> None:
    detail = "Of the study." if values is not None else "The study has none."
    price_panel(values, "bundled", detail, needed=values is not None)


def _kinds(kinds: dict[str, tuple[int, int]]) -> None:
    with (
        parts.panel("Devices", flush=True),
        parts.listing("Devices by kind", "Kind", "Devices", "Profiles", numbers=("Devices", "Profiles")),
    ):
        for title, (devices, profiles) in kinds.items():
            with tag("tr"):
                words("td", title)
                words("td", figures.count(devices), "pd-num")
                words("td", figures.count(profiles), "pd-num")


def _dock(visitor: Visitor, study: StudyView) -> None:
    with tag("div", "pd-dock"):
        link("Back to the study", f"/studies/{study.id}", "pd-button pd-quiet")
        if visitor.may(Role.operator):
            link("Go on to optimise", f"/optimise/{study.id}", "pd-button")
