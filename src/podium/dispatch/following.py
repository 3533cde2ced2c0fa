"""One step of all devices: follow what is wanted within limits, and share out what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from podium.dispatch.areas import Bound
from podium.dispatch.course import STILL_ON, Course, Levels, own_levels, promised_levels, share_of
from podium.dispatch.fleet import Backing, Bools, Fleet
from podium.dispatch.takeover import Order
from podium.flex.reserve import CRUMB
from podium.flexstore import Floats

Ends = tuple[Floats, Floats]
"""Least and greatest power, kW. Shapes (device,)."""


@dataclass(frozen=True)
class Done:
    """What the devices do in a step. Shapes (device,)."""

    p: Floats
    """Net power, kW."""
    e: Floats
    """Energy at the end of the step, kWh."""
    aux: Floats
    spill: Floats
    missing_kw: float
    """Net power that nobody could cover: + too little withdrawal, - too little injection."""
    beyond_kw: float
    """By how much a limit of the portfolio or of a group is exceeded at most, beyond what is wanted."""


@dataclass(frozen=True)
class Now:
    """What is asked in a step."""

    step: int
    e: Floats
    """Energy at its start, kWh. Shape (device,)."""
    wanted: Floats
    """Net power, kW. Shape (device,)."""
    returning: bool
    """Whether devices leave what is wanted in order to keep what is promised later."""
    called_up: Floats
    """Of what each device backs, what it now delivers, kW. Shape (device,)."""
    called_down: Floats
    given: Floats
    """Power of devices that nobody can steer, kW; NaN elsewhere. Shape (device,)."""
    beside_kw: float = 0.0
    """Net power of others that the devices make good."""


@dataclass(frozen=True)
class _Reach:
    """Where the devices may go in a step."""

    steered: Bools
    """Shape (device,)."""
    hard: Ends
    """Powers that keep a device's own limits, now and later."""
    soft: Ends
    """Powers that keep its promises too."""
    free: Ends
    """Powers that keep its own limits, where it is free to leave the plan."""
    kept: tuple[Floats, Floats]
    """Up and down power that stays ready behind each connection. Shapes (pod,)."""
    limits: tuple[Bound, ...]
    """Limits of groups, and of the whole."""


