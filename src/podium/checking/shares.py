"""Is what each POD contributes what its set points, its backing and the prices in the files make of it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from podium.checking.backing import HEADROOM, Backing
from podium.checking.case import LEAST_EUR, MONEY_TOLERANCE, Case
from podium.checking.earnings import Earnings
from podium.checking.limits import Floats
from podium.checking.offers import Offers, by_step
from podium.checking.results_folder import SHARE_COLUMNS, SHARE_PARTS, steps_of
from podium.market.terms import Market

ENERGY = "energy"


@dataclass(frozen=True)
class Share:
    """What one part of all shares should be, and the size of the sums in it, EUR. Shapes (pod,)."""

    eur: Floats
    scale_eur: Floats


def check_shares(case: Case, market: Market, offers_kw: Offers, backing: Backing, earned: Earnings) -> None:
    """Every POD has one share; its parts are its own and sum to its contribution, and all those to the profit."""
    frame = case.results.shares
    if frame is None:
        return
    ids = frame["pod"].astype(str).to_numpy()
    rows = pd.Series(ids).value_counts()
    for pod in case.names(np.ones(len(case.portfolio), dtype=bool)):
        if rows.get(pod, 0) != 1:
            case.findings.note(f"shares.parquet has {rows.get(pod, 0)} rows for this POD", 1.0, "rows", pod)
    for pod in sorted(set(ids) - set(case.portfolio.ids.astype(str))):
        case.findings.note("the study has no such POD, but shares.parquet has", 1.0, "PODs", pod)
    numbers = {name: frame[name].to_numpy(dtype=float) for name in SHARE_COLUMNS[1:]}
    contribution = numbers["contribution_eur"]
    parts = np.sum([numbers[name] for name in SHARE_PARTS], axis=0)
    for row in np.flatnonzero(~(abs(contribution - parts) <= _cents(numbers))):
        what = f"shares.parquet, contribution_eur is {contribution[row]:.9g}, but its parts sum to {parts[row]:.9g}"
        case.findings.note(what, float(abs(contribution[row] - parts[row])), "EUR", str(ids[row]))
    total = float(contribution.sum())
    case.equal("shares.parquet, the sum of contribution_eur", total, earned.profit_eur, "EUR", earned.scale_eur)
    if len(set(ids)) == len(ids):
        row_of = dict(zip(ids.tolist(), range(len(ids)), strict=True))
        _check_parts(case, row_of, numbers, _expected(case, market, offers_kw, backing, earned))
        _check_profits(case, row_of, contribution)


def _check_parts(
    case: Case, row_of: dict[str, int], numbers: dict[str, Floats], expected: dict[str, Share]
) -> None:  # fmt: skip
    """Each part of each POD that has a share."""
    for pod, name in enumerate(map(str, case.portfolio.ids)):
        if name not in row_of:
            continue
        for part, share in expected.items():
            what = f"shares.parquet, {part} of POD {name!r}"
            case.equal(
                what, float(numbers[part][row_of[name]]), float(share.eur[pod]), "EUR", float(share.scale_eur[pod])
            )


def _check_profits(case: Case, row_of: dict[str, int], contribution_eur: Floats) -> None:
    """A POD's profit in the plan is its contribution."""
    summary = case.results.pod_summary
    for name, profit in zip(summary["pod"].astype(str), summary["plan_profit_eur"], strict=True):
        if name in row_of:
            what = f"pod_summary.parquet, plan_profit_eur of POD {name!r}"
            case.equal(what, float(profit), float(contribution_eur[row_of[name]]), "EUR")


