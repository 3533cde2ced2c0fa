"""A `Market` as the key `market` of study.yaml, with the profiles and tables that it refers to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.market.terms import BACKING_KINDS, Market, PositionLimits, ReserveProduct
from podium.study.reserve import AVAILABILITY, END, MAXIMUM, PRODUCT, START

Floats = NDArray[np.float64]
BLOCK_TABLE = "reserve_blocks"
_PLAIN = ("peak_eur_per_kw", "headroom_up_kw", "headroom_down_kw", "headroom_sustain_hours", "takeover")
_OF_PRODUCT = ("activated_share", "sustain_hours", "minimum_mw", "increment_mw")


@dataclass
class MarketParts:
    """A market as keys and frames."""

    horizon: Horizon
    taken: Collection[str]
    """Names of profiles that the study has already."""
    keys: dict[str, Any] = field(default_factory=dict)
    """Content of `market`; a table stands there by its name without a suffix."""
    profiles: dict[str, Floats] = field(default_factory=dict)
    """Profiles of the market's own, each of shape (step,)."""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def value(self, row: Floats, name: str, what: str) -> float | str | None:
        """A number where all steps have it, None where all are free, else the name of a new profile."""
        if (row == row[0]).all():
            return None if np.isinf(row[0]) else float(row[0])
        if not np.isfinite(row).all():
            raise InputError(Problem(what, "a limit in some steps only", "a finite number in each step, or in none"))
        unique = name
        while unique in self.taken or unique in self.profiles:
            unique += "_"
        self.profiles[unique] = row
        return unique


def market_parts(market: Market, horizon: Horizon, taken: Collection[str]) -> MarketParts:
    """What says the same as `market`; fields that have their default are left out.

    Raises InputError where a study file cannot say it: a limit in some steps only, or a block with a gap.
    """
    parts = MarketParts(horizon, taken)
    usual = Market()
    names = ("settlement", "time_unit_minutes", *_PLAIN)
    parts.keys |= {name: getattr(market, name) for name in names if getattr(market, name) != getattr(usual, name)}
    if market.limits is not None:
        parts.keys |= _limits(market.limits, "portfolio", parts)
    groups = [{"group": of.name, **_limits(of.limits, f"group {of.name}", parts)} for of in market.groups]
    reserve = [_product(product, parts) for product in market.reserves]
    found = {"groups": groups, "reserve": reserve, "priority": list(market.priority)}
    parts.keys |= {name: listed for name, listed in found.items() if listed}
    if reserve:
        frames = [_blocks(product, horizon) for product in market.reserves]
        parts.tables[BLOCK_TABLE] = pd.concat(frames, ignore_index=True)
    return parts


def _limits(limits: PositionLimits, of: str, parts: MarketParts) -> dict[str, float | str]:
    found = {
        side.name: parts.value(getattr(limits, side.name), f"{of} {side.name}", f"{of}, {side.name}")
        for side in fields(limits)
    }
    return {name: value for name, value in found.items() if value is not None}


def _product(product: ReserveProduct, parts: MarketParts) -> dict[str, Any]:
    """An entry of `reserve`."""
    activation = parts.value(product.activation_eur_per_mwh, f"{product.name} activation", product.name)
    keys: dict[str, Any] = {"name": product.name, "direction": product.direction, "blocks": BLOCK_TABLE}
    if activation != 0 or product.activated_share > 0:
        keys["activation_eur_per_mwh"] = activation
    keys |= {name: getattr(product, name) for name in _OF_PRODUCT}
    return keys | ({} if product.kinds == BACKING_KINDS else {"kinds": list(product.kinds)})


def _blocks(product: ReserveProduct, horizon: Horizon) -> pd.DataFrame:
    """A row per block."""
    first = np.array([int(np.argmax(product.block == block)) for block in range(product.blocks)], dtype=np.int64)
    size = np.array([np.count_nonzero(product.block == block) for block in range(product.blocks)], dtype=np.int64)
    for block, (begin, steps) in enumerate(zip(first, size, strict=True)):
        if steps == 0 or not (product.block[begin : begin + steps] == block).all():
            value = f"block {block} has {'a gap' if steps else 'no step'}"
            raise InputError(Problem(product.name, value, "blocks of steps that follow each other"))
    edges = horizon.times.append(pd.DatetimeIndex([horizon.end]).tz_convert(horizon.time_zone).as_unit("ns"))
    maximum = product.maximum_mw if len(product.maximum_mw) else np.full(product.blocks, np.inf)
    return pd.DataFrame(
        {
            PRODUCT: np.full(product.blocks, product.name, dtype=object),
            START: edges[first],
            END: edges[first + size],
            AVAILABILITY: product.availability_eur_per_mw_h,
            MAXIMUM: np.where(np.isinf(maximum), np.nan, maximum),
        }
    )


def with_suffix(content: Any, tables: Collection[str], file_format: str) -> Any:
    """The keys of `market` with file names in place of the names of tables."""
    if isinstance(content, Mapping):
        return {
            key: f"{value}.{file_format}"
            if key in ("blocks", "groups", AVAILABILITY) and isinstance(value, str) and value in tables
            else with_suffix(value, tables, file_format)
            for key, value in content.items()
        }
    return [with_suffix(item, tables, file_format) for item in content] if isinstance(content, list) else content
