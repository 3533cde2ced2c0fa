"""Can devices do what they back? Power and energy of each, for as long as a call may last, and the connections."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.backing import Backing, Held, held_products
from podium.checking.ends import free_to_end
from podium.checking.judge import TOLERANCE_KW, net_kw
from podium.checking.limits import Floats, StoreLimits, column
from podium.checking.report import CheckReport, Findings
from podium.checking.rooms import Room, room_of
from podium.checking.schedule import Part, Schedule, parts
from podium.errors import InputError, Problem
from podium.market.terms import Market
from podium.portfolio import Portfolio

Bools = NDArray[np.bool_]

#: Sums of powers this close to a limit keep it, kW.
ROUNDING_KW = 1e-9


@dataclass(frozen=True)
class Side:
    """One direction of the backing of the devices of one kind."""

    part: Part
    direction: str
    kw: Floats
    """Shape (product, device, step)."""
    products: tuple[str, ...]

    @property
    def total_kw(self) -> Floats:
        """All products together. Shape (device, step)."""
        return np.asarray(self.kw.sum(axis=0))

    def said(self, row: int, step: int) -> str:
        """What a device backs in a step, in words."""
        backed = [
            f"{kw:.9g} kW for {name!r}" for name, kw in zip(self.products, self.kw[:, row, step], strict=True) if kw > 0
        ]
        return f"backs {' and '.join(backed) or 'nothing'} ({self.direction})"


def check_reserve(
    portfolio: Portfolio,
    schedule: Schedule,
    backing: Backing,
    market: Market,
    tolerance_kw: float = TOLERANCE_KW,
    without_pods: Collection[str] = (),
) -> CheckReport:
    """Judge whether devices can do what they back beside their schedule, which is taken to be good.

    Only devices of the kinds that a product takes, in its direction, while it is sold; within limits of power, least
    powers, ramps and cycles; with energy to sustain all calls at once; within the PODs' connections. A level wanted at
    the end of the horizon does not count. Raises InputError where the schedule or the backing has other steps.
    """
    steps = portfolio.horizon.steps
    if backing.up_kw.shape[2] != steps:
        raise InputError(Problem("backing", f"{backing.up_kw.shape[2]} steps", f"the {steps} steps of the study"))
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    known = held_products(market, steps)
    sound = _known_only(findings, backing, known)
    placed = list(parts(free_to_end(portfolio), schedule, without_pods))
    _check_ids(findings, sound, placed)
    roomy = _roomy(portfolio, placed)
    pods = {"up": np.zeros((len(portfolio), steps)), "down": np.zeros((len(portfolio), steps))}
    for part in placed:
        for side in sides_of(part, sound):
            np.add.at(pods[side.direction], part.limits.pod, np.maximum(side.total_kw, 0.0))
            _check_sold(findings, side, known)
            _check_reach(findings, side, known, roomy)
            _check_ramp(findings, side)
    _check_connections(findings, portfolio, net_kw(portfolio, placed), pods)
    return findings.report()


def sides_of(part: Part, backing: Backing) -> Iterator[Side]:
    """Up and down of the devices of one kind."""
    up, down = backing.of(part.limits.ids)
    yield Side(part, "up", up, backing.products)
    yield Side(part, "down", down, backing.products)


def _known_only(findings: Findings, backing: Backing, known: dict[str, Held]) -> Backing:
    """The backing without products that the study does not have, which are told."""
    rows = [row for row, name in enumerate(backing.products) if name in known]
    for name in sorted(set(backing.products) - set(known)):
        findings.note(f"devices back {name!r}, but the study has no such product", 1.0, "products")
    names = tuple(backing.products[row] for row in rows)
    return Backing(backing.device_ids, names, backing.up_kw[rows], backing.down_kw[rows])


def _check_ids(findings: Findings, backing: Backing, placed: list[Part]) -> None:
    """Only devices of the study back anything, each named once, and only with finite numbers."""
    known = {name for part in placed for name in part.limits.ids}
    counts = pd.Series(backing.device_ids, dtype=object).value_counts()
    for name in sorted(set(counts.index) - known, key=str):
        findings.note("backs reserve, but the study has no such device", 1.0, "devices", device=str(name))
    for name, count in counts[counts > 1].items():
        findings.note(f"the backing names this device {count} times", count - 1.0, "devices", device=str(name))
    if not (np.isfinite(backing.up_kw).all() and np.isfinite(backing.down_kw).all()):
        findings.note("the backing has values that are no finite numbers", 1.0, "values")


def _check_sold(findings: Findings, side: Side, known: dict[str, Held]) -> None:
    """Nothing is negative, and only kinds, directions and steps that the product has."""
    part = side.part
    tolerance = findings.tolerance_kw(part.limits.scale_kw)
    for number, name in enumerate(side.products):
        product, kw = known[name], side.kw[number]
        way_ok = product.up if side.direction == "up" else product.down
        wrong = [(-kw, "less than nothing")]
        if part.name not in product.kinds:
            wrong.append((kw, f"but a {part.name} may not; it takes {', '.join(product.kinds)}"))
        elif not way_ok:
            wrong.append((kw, "which has no such side"))
        else:
            wrong.append((np.where(product.sold, 0.0, kw), "which is not sold in this step"))
        for excess, why in wrong:

            def words(row: int, step: int, kw: Floats = kw, name: str = name, why: str = why) -> str:
                return f"backs {kw[row, step]:.9g} kW {side.direction} for {name!r}, {why}"

            findings.add(part.limits.pod, part.limits.ids, excess, tolerance, words)


def _roomy(portfolio: Portfolio, placed: list[Part]) -> Bools:
    """PODs whose connection leaves room for all their devices at full power, at all steps. Shape (pod,)."""
    roomy = np.ones(len(portfolio), dtype=bool)
    for side, sign in (("withdrawal", 1.0), ("injection", -1.0)):
        total = np.zeros((len(portfolio), portfolio.horizon.steps))
        for part in placed:
            full = part.limits.high_kw if sign > 0 else -part.limits.low_kw
            np.add.at(total, part.limits.pod, np.broadcast_to(full, part.power_kw.shape))
        limit = column(portfolio.columns[f"{side}_max_kw"])
        roomy &= ~(total > np.where(np.isnan(limit), np.inf, limit) + ROUNDING_KW).any(axis=1)
    return roomy


def _check_reach(findings: Findings, side: Side, known: dict[str, Held], roomy: Bools) -> None:
    """Power, energy and cycles bear what is backed, all products called at once."""
    if not (side.kw > 0).any():
        return
    _check_power(findings, side)
    hours = np.array([known[name].sustain_hours for name in side.products])
    if side.part.limits.store is not None:
        room = room_of(side.part, side.part.limits.store, findings.horizon, roomy[side.part.limits.pod])
        _check_energy(findings, side, hours, side.part.limits.store, room)
    if side.part.name == "battery" and side.direction == "up":
        _check_cycles(findings, side, hours)


def _check_power(findings: Findings, side: Side) -> None:
    """The power left on that side; what is off has none, what runs keeps its least power."""
    part, total = side.part, side.total_kw
    low, high = _bounds_kw(part, findings.tolerance)
    left = part.power_kw - low if side.direction == "up" else high - part.power_kw
    excess = np.where(total > 0, total - np.maximum(left, 0.0), 0.0)
    off = (low == part.power_kw) & (high == part.power_kw)

    def words(row: int, step: int) -> str:
        power, room = part.power_kw[row, step], max(float(left[row, step]), 0.0)
        why = "what is off backs nothing" if off[row, step] else f"its power of {power:.9g} kW leaves {room:.9g} kW"
        return f"{side.said(row, step)}, but {why}"

    tolerance = findings.tolerance_kw(part.limits.scale_kw)
    findings.add(part.limits.pod, part.limits.ids, excess, tolerance, words)


def _bounds_kw(part: Part, tolerance: float) -> tuple[Floats, Floats]:
    """Between which powers a call may move each device. Shapes (device, step)."""
    limits, power = part.limits, part.power_kw
    low, high = (np.array(np.broadcast_to(bound, power.shape)) for bound in (limits.low_kw, limits.high_kw))
    least_in, least_out = (
        np.broadcast_to(0.0 if least is None else least, power.shape)
        for least in (limits.least_withdrawal_kw, limits.least_injection_kw)
    )
    crumb = tolerance * np.maximum(1.0, limits.scale_kw)
    withdraws, injects = power > crumb, power < -crumb
    switched = (least_in > 0) | (least_out > 0)
    low = np.where((least_in > 0) & withdraws, least_in, low)
    high = np.where((least_in > 0) & injects, np.minimum(high, 0.0), high)
    high = np.where((least_out > 0) & injects, -least_out, high)
    low = np.where((least_out > 0) & withdraws, np.maximum(low, 0.0), low)
    off = switched & ~withdraws & ~injects
    return np.where(off, power, low), np.where(off, power, high)


def _check_energy(
    findings: Findings, side: Side, sustain_hours: Floats, store: StoreLimits, room: Room
) -> None:  # fmt: skip
    """Room in the store at the end of every step, for a call that begins there and for one that ends there."""
    part, horizon = side.part, findings.horizon
    levels = part.levels_kwh(horizon)
    empties = room.up_fills != (side.direction == "up")
    left = np.maximum(np.where(empties, levels - room.low_kwh, room.high_kwh - levels), 0.0)
    lasting = (side.kw * sustain_hours[:, None, None]).sum(axis=0) * room.kappa
    moved = _moved_kwh(side.kw, sustain_hours, room, horizon.step_hours)
    tolerance = findings.tolerance_kwh(store.scale_kwh)

    def words(row: int, step: int) -> str:
        way = "to empty" if empties[row, step] else "to fill"
        held = f"its store holds {levels[row, step]:.9g} kWh at the end of this step, {left[row, step]:.9g} kWh {way}"
        return f"{side.said(row, step)}, and sustaining that takes {lasting[row, step]:.9g} kWh, but {held}"

    def moving(row: int, step: int) -> str:
        way = "to empty" if empties[row, step] else "to fill"
        held = f"at its end the store holds {levels[row, step]:.9g} kWh, {left[row, step]:.9g} kWh {way}"
        return f"a call ({side.direction}) up to this step moves {moved[row, step]:.9g} kWh, but {held}"

    for use, sentence in ((lasting, words), (moved, moving)):
        excess = np.where(use > 0, use - left, 0.0)
        findings.add(part.limits.pod, part.limits.ids, excess, tolerance, sentence, "kWh")


def _moved_kwh(kw: Floats, sustain_hours: Floats, room: Room, step_hours: float) -> Floats:
    """What calls of full length up to the end of each step have moved, none from before the store began anew.

    Shape (device, step).
    """
    steps = np.arange(kw.shape[2])
    begun = np.maximum.accumulate(np.where(room.anew, steps, 0), axis=1)
    total = np.zeros((*kw.shape[1:2], kw.shape[2]))
    for number, hours in enumerate(sustain_hours):
        span = max(int(np.ceil(hours / step_hours - 1e-9)), 1)
        until = np.concatenate((np.zeros((kw.shape[1], 1)), np.cumsum(kw[number] * room.kappa, axis=1)), axis=1)
        first = np.maximum(begun, steps - span + 1)
        total += step_hours * (until[:, 1:] - np.take_along_axis(until, first, axis=1))
    total[total < 1e-12] = 0.0
    return total


def _check_cycles(findings: Findings, side: Side, sustain_hours: Floats) -> None:
    """The day's discharge and one call of all that is backed stay within the cycle limit."""
    table, horizon = side.part.table, findings.horizon
    rows = np.flatnonzero(np.isfinite(table["cycles_max_per_day"]))
    if not rows.size:
        return
    efficiency = column(table["discharge_efficiency"][rows])
    first_steps = np.flatnonzero(horizon.day_starts)
    planned = horizon.step_hours * np.maximum(-side.part.power_kw[rows], 0.0) / efficiency
    of_day = np.add.reduceat(planned, first_steps, axis=1)[:, horizon.day]
    called = (side.kw[:, rows] * sustain_hours[:, None, None]).sum(axis=0) / efficiency
    allowed = column((table["cycles_max_per_day"] * table["energy_max_kwh"])[rows])

    def words(row: int, step: int) -> str:
        return (
            f"{side.said(int(rows[row]), step)}: a call takes {called[row, step]:.9g} kWh from the cells beside the "
            f"{of_day[row, step]:.9g} kWh of the day's plan; the cycle limit allows {allowed[row, 0]:.9g} kWh"
        )

    excess = np.where(called > 0, of_day + called - np.maximum(allowed, of_day), 0.0)
    limits = side.part.limits
    findings.add(limits.pod[rows], limits.ids[rows], excess, findings.tolerance_kwh(allowed), words, "kWh")


