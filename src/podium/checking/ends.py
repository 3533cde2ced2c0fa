"""Levels wanted at the end of the horizon, and a portfolio without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from podium.portfolio import Portfolio

#: Per kind: the field of the level wanted at the end, and that of the level which the store needs at all times.
END_LEVELS = {
    "battery": ("energy_end_min_kwh", "energy_min_kwh"),
    "heat_pump": ("heat_store_end_min_kwh", "heat_store_min_kwh"),
    "chp": ("heat_store_end_min_kwh", None),
}


def free_to_end(portfolio: Portfolio) -> Portfolio:
    """The same devices, whose stores may end at any level that they bear: recovering goes on after the horizon.

    A car's energy at departure, a load's day and a daily allowance are no such levels, and stay.
    """
    tables = dict(portfolio.devices)
    for kind, (end, least) in END_LEVELS.items():
        if kind in tables:
            table = tables[kind]
            level = np.zeros(len(table)) if least is None else table[least]
            tables[kind] = replace(table, columns={**table.columns, end: level})
    return replace(portfolio, devices=tables)
