"""A large fleet follows a promise step after step (docs/maths/virtus.md, section 3).

Each device keeps within the levels from which all its later limits can still be kept, so its schedule is possible
whatever is asked of it. What a step asks for is shared by hours left: the stores that could go on longest go first, so
that as many as possible can still go on (Evans, Tindemans and Angeli (2018), "Robustly maximal utilisation of
energy-constrained distributed resources").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.flexstore import FlexStore
from podium.market.virtus.joint import JointSet
from podium.market.virtus.rules import Bools, Floats

#: Halvings of the range in which the hours left of a step's last device are sought.
_HALVINGS = 40
#: Corrections of what a fleet is asked for, where it lost energy on the way.
_CORRECTIONS = 3


@dataclass(frozen=True, slots=True)
class Followers:
    """Devices with their power limits (device, step), and the levels (device, step) from which all else can be kept."""

    store: FlexStore
    step_hours: float
    p_min: Floats
    p_max: Floats
    e_low: Floats
    e_high: Floats
    most: Floats
    """Greatest power of each device either way, kW. Shape (device,)."""

    @classmethod
    def of(cls, devices: JointSet, held_kw: Floats) -> Followers:
        """The devices that are not free, around powers (device, step) that are possible for all of them together.

        Devices with a memory beside their level, or with heat that flows by other ways, stay at `held_kw`; those of
        PODs whose connection binds share what room it leaves beside `held_kw`.
        """
        store = devices.store.take(~devices.free())
        low, high = store.full("p_min").copy(), store.full("p_max").copy()
        _leave_room(devices, store, held_kw, low, high)
        fixed = _others(store)
        low[fixed] = high[fixed] = held_kw[fixed]
        moving = store.has_store & ~fixed
        levels = _levels(store, low, high, moving, devices.step_hours)
        most = np.maximum(np.maximum(-low, high).max(axis=1), 1e-9)
        return cls(store, devices.step_hours, low, high, *levels, most)

    def follow(self, asked_kw: Floats, free_min: Floats, free_max: Floats) -> Floats:
        """Powers (device, step) whose sum, with free devices of this range (step,) first, comes near to `asked_kw`."""
        powers, energy = np.empty(self.p_min.shape), self.store.e_initial.copy()
        for step in range(self.store.steps):
            kept = self.store.full("keep")[:, step] * energy + self.store.full("drift")[:, step]
            least, most = self._range(step, kept)
            rest = np.clip(0.0, least, most)
            missing = asked_kw[step] - rest.sum()
            missing -= np.clip(missing, free_min[step], free_max[step])
            if missing > 0.0:
                power = rest + _shared(missing, self._hours(step, kept, charging=True), most - rest, self.most)
            else:
                power = rest - _shared(-missing, self._hours(step, kept, charging=False), rest - least, self.most)
            powers[:, step] = power
            energy = kept + self.step_hours * np.where(power > 0.0, *self._rates(step)) * power
        return powers

    def _rates(self, step: int) -> tuple[Floats, Floats]:
        return self.store.full("k_plus")[:, step], self.store.full("k_minus")[:, step]

    def _range(self, step: int, kept: Floats) -> tuple[Floats, Floats]:
        """Least and greatest power (device,) from levels `kept`."""
        low, high = self.p_min[:, step], self.p_max[:, step]
        down, up = (self._power(step, level[:, step] - kept) for level in (self.e_low, self.e_high))
        least = np.clip(down, low, high)
        return least, np.maximum(np.clip(up, low, high), least)

    def _power(self, step: int, stored_kwh: Floats) -> Floats:
        """Power that stores this much; infinite where power does not touch the store."""
        rate = np.where(stored_kwh > 0.0, *self._rates(step)) * self.step_hours
        untouched = np.where(stored_kwh == 0.0, 0.0, np.copysign(np.inf, stored_kwh))
        return np.asarray(np.divide(stored_kwh, rate, out=untouched, where=rate > 0.0))

    def _hours(self, step: int, kept: Floats, *, charging: bool) -> Floats:
        """Steps for which each device could go on at its greatest power; infinite without a store."""
        room = self.e_high[:, step] - kept if charging else kept - self.e_low[:, step]
        rate = self._rates(step)[0 if charging else 1] * self.step_hours * self.most
        return np.asarray(np.divide(room, rate, out=np.full(len(room), np.inf), where=rate > 0.0))


def nearest(followers: Followers, promised: Floats, free_min: Floats, free_max: Floats) -> Floats:
    """Powers (device, step) that miss the promise (step,) least among a few tries.

    Where stores run empty, every kWh given too much must be bought back with losses later; so less is asked of them
    from the beginning (and less charging where they run full).
    """
    best, best_miss, asked = None, np.inf, promised
    for _ in range(1 + _CORRECTIONS):
        powers = followers.follow(asked, free_min, free_max)
        total = powers.sum(axis=0)
        missing = promised - total - np.clip(promised - total, free_min, free_max)
        miss = float(abs(missing).sum())
        if best is None or miss < best_miss * (1.0 - 1e-6):
            best, best_miss = powers, miss
        over = float(missing.sum())
        turned = np.minimum(total, 0.0) if over < 0.0 else np.maximum(total, 0.0)
        whole = float(abs(turned).sum())
        if miss <= 1e-6 * abs(promised).sum() or whole == 0.0:
            break
        asked = asked - min(abs(over) / whole, 1.0) * turned
    return np.asarray(best)


def _others(store: FlexStore) -> Bools:
    """Devices that following leaves alone: on/off, ramps, cycle limits, boilers and vents, and stores filled by giving.

    Shape (device,).
    """
    flows = (store.aux_max > 0.0).any(axis=1) | (store.spill_max > 0.0).any(axis=1)
    turned = (store.k_minus < 0.0).any(axis=1) | (store.k_plus < 0.0).any(axis=1)
    return np.asarray(store.memory | (store.has_store & (flows | turned)))


def _leave_room(devices: JointSet, store: FlexStore, held_kw: Floats, low: Floats, high: Floats) -> None:
    """Narrow the power limits of devices behind connections that bind, each by its share of the room."""
    rows = np.flatnonzero(np.isin(store.pod, devices.limited_pods()))
    if not len(rows):
        return
    pods, place = np.unique(store.pod[rows], return_inverse=True)
    for side, limit, sign in ((high, devices.withdrawal_max_kw, 1.0), (low, devices.injection_max_kw, -1.0)):
        net, wish = np.zeros((len(pods), store.steps)), np.zeros((len(pods), store.steps))
        wanted = np.maximum(sign * (side[rows] - held_kw[rows]), 0.0)
        np.add.at(net, place, sign * held_kw[rows])
        np.add.at(wish, place, wanted)
        most = np.full(len(pods), np.inf) if limit is None else limit[pods]
        room = np.maximum(most[:, None] - net, 0.0)
        share = np.minimum(np.divide(room, wish, out=np.ones_like(wish), where=wish > 0.0), 1.0)
        side[rows] = held_kw[rows] + sign * wanted * share[place]


def _levels(store: FlexStore, low: Floats, high: Floats, moving: Bools, step_hours: float) -> tuple[Floats, Floats]:
    """Levels at the end of each step from which all later limits can be kept; unlimited for others than `moving`."""
    k_plus, k_minus = store.full("k_plus"), store.full("k_minus")
    taken, stored = (step_hours * np.where(power > 0.0, k_plus, k_minus) * power for power in (low, high))
    least = np.where(moving[:, None], store.full("e_min"), -np.inf)
    most = np.where(moving[:, None], store.full("e_max"), np.inf)
    keep, drift = store.full("keep"), store.full("drift")
    for step in range(store.steps - 1, 0, -1):
        bound = np.flatnonzero(moving & (keep[:, step] > 0.0))
        share, moved = keep[bound, step], drift[bound, step]
        need = (least[bound, step] - stored[bound, step] - moved) / share
        room = (most[bound, step] - taken[bound, step] - moved) / share
        least[bound, step - 1] = np.maximum(least[bound, step - 1], need)
        most[bound, step - 1] = np.minimum(most[bound, step - 1], room)
    return least, most


def _shared(asked: float, hours: Floats, room: Floats, most: Floats) -> Floats:
    """Parts (device,) of `asked`, each from 0 to its `room`, so that all who give have the same hours left."""
    if asked >= room.sum():
        return room
    last = float(hours[np.isfinite(hours)].max(initial=0.0)) + 2.0
    known = np.where(np.isfinite(hours), hours, last)
    empty, full = last + 1.0, min(float(known.min()), 0.0) - 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (empty + full)
        if np.clip((known - middle) * most, 0.0, room).sum() > asked:
            full = middle
        else:
            empty = middle
    little, much = (np.clip((known - level) * most, 0.0, room) for level in (empty, full))
    between = float(much.sum() - little.sum())
    share = (asked - float(little.sum())) / between if between > 0.0 else 0.0
    return np.asarray(little + share * (much - little))