def _expected(case: Case, market: Market, offers_kw: Offers, backing: Backing, earned: Earnings) -> dict[str, Share]:
    """What a POD pays by itself; energy and reserve at the prices of shadow.parquet, and its part of the rest.

    The rest of the profit goes to PODs in proportion to the energy that they move.
    """
    found = {
        name: Share(-cost, abs(cost))
        for name, cost in (("retail_eur", earned.retail_by_pod_eur), ("device_eur", earned.device_by_pod_eur))
    }
    if case.results.shadow is None:
        return found
    hours, net = case.portfolio.horizon.step_hours, case.pods["plan_kw"]
    price = _price(case, market, ENERGY)
    energy = Share(-hours * (price * net).sum(axis=1), hours * abs(price * net).sum(axis=1))
    reserve, backed_kwh = _reserve(case, market, offers_kw, backing)
    moved = hours * abs(net).sum(axis=1) + backed_kwh
    part = moved / moved.sum() if moved.sum() > 0 else np.full(len(net), 1.0 / max(len(net), 1))
    paid = earned.retail_by_pod_eur + earned.device_by_pod_eur
    rest = earned.profit_eur - float((energy.eur + reserve.eur - paid).sum())
    size = earned.scale_eur + float(energy.scale_eur.sum() + reserve.scale_eur.sum())
    return found | {"energy_eur": energy, "reserve_eur": reserve, "limits_eur": Share(part * rest, part * size)}


def _reserve(case: Case, market: Market, offers_kw: Offers, backing: Backing) -> tuple[Share, Floats]:
    """What each POD's backing of offers and headroom is worth, and the energy that it is, kWh (pod,)."""
    hours, pods, steps = case.portfolio.horizon.step_hours, len(case.portfolio), case.portfolio.horizon.steps
    owner = pd.Series(
        {name: pod for table in case.portfolio.devices.values() for name, pod in zip(table.ids, table.pod, strict=True)}
    )
    pod_of = owner.reindex(backing.device_ids).fillna(-1).to_numpy(dtype=np.int64)
    known, eur, scale, kwh = pod_of >= 0, np.zeros(pods), np.zeros(pods), np.zeros(pods)
    offered = {product.name: by_step(product, offers_kw, steps) for product in market.reserves}
    sides = (("up", backing.up_kw, market.headroom_up_kw), ("down", backing.down_kw, market.headroom_down_kw))
    for row, name in enumerate(backing.products):
        for direction, side, held in sides:
            asked = np.full(steps, held) if name == HEADROOM else offered.get(name, np.zeros(steps))
            total = side[row].sum(axis=0)
            used = np.zeros((pods, steps))
            np.add.at(
                used, pod_of[known], side[row][known] * np.divide(asked, total, out=np.zeros(steps), where=total > 0)
            )
            paid = hours * _price(case, market, f"{name} {direction}") * used
            eur, scale, kwh = eur + paid.sum(axis=1), scale + abs(paid).sum(axis=1), kwh + hours * used.sum(axis=1)
    return Share(eur, scale), kwh


def _price(case: Case, market: Market, what: str) -> Floats:
    """A price of shadow.parquet that each POD meets: of its group where that has limits. EUR/kWh, (pod, step)."""
    frame = case.results.shadow
    steps = case.portfolio.horizon.steps
    if frame is None:
        raise AssertionError("there are shadow prices")
    limited = [group.name for group in market.groups if group.limits.binding]
    own = case.portfolio.columns["group"].astype(str)
    area = np.where(np.isin(own, limited), own, "")
    found = np.zeros((len(case.portfolio), steps))
    rows = frame[frame["what"].astype(str) == what]
    for name in np.unique(area):
        mine = rows[rows["group"].astype(str) == name]
        if mine.empty and what != ENERGY:
            continue
        known, step = steps_of(case.findings, mine["time"], "shadow.parquet")
        price = np.full(steps, np.nan)
        price[step[known]] = mine["eur_per_kwh"].to_numpy(dtype=float)[known]
        found[area == name] = price
    return found


def _cents(numbers: dict[str, Floats]) -> Floats:
    """What sums of these columns may be off by, row by row. Shape (row,)."""
    size = np.max([abs(values) for values in numbers.values()], axis=0)
    return np.asarray(MONEY_TOLERANCE * np.maximum(size, LEAST_EUR))
