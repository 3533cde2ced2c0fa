"""Rules of known reserve markets, each a file with its source and date (`data/markets`)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel

from podium.study.file_ref import STRICT
from podium.study.market_schema import ReserveFile


class Preset(BaseModel):
    """The products of a market, and where its rules are from."""

    model_config = STRICT

    title: str
    """What it is."""
    source: str
    """Where the rules stand."""
    date: str
    """Day from which these rules hold."""
    note: str
    """What to know before using it."""
    products: tuple[ReserveFile, ...]
    """Its products; prices that differ from day to day are left open."""


@cache
def presets() -> dict[str, Preset]:
    """Name -> preset, in alphabetical order."""
    folder = files("podium.study") / "data" / "markets"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".yaml"): Preset.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        for entry in found
    }