def _check_ramp(findings: Findings, side: Side) -> None:
    """What has a ramp backs nothing: it could not follow a call that comes and goes at once."""
    if side.part.name != "chp":
        return
    limits, ramp = side.part.limits, side.part.table["ramp_kw_per_hour"]

    def words(row: int, step: int) -> str:
        return f"{side.said(row, step)}, but its ramp of {ramp[row]:.9g} kW per hour lets it back nothing"

    excess = np.where(np.isfinite(column(ramp)), side.total_kw, 0.0)
    findings.add(limits.pod, limits.ids, excess, findings.tolerance_kw(limits.scale_kw), words)


def _check_connections(findings: Findings, portfolio: Portfolio, net: Floats, pods: dict[str, Floats]) -> None:
    """Withdrawal and injection of each POD keep its connection with all that its devices back called."""
    for limit_side, direction, sign in (("withdrawal", "down", 1.0), ("injection", "up", -1.0)):
        rows = np.flatnonzero(np.isfinite(portfolio.columns[f"{limit_side}_max_kw"]))
        limit = column(portfolio.columns[f"{limit_side}_max_kw"][rows])
        backed = pods[direction][rows]
        called = sign * net[rows] + backed

        def words(
            row: int, step: int, called: Floats = called, backed: Floats = backed, limit: Floats = limit,
            what: tuple[str, str] = (limit_side, direction),
        ) -> str:  # fmt: skip
            return (
                f"with the {backed[row, step]:.9g} kW {what[1]} that its devices back, the POD's {what[0]} is "
                f"{called[row, step]:.9g} kW, more than the {limit[row, 0]:.9g} kW of its connection"
            )

        nobody = np.full(len(rows), "", dtype=object)
        excess = np.where(backed > 0, called - limit, 0.0)
        findings.add(rows, nobody, excess, findings.tolerance_kw(limit), words)
