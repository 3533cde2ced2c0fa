"""One step of all devices: follow what is wanted within limits, and share out what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.dispatch.course import STILL_ON, Course, Levels, own_levels, promised_levels
from podium.dispatch.fleet import Backing, Bools, Fleet
from podium.dispatch.takeover import Order
from podium.flex.reserve import CRUMB
from podium.flexstore import Floats


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


class Follower:
    """The devices of a fleet, who follow a course and keep what they back."""

    def __init__(self, fleet: Fleet, course: Course, backing: Backing, order: Order, first: int = 0) -> None:
        """They hold ready what they back, and the energy for what they back from step `first` on."""
        self.fleet, self.course, self.order = fleet, course, order
        self.own = own_levels(course)
        self.promised = promised_levels(fleet, course, backing.since(first) if first else backing)
        self.up = backing.up_kw.sum(axis=0, initial=0.0)
        self.down = backing.down_kw.sum(axis=0, initial=0.0)

    def step(self, now: Now) -> Done:
        """Follow what is wanted; what one device cannot do others take over, within limits and promises."""
        t, course = now.step, self.course
        start = self._carried(now)
        low, high = course.p_low[:, t], course.p_high[:, t]
        hard = self._stopped(self._range(t, start, self.own, -np.inf, np.inf), low, high)
        kept_up, kept_down = self.up[:, t] - now.called_up, self.down[:, t] - now.called_down
        least = np.maximum(course.spare_low[:, t], low + kept_up)
        most = np.minimum(course.spare_high[:, t], high - kept_down)
        kept = self.fleet.pod_sum(kept_up), self.fleet.pod_sum(kept_down)
        soft = [np.clip(end, *hard) for end in self._range(t, start, self.promised, least, most)]
        steered = np.isnan(now.given)
        p = np.where(steered, np.clip(now.wanted, *hard), now.given)
        for ends in (soft, hard):
            p = self._mended(p, steered, *ends)
        if now.returning:
            change = np.where(steered, np.clip(p, *soft) - p, 0.0)
            up, down = self._within_connection(p, kept, np.maximum(-change, 0.0), np.maximum(change, 0.0))
            p = p + down - up
        missing = float(now.wanted.sum() - p.sum()) - now.beside_kw
        room_up = np.where(steered, np.maximum(p - soft[0], 0.0), 0.0)
        room_down = np.where(steered, np.maximum(soft[1] - p, 0.0), 0.0)
        taken = self.order.shares(missing, *self._within_connection(p, kept, room_up, room_down))
        return self._ended(t, start, p + taken, missing - float(taken.sum()))

    def _stopped(self, ends: tuple[Floats, Floats], low: Floats, high: Floats) -> tuple[Floats, Floats]:
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
        share_up = _share(all_up, meter.injection_max + net - kept[0])
        share_down = _share(all_down, meter.withdrawal_max - net - kept[1])
        return up * share_up[fleet.store.pod], down * share_down[fleet.store.pod]

    def _ended(self, t: int, start: Floats, p: Floats, missing_kw: float) -> Done:
        """Energies at the end of the step; boiler and vent answer where a promised level would be left."""
        store, hours = self.fleet.store, self.fleet.horizon.step_hours
        aux, spill = self.course.aux[:, t], self.course.spill[:, t]
        flow = np.where(p > 0, _at(store.k_plus, t) * p, _at(store.k_minus, t) * p)
        moved = start + hours * flow
        e = moved + hours * (aux - spill)
        short = np.maximum(self.promised.low[:, t] - e, 0.0) / hours
        over = np.maximum(e - self.promised.high[:, t], 0.0) / hours
        spill, aux = _answered(short, spill, aux, _at(store.aux_max, t))
        aux, spill = _answered(over, aux, spill, _at(store.spill_max, t))
        e = np.where(store.has_store, moved + hours * (aux - spill), 0.0)
        return Done(p, e, aux, spill, missing_kw)


def _answered(flow: Floats, less: Floats, more: Floats, most: Floats) -> tuple[Floats, Floats]:
    """A flow, kW, answered by less of one source, then by more of the other, up to `most`."""
    cut = np.minimum(flow, less)
    return less - cut, more + np.minimum(flow - cut, np.maximum(most - more, 0.0))


def _share(wanted: Floats, room: Floats) -> Floats:
    left = np.maximum(room, 0.0)
    fits = wanted <= left
    return np.where(fits, 1.0, left / np.where(fits, 1.0, wanted))


def _at(column: Floats, step: int) -> Floats:
    """The values of a step column in one step. Shape (device,)."""
    return column[:, step if column.shape[1] > 1 else 0]
