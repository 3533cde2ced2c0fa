"""Rules of reserve markets as data: a file per market, with its source and date (data/markets)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel

from podium.errors import InputError, Problem
from podium.study.file_ref import STRICT
from podium.study.market_schema import ReserveKeys
from podium.study.wording import one_of


class Preset(BaseModel):
    """The products of one market, as its rules were on a date."""

    model_config = STRICT

    title: str
    source: str
    """Where the rules stand."""
    as_of: str
    """Year and month since which the rules are as here."""
    note: str = ""
    """What is assumed, and what to set oneself."""
    products: Mapping[str, ReserveKeys]
    """Name -> keys as in study.yaml."""


@cache
def presets() -> Mapping[str, Preset]:
    """Name -> preset, sorted by name."""
    folder = files("podium.study") / "data" / "markets"
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name)
    read = {path.name.removesuffix(".yaml"): path.read_text(encoding="utf-8") for path in paths}
    return {name: Preset.model_validate(yaml.safe_load(text)) for name, text in read.items()}


def products_of(keys: ReserveKeys) -> dict[str, ReserveKeys]:
    """Name -> all keys of each product that an entry of study.yaml means.

    Raises InputError whose `where` is the key at fault.
    """
    if keys.preset is None:
        return {keys.name or "": keys}
    if keys.preset not in presets():
        expected = one_of(keys.preset, presets())
        raise InputError(Problem("preset", f"unknown preset {keys.preset!r}", expected))
    known = presets()[keys.preset].products
    wanted = keys.only or tuple(known)
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(
            Problem("only", f"{keys.preset!r} has no product {name!r}", one_of(name, known)) for name in unknown
        )
    if keys.name is not None and len(wanted) > 1:
        value = f"name {keys.name!r} for {len(wanted)} products"
        raise InputError(Problem("name", value, "'only:' with one of the preset's products"))
    said = {name: getattr(keys, name) for name in keys.model_fields_set - {"preset", "only", "name"}}
    return {keys.name or name: known[name].model_copy(update=said) for name in wanted}
