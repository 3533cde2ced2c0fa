"""The tables of what is sold: bids, backing, shares and shadow prices (docs/results.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.market.binding import binding_limits
from podium.market.coupling import KW_PER_MW, Coupling
from podium.market.plan import Plan
from podium.results.outcome import Outcome

#: Backing below this, kW, is rounding and is not written.
LEAST_KW = 1e-9


def market_tables(result: Outcome) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name -> what makes the columns of each table that a plan on the exact method has."""
    plan = result.plan
    if plan is None or plan.method != "exact":
        return {}
    found: dict[str, Callable[[], dict[str, Any]]] = {"shadow": partial(shadow, result, plan)}
    if plan.coupling is not None and plan.duals is not None:
        found["limits"] = partial(limits, result, plan, plan.coupling, plan.duals)
    if plan.shares is not None:
        found["shares"] = partial(shares, result, plan)
    if plan.backing is not None:
        found["reserve"] = partial(reserve, result, plan)
    if result.bids is not None and len(result.bids.rows):
        found["bids"] = partial(bids, result)
    return found


def bids(result: Outcome) -> dict[str, Any]:
    """The energy curve of each market time unit, and offers of reserve by block."""
    if result.bids is None:
        raise AssertionError("there are bids")
    rows, zone = result.bids.rows, result.study.horizon.time_zone
    times = pa.timestamp("ms", tz=zone)
    columns: dict[str, Any] = {
        name: pa.array(rows[name].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ms]")).cast(times)
        for name in ("start", "end")
    }
    numbers = ("price_eur_per_mwh", "availability_eur_per_mw_h", "quantity_mw")
    columns |= {name: pa.array(rows[name], from_pandas=True) for name in numbers}
    columns |= {name: pa.array(rows[name].astype(str)) for name in ("market", "direction")}
    return {name: columns[name] for name in ("market", "direction", "start", "end", *numbers)}


def _moments(horizon: Horizon, steps: Any) -> pa.Array:
    """Starts of steps; the one after the last is the end of the horizon."""
    first = np.datetime64(horizon.times[0].tz_convert("UTC").tz_localize(None), "ms")
    minutes = np.asarray(steps, dtype=np.int64) * horizon.step_minutes
    stamps = first + minutes.astype("timedelta64[m]").astype("timedelta64[ms]")
    return pa.array(stamps).cast(pa.timestamp("ms", tz=horizon.time_zone))


def reserve(result: Outcome, plan: Plan) -> dict[str, Any]:
    """What each device holds ready, in the steps in which it does."""
    backing, base = plan.backing, result.local.baseline
    if backing is None:
        raise AssertionError("there is backing")
    kw = np.stack((backing.up_kw, backing.down_kw))
    side, product, device, step = np.nonzero(kw > LEAST_KW)
    ids = pa.array(base.device_ids.astype(str))
    pods = pa.array(result.study.portfolio.ids.astype(str))
    names, number = np.unique(np.array(backing.products), return_inverse=True)  # headroom has one product for each side
    return {
        "pod": pa.DictionaryArray.from_arrays(pa.array(base.device_pod[device].astype(np.int32)), pods),
        "device": pa.DictionaryArray.from_arrays(pa.array(device.astype(np.int32)), ids),
        "product": pa.DictionaryArray.from_arrays(pa.array(number[product].astype(np.int32)), pa.array(names)),
        "direction": pa.DictionaryArray.from_arrays(pa.array(side.astype(np.int32)), pa.array(["up", "down"])),
        "time": _moments(result.study.horizon, step),
        "backed_kw": pa.array(kw[side, product, device, step]),
    }


def shares(result: Outcome, plan: Plan) -> dict[str, Any]:
    """What each POD contributes to the profit."""
    found = plan.shares
    if found is None:
        raise AssertionError("there are shares")
    names = ("energy_eur", "reserve_eur", "retail_eur", "device_eur", "limits_eur", "contribution_eur")
    return {"pod": pa.array(result.study.portfolio.ids.astype(str))} | {n: pa.array(getattr(found, n)) for n in names}


def limits(result: Outcome, plan: Plan, coupling: Coupling, duals: Floats) -> dict[str, Any]:
    """Limits of the portfolio and its groups in the steps in which they bind, and what a kW more would be worth."""
    peak_kw = float(np.maximum(plan.position_kw, 0.0).max(initial=0.0))
    found = binding_limits(coupling, duals, peak_kw)
    names = [group.name for group in _limited(result)]
    return {
        "what": pa.array([limit.what for limit in found], pa.string()),
        "group": pa.array(["" if limit.area is None else names[limit.area] for limit in found], pa.string()),
        "time": _moments(result.study.horizon, [limit.step for limit in found]),
        "limit_kw": pa.array([limit.limit_kw for limit in found], pa.float64()),
        "eur_per_kw": pa.array([limit.eur_per_kw for limit in found], pa.float64()),
    }


def shadow(result: Outcome, plan: Plan) -> dict[str, Any]:
    """Prices that coordinate the PODs: of energy in each area, and of backing in each area and product."""
    horizon, names = result.study.horizon, [*(group.name for group in _limited(result)), ""]
    what: list[str] = []
    area: list[str] = []
    values: list[Floats] = []
    if plan.prices is None:
        prices = result.study.prices
        if prices is not None:
            what, area, values = ["energy"], [""], [prices.buy / KW_PER_MW]
    else:
        for number, name in enumerate(names):
            what.append("energy")
            area.append(name)
            values.append(plan.prices.energy[number])
            for k, product in enumerate(plan.backing.products if plan.backing is not None else ()):
                for side, direction in enumerate(("up", "down")):
                    if plan.prices.reserve[number, k, side].any():
                        what.append(f"{product} {direction}")
                        area.append(name)
                        values.append(plan.prices.reserve[number, k, side] / horizon.step_hours)
    steps = horizon.steps
    return {
        "what": pa.array(np.repeat(np.array(what, dtype=object), steps), pa.string()),
        "group": pa.array(np.repeat(np.array(area, dtype=object), steps), pa.string()),
        "time": _moments(horizon, np.tile(np.arange(steps), len(what))),
        "eur_per_kwh": pa.array(np.concatenate(values) if values else np.zeros(0)),
    }


def _limited(result: Outcome) -> list[Any]:
    return [group for group in result.study.market.groups if group.limits.binding]
