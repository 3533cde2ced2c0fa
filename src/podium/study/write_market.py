"""A `Market` as the key `market` of study.yaml, with the profiles and the tables that it names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.market.terms import BACKING_KINDS, GroupLimits, Market, PositionLimits, ReserveProduct
from podium.study.blocks import END, Blocks
from podium.study.market import AVAILABILITY, MAXIMUM
from podium.study.market_schema import MarketKeys
from podium.study.series import TIME

_PLAIN = (
    "settlement",
    "time_unit_minutes",
    "peak_eur_per_kw",
    "headroom_up_kw",
    "headroom_down_kw",
    "headroom_sustain_hours",
    "takeover",
)
GROUPS = "groups"
_PRODUCT_DEFAULTS = {"activated_share": 0.0, "sustain_hours": 1.0, "minimum_mw": 0.0, "increment_mw": 0.0}


@dataclass
class WrittenMarket:
    """What is written of a market."""

    keys: dict[str, Any] = field(default_factory=dict)
    """Only those that differ from the default; tables are named without a suffix."""
    profiles: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Name -> values of shape (step,)."""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    """File name without suffix -> table of groups or of blocks."""


def written_market(market: Market, horizon: Horizon, taken: Collection[str]) -> WrittenMarket:
    """Keys, profiles (whose names are not `taken`) and tables.

    Raises InputError for what the files cannot say: a limit in some steps only, or blocks that are not in order.
    """
    return _Writer(horizon, taken).written(market)


@dataclass
class _Writer:
    horizon: Horizon
    taken: Collection[str]
    out: WrittenMarket = field(default_factory=WrittenMarket)

    def written(self, market: Market) -> WrittenMarket:
        fields = MarketKeys.model_fields
        keys = {name: getattr(market, name) for name in _PLAIN if getattr(market, name) != fields[name].default}
        if market.limits is not None and (limits := self._limits(market.limits, "portfolio")):
            keys["limits"] = limits
        if market.groups:
            self.out.tables[GROUPS] = self._group_table(market.groups)
            keys["groups"] = {"file": GROUPS}
        if market.reserves:
            keys["reserve"] = [self._product(product, row) for row, product in enumerate(market.reserves, 1)]
        if market.priority:
            keys["priority"] = list(market.priority)
        self.out.keys = keys
        return self.out

    def _limits(self, limits: PositionLimits, of: str) -> dict[str, Any]:
        rows = {"withdrawal_max_kw": limits.withdrawal_max_kw, "injection_max_kw": limits.injection_max_kw}
        found = {}
        for name, row in rows.items():
            if np.isfinite(row).all():
                found[name] = self._series(row, f"{of} {name}")
            elif np.isfinite(row).any():
                step = int(np.argmax(~np.isfinite(row)))
                raise InputError(Problem(f"{of}, {name}", f"no limit in step {step}", "a limit in each step, or none"))
        return found

    def _group_table(self, groups: Sequence[GroupLimits]) -> pd.DataFrame:
        """A row per group; a column with names of profiles is text."""
        rows = [{"group": group.name, **self._limits(group.limits, f"group {group.name}")} for group in groups]
        table = pd.DataFrame(rows)
        for name in table.columns:
            if any(isinstance(cell, str) for cell in table[name]):
                table[name] = [cell if isinstance(cell, str) else _number_text(cell) for cell in table[name]]
        return table

    def _series(self, row: NDArray[np.float64], name: str) -> float | str:
        """A number where it is constant, else the name of a profile."""
        if (row == row[0]).all():
            return float(row[0])
        while name in self.taken or name in self.out.profiles:
            name += "'"
        self.out.profiles[name] = row
        return name

    def _product(self, product: ReserveProduct, row: int) -> dict[str, Any]:
        keys: dict[str, Any] = {"name": product.name, "direction": product.direction}
        maximum = product.maximum_mw if len(product.maximum_mw) else np.full(product.blocks, np.inf)
        file = f"reserve_{row}"
        self.out.tables[file] = self._table(product, maximum)
        keys[AVAILABILITY] = {"file": file, "column": AVAILABILITY}
        keys["activation_eur_per_mwh"] = self._series(product.activation_eur_per_mwh, f"{product.name} activation")
        keys |= {
            name: getattr(product, name)
            for name, default in _PRODUCT_DEFAULTS.items()
            if getattr(product, name) != default
        }
        if MAXIMUM in self.out.tables[file]:
            keys[MAXIMUM] = {"file": file, "column": MAXIMUM}
        if product.kinds != BACKING_KINDS:
            keys["kinds"] = list(product.kinds)
        return keys

    def _table(self, product: ReserveProduct, maximum: NDArray[np.float64]) -> pd.DataFrame:
        """Start, end and price of each block, and its greatest offer where there is one (empty where free)."""
        blocks = Blocks(product.block, np.zeros(self.horizon.steps, dtype=bool))
        _refuse_disorder(product, blocks)
        times = self.horizon.times.append(pd.DatetimeIndex([self.horizon.end]).tz_convert(self.horizon.time_zone))
        columns: Mapping[str, Any] = {
            TIME: times[blocks.starts],
            END: times[blocks.ends],
            AVAILABILITY: product.availability_eur_per_mw_h,
        }
        if np.isfinite(maximum).any():
            columns = {**columns, MAXIMUM: np.where(np.isfinite(maximum), maximum, np.nan)}
        return pd.DataFrame(columns)


def _number_text(cell: float) -> str | None:
    """A number as text; nothing where there is none."""
    return None if np.isnan(cell) else repr(float(cell))


def _refuse_disorder(product: ReserveProduct, blocks: Blocks) -> None:
    """Raise InputError unless blocks are numbered in order of time, each in one piece."""
    if not np.array_equal(product.block[blocks.starts], np.arange(product.blocks)):
        raise InputError(
            Problem(f"product {product.name!r}", "blocks in pieces or out of order", "0, 1, 2, ... in time")
        )