class Follower:
    """The devices of a fleet, who follow a course and keep what they back."""

    def __init__(self, fleet: Fleet, course: Course, backing: Backing, order: Order, first: int = 0) -> None:
        """They hold ready what they back, and the energy for what they back from step `first` on."""
        self.fleet, self.course, self.order = fleet, course, order
        self.own = own_levels(course)
        later = backing.since(first) if first else backing
        self.promised = promised_levels(fleet, course, later)
        self.paced = promised_levels(fleet, course, later, paced=True) if fleet.areas else self.promised
        self.up = backing.up_kw.sum(axis=0, initial=0.0)
        self.down = backing.down_kw.sum(axis=0, initial=0.0)

    def step(self, now: Now) -> Done:
        """Follow what is wanted; what one device cannot do others take over, within limits and promises."""
        start = self._carried(now)
        reach = self._reach(now, start)
        p = np.where(reach.steered, np.clip(now.wanted, *reach.hard), now.given)
        for ends in (reach.soft, reach.hard):
            p = self._mended(p, reach.steered, *ends)
        returned = self._returned(p, reach) if now.returning else p
        stages = reach.soft, (np.minimum(p, returned), np.maximum(p, returned)), reach.free
        p = self._held(returned, reach, stages, whole=False)
        p = p + self._taken_over(p, now, reach)
        p = self._held(p, reach, stages, whole=True)
        return self._ended(now, start, p)

    def _reach(self, now: Now, start: Floats) -> _Reach:
        """Where devices may go; to keep what is promised later they leave what is wanted only where they return."""
        t, course = now.step, self.course
        low, high = course.p_low[:, t], course.p_high[:, t]
        hard = self._stopped(self._range(t, start, self.own, -np.inf, np.inf), low, high)
        kept_up, kept_down = self.up[:, t] - now.called_up, self.down[:, t] - now.called_down
        least = np.maximum(course.spare_low[:, t], low + kept_up)
        most = np.minimum(course.spare_high[:, t], high - kept_down)
        soft = self._range(t, start, self.paced if now.returning else self.promised, least, most)
        return _Reach(
            np.isnan(now.given),
            hard,
            (np.clip(soft[0], *hard), np.clip(soft[1], *hard)),
            (np.maximum(hard[0], course.spare_low[:, t]), np.minimum(hard[1], course.spare_high[:, t])),
            (self.fleet.pod_sum(kept_up), self.fleet.pod_sum(kept_down)),
            self._bounds(now, kept_up, kept_down),
        )

    def _bounds(self, now: Now, kept_up: Floats, kept_down: Floats) -> tuple[Bound, ...]:
        """Limits of the areas, less what is kept ready there, and widened to what is wanted in any case."""
        return tuple(
            areas.bound(now.step, now.wanted, kept_up, kept_down, now.beside_kw if areas.whole else 0.0)
            for areas in self.fleet.areas
        )

    def _returned(self, p: Floats, reach: _Reach) -> Floats:
        """Powers that bring all devices back to their promises, as far as connections hold them."""
        change = np.where(reach.steered, np.clip(p, *reach.soft) - p, 0.0)
        up, down = self._within_connection(p, reach.kept, np.maximum(-change, 0.0), np.maximum(change, 0.0))
        return p + down - up

    def _taken_over(self, p: Floats, now: Now, reach: _Reach) -> Floats:
        """What devices with room give or take of what others leave. Shape (device,)."""
        least, most = reach.soft
        room_up = np.where(reach.steered, np.maximum(p - least, 0.0), 0.0)
        room_down = np.where(reach.steered, np.maximum(most - p, 0.0), 0.0)
        rooms = self._within_limits(p, reach, room_up, room_down)
        return self.order.shares(_missing(p, now), *rooms)

    def _held(self, p: Floats, reach: _Reach, stages: Sequence[Ends], *, whole: bool) -> Floats:
        """Where an area, or the whole, leaves its limits, its devices give way: to the ends of each stage in turn."""
        for limit in reach.limits:
            if limit.areas.whole == whole:
                for ends in stages:
                    p = self._given_way(p, reach, limit, *ends)
        return p

    def _given_way(self, p: Floats, reach: _Reach, limit: Bound, least: Floats, most: Floats) -> Floats:
        over = limit.over(p)
        if not (abs(over) > CRUMB).any():
            return p
        mine = np.where(reach.steered, over[limit.areas.of_device], 0.0)
        room_up = np.where(mine > 0, np.maximum(p - least, 0.0), 0.0)
        room_down = np.where(mine < 0, np.maximum(most - p, 0.0), 0.0)
        up, down = self._within_limits(p, reach, room_up, room_down)
        share = share_of(limit.areas.sum(up + down), abs(over))
        return np.asarray(p + (down - up) * share[limit.areas.of_device])

    def _within_limits(self, p: Floats, reach: _Reach, up: Floats, down: Floats) -> tuple[Floats, Floats]:
        """Changes scaled so that all together keep connections and areas. Shapes (device,)."""
        up, down = self._within_connection(p, reach.kept, up, down)
        for limit in reach.limits:
            areas, (room_up, room_down) = limit.areas, limit.room(p)
            up = up * share_of(areas.sum(up), room_up)[areas.of_device]
            down = down * share_of(areas.sum(down), room_down)[areas.of_device]
        return up, down

    def _stopped(self, ends: Ends, low: Floats, high: Floats) -> Ends:
        """Powers between `low` and `high`, as near to `ends` as can be; what can only run beyond them stops."""
        beyond = ((ends[1] < low - STILL_ON) & (low > 0)) | ((ends[0] > high + STILL_ON) & (high < 0))
        stops = beyond & self.fleet.store.on_off
        first, last = (np.where(stops, 0.0, np.clip(end, low, high)) for end in ends)
        return first, last

    def _range(
        self, t: int, start: Floats, levels: Levels, least: Floats | float, most: Floats | float
    ) -> tuple[Floats, Floats]:
        """Powers between `least` and `most` that end the step between the levels, as nearly as can be."""
        store, hours = self.fleet.store, self.fleet.horizon.step_hours
        need = (levels.low[:, t] - start) / hours - _at(store.aux_max, t)
        most_flow = (levels.high[:, t] - start) / hours + _at(store.spill_max, t)
        fills = self.course.fills_up[:, t]
        first, last = (self._power_for(t, flow) for flow in (need, most_flow))
        bound = self.fleet.room.kappa_up[:, t] > 0
        lower, upper = np.where(fills, last, first), np.where(fills, first, last)
        low = np.where(bound, np.clip(lower, least, most), least)
        high = np.where(bound, np.clip(upper, least, most), most)
        return low, high

    def _power_for(self, t: int, flow: Floats) -> Floats:
        """Net power that puts this flow, kW, into the store; infinite where no power does. Shape (device,)."""
        store = self.fleet.store
        plus, minus = _at(store.k_plus, t), _at(store.k_minus, t)
        slope = np.where((flow > 0) & ~self.course.fills_up[:, t], plus, minus)
        endless = np.where(flow > 0, np.inf, np.where(flow < 0, -np.inf, 0.0))
        return np.divide(flow, slope, out=endless, where=slope != 0)

    def _carried(self, now: Now) -> Floats:
        """Energy before any flow, kWh."""
        store = self.fleet.store
        return _at(store.keep, now.step) * now.e + _at(store.drift, now.step)

    def _mended(self, p: Floats, steered: Bools, least: Floats, most: Floats) -> Floats:
        """Where others break a POD's connection, its own devices give way first."""
        fleet, meter = self.fleet, self.fleet.meter
        net = fleet.pod_sum(p)
        over = np.maximum(net - meter.withdrawal_max, 0.0) - np.maximum(-net - meter.injection_max, 0.0)
        if not (abs(over) > CRUMB).any():
            return p
        room = np.where(over[fleet.store.pod] > 0, np.maximum(p - least, 0.0), np.maximum(most - p, 0.0))
        room = np.where(steered, room, 0.0)
        total = fleet.pod_sum(room)
        share = np.divide(over, total, out=np.zeros_like(total), where=total > 0)
        return np.asarray(p - room * np.clip(share, -1.0, 1.0)[fleet.store.pod])

    def _within_connection(
        self, p: Floats, kept: tuple[Floats, Floats], up: Floats, down: Floats
    ) -> tuple[Floats, Floats]:
        """Changes scaled so that all of a POD together keep its connection, less what is `kept` ready (pod,).

        Shapes (device,).
        """
        fleet, meter = self.fleet, self.fleet.meter
        net, all_up, all_down = (fleet.pod_sum(values) for values in (p, up, down))
        share_up = share_of(all_up, meter.injection_max + net - kept[0])
        share_down = share_of(all_down, meter.withdrawal_max - net - kept[1])
        return up * share_up[fleet.store.pod], down * share_down[fleet.store.pod]

    def _ended(self, now: Now, start: Floats, p: Floats) -> Done:
        """Energies at the end of the step; boiler and vent answer where a promised level would be left."""
        store, hours, t = self.fleet.store, self.fleet.horizon.step_hours, now.step
        aux, spill = self.course.aux[:, t], self.course.spill[:, t]
        flow = np.where(p > 0, _at(store.k_plus, t) * p, _at(store.k_minus, t) * p)
        moved = start + hours * flow
        e = moved + hours * (aux - spill)
        short = np.maximum(self.promised.low[:, t] - e, 0.0) / hours
        over = np.maximum(e - self.promised.high[:, t], 0.0) / hours
        spill, aux = _answered(short, spill, aux, _at(store.aux_max, t))
        aux, spill = _answered(over, aux, spill, _at(store.spill_max, t))
        e = np.where(store.has_store, moved + hours * (aux - spill), 0.0)
        nothing = np.zeros(len(p))
        beyond = max((float(abs(limit.over(p)).max()) for limit in self._bounds(now, nothing, nothing)), default=0.0)
        return Done(p, e, aux, spill, _missing(p, now), beyond)


def _missing(p: Floats, now: Now) -> float:
    """Net power that is wanted and not there: + too little withdrawal, - too little injection."""
    return float(now.wanted.sum() - p.sum()) - now.beside_kw


def _answered(flow: Floats, less: Floats, more: Floats, most: Floats) -> tuple[Floats, Floats]:
    """A flow, kW, answered by less of one source, then by more of the other, up to `most`."""
    cut = np.minimum(flow, less)
    return less - cut, more + np.minimum(flow - cut, np.maximum(most - more, 0.0))


def _at(column: Floats, step: int) -> Floats:
    """The values of a step column in one step. Shape (device,)."""
    return column[:, step if column.shape[1] > 1 else 0]
