"""Every POD's exact answer to prices of energy and reserve, asked again and again (docs/maths/coordination.md).

A POD pays its own tariff plus a price of energy, and earns a price for the reserve that its devices back. How it is
solved follows from its structure, as at level 1: the dynamic programmes where its devices separate, a linear or
mixed-integer programme otherwise. Programmes are built once and keep their bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.backing import Backed, Reserve, back_groups
from podium.flex.exact import Schedule, by_device, by_pod, solve_exactly
from podium.flex.exclusive import DEFAULT, Limits
from podium.flex.highs import Asked
from podium.flex.kernel import SOLVED, Columns, Groups
from podium.flex.offering import DOWN, UP, BackingColumns, Offering, add_backing, backing_price, connection_rows
from podium.flex.program import DeviceColumns, Model, PodProgram, build, composition
from podium.flex.replay import replayed
from podium.flex.solve import constant_eur, device_cost_eur, net_power, structure, write_schedule
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Levels closer than this, kWh, are the same.
RESTS = 1e-9
#: Calls whose lengths differ by less than this part of them last equally long.
CRUMB = 1e-7


@dataclass(frozen=True)
class Signal:
    """Prices that PODs answer, by area."""

    energy: Floats
    """EUR/kWh beside each POD's own tariff. Shape (area, step)."""
    reserve: Floats
    """EUR per kW backed in a step. Shape (area, product, 2, step); the sides are up and down."""


@dataclass(frozen=True)
class Answer:
    """What all devices do at given prices."""

    schedule: Schedule
    backing: Floats
    """kW. Shape (product, 2, device, step)."""
    own_eur: Floats
    """What each POD pays by itself: its own tariff and the use of its devices. Shape (pod,)."""
    least_eur: Floats
    """No schedule of the POD costs less, prices included. Shape (pod,)."""


def _rests(store: FlexStore, offering: Offering) -> Bools:
    """Devices that need no power on their way on, where the connection might not leave them any. Shape (device,)."""
    room = offering.room
    still = (room.low <= store.full("e_floor") + RESTS).all(axis=1) & (room.high >= store.full("e_max") - RESTS).all(
        axis=1
    )
    return np.asarray(room.free | ~store.has_store | still)


@dataclass(frozen=True)
class Programmes:
    """PODs of one pattern, their programmes at their own tariffs, and where prices of energy and reserve come in."""

    pods: Ints
    area: Ints
    program: PodProgram
    backing: list[BackingColumns]
    constant_eur: Floats
    """What each POD pays beside what its programme costs. Shape (pod,)."""


@dataclass
class _Batch:
    """Programmes that are solved again and again."""

    programmes: Programmes
    asked: Asked


class Responder:
    """The PODs of a part of the portfolio, ready to answer prices.

    `meter` holds each POD's own tariff (0 where it is billed on the market alone) and its connection; `area` is the row
    of the prices that each POD sees; PODs of `absent` do not answer. The dynamic programme holds calls from the end of
    the step in which they begin; where `strict`, a POD whose answer does not hold them over all of their steps is
    answered by its programme, which does.
    """

    def __init__(
        self, store: FlexStore, meter: Meter, step_hours: float, day: Ints, area: Ints, offering: Offering,
        absent: Bools, limits: Limits = DEFAULT, *, strict: bool = False,
    ) -> None:  # fmt: skip
        self.store, self.meter, self.step_hours, self.day, self.area = store, meter, step_hours, day, area
        able = offering.eligible & offering.room.backs & _rests(store, offering)
        self.offering = replace(offering, eligible=able & ~absent[store.pod])
        self.limits, self.absent = limits, absent
        self.strict = strict and offering.windows and bool((offering.spans(step_hours) > 1).any())
        self.constant = constant_eur(store, len(area))
        self._sort()

    @property
    def whole(self) -> Bools:
        """PODs whose answers do not mix: something in them is on or off. Shape (pod,)."""
        return np.bincount(self.store.pod[self.store.on_off], minlength=len(self.area)) > 0

    def answer(self, signal: Signal, gap: float | None = None) -> Answer:
        """Everybody's best answer. Programmes with integers stop at a relative `gap`; None leaves integers out.

        A POD that could not keep its limits if it had to back reserve backs none from then on. Raises SolverError where
        it cannot keep them at all.
        """
        self.unanswered: set[int] = set()
        found = self._answer(signal, gap)
        if self.unanswered:
            pods = np.array(sorted(self.unanswered))
            mine = np.isin(self.store.pod, pods)
            if not self.offering.eligible[:, mine].any(axis=0).any():
                raise SolverError(f"no schedule for PODs {pods.tolist()} of this part at given prices")
            self.offering = replace(self.offering, eligible=self.offering.eligible & ~mine)
            self._sort()
            return self.answer(signal, gap)
        return found

    def programmes(self) -> list[Programmes]:
        """Programmes of all PODs that answer."""
        return self._programmes(np.flatnonzero(~self.absent))

    def made_real(self, programmes: Sequence[Programmes], solutions: Sequence[Floats]) -> Answer:
        """What solutions, (pod, column) of each pattern, come to where no store charges and discharges at once.

        The least that a POD could pay is not known from them, and 0 in the answer.
        """
        store, pods = self.store, len(self.area)
        schedule = Schedule.empty(store.devices, store.steps)
        backing = np.zeros((self.offering.products, 2, store.devices, store.steps))
        relaxed = np.full(pods, np.nan)
        for mine, found in zip(programmes, solutions, strict=True):
            for n, x in enumerate(found):
                write_schedule(store, mine.program, x, n, schedule)
                _write_backing(mine, x, n, backing)
                if mine.program.arrays.integer.any():
                    relaxed[mine.pods[n]] = self._own_eur(mine, n, x)
        schedule.p[:] = np.clip(schedule.p, store.full("p_min"), store.full("p_max"))
        schedule = replayed(store, schedule, self.step_hours)
        net = net_power(store, schedule.p, pods)
        own = self.meter.bill(net, self.step_hours) + device_cost_eur(store, schedule, self.step_hours, pods)
        own = np.where(np.isnan(relaxed), own, relaxed)
        return Answer(schedule, np.maximum(backing, 0.0), np.where(self.absent, 0.0, own), np.zeros(pods))

    def _answer(self, signal: Signal, gap: float | None) -> Answer:
        store, pods = self.store, len(self.area)
        schedule = Schedule.empty(store.devices, store.steps)
        backing = np.zeros((self.offering.products, 2, store.devices, store.steps))
        beyond = np.zeros(pods)
        priced = self.meter.plus(signal.energy[self.area])
        self._plainly(priced, schedule)
        self._backed(signal, priced, schedule, backing, beyond)
        bound, relaxed = np.full((2, pods), np.nan)
        again = self._overdrawn(schedule, backing)
        backing[:, :, np.isin(store.pod, again)] = 0.0
        for batch in self.batches:
            theirs = batch.programmes.pods
            asked = np.flatnonzero(np.isin(theirs, self.programmed) | np.isin(theirs, again))
            self._programmed(batch, asked, signal, priced, schedule, backing, bound, relaxed, gap)
        net = net_power(store, schedule.p, pods)
        bill = self.meter.bill(net, self.step_hours)
        own = np.where(np.isnan(relaxed), bill + device_cost_eur(store, schedule, self.step_hours, pods), relaxed)
        paid = own - bill + priced.bill(net, self.step_hours) - self._earned(signal, backing)
        least = np.where(np.isnan(bound), paid - beyond, np.minimum(bound + self.constant, paid))
        present = ~self.absent
        return Answer(schedule, backing, np.where(present, own, 0.0), np.where(present, least, 0.0))

    def _earned(self, signal: Signal, backing: Floats) -> Floats:
        """EUR of each POD for its backing. Shape (pod,)."""
        area = self.area[self.store.pod]
        total = np.zeros(self.store.devices)
        for product in range(self.offering.products):
            for side in (UP, DOWN):
                total += (signal.reserve[area, product, side] * backing[product, side]).sum(axis=1)
        return np.bincount(self.store.pod, total, minlength=len(self.area)).astype(float)

    def _sort(self) -> None:
        """Which way each POD is solved."""
        store, pods = self.store, len(self.area)
        present = ~self.absent
        single, separable, _ = structure(store, self.meter)
        backs = np.bincount(store.pod[self.offering.eligible.any(axis=0)], minlength=pods) > 0
        free = np.bincount(store.pod[~self.offering.room.free], minlength=pods) == 0
        one, several = np.zeros(pods, dtype=bool), np.zeros(pods, dtype=bool)
        one[single], several[separable] = True, True
        one_price = (self.meter.buy == self.meter.sell).all(axis=1)
        rest = ~store.has_store & (store.p_max > store.p_min).any(axis=1)
        loose = np.bincount(store.pod[rest], minlength=pods) > 0
        offering_rest = np.bincount(store.pod[rest & self.offering.eligible.any(axis=0)], minlength=pods) > 0
        fits = self._fits_kernel()
        self.plain_single = np.flatnonzero(present & one & ~backs)
        self.plain_separable = np.flatnonzero(present & several & ~backs & free)
        alone = one & backs & fits & ~offering_rest & (free | ~loose)
        self.backed_single = np.flatnonzero(present & alone)
        apart = (one | several) & backs & fits & one_price & free & ~alone
        self.backed_separable = np.flatnonzero(present & apart)
        plain = np.concatenate((self.plain_single, self.plain_separable))
        backed = np.concatenate((self.backed_single, self.backed_separable))
        self.programmed = np.setdiff1d(np.flatnonzero(present), np.concatenate((plain, backed)))
        self.batches = self._batches(np.sort(np.concatenate((self.programmed, backed[: len(backed) * self.strict]))))

    def _overdrawn(self, schedule: Schedule, backing: Floats) -> Ints:
        """PODs whose quick answers do not hold calls over all of their steps, where they have to."""
        quick = np.isin(self.store.pod, np.concatenate((self.backed_single, self.backed_separable)))
        rows = np.flatnonzero(quick & self.offering.eligible.any(axis=0))
        if not self.strict or not len(rows):
            return np.zeros(0, dtype=np.int64)
        fresh = np.asarray(self.store.full("keep")[rows] == 0)
        over = self.offering.take(rows).overdrawn(schedule.e[rows], backing[:, :, rows], fresh, self.step_hours)
        return np.unique(self.store.pod[rows[over]])

    def _held_hours(self) -> Floats:
        """How long the dynamic programme holds a call, h: at least a step, and a crumb more. Shape (product,).

        A call of exactly one step would need as much room per power as the power moves in the step, at any power at
        once; the programme follows borders that move.
        """
        return np.maximum(self.offering.sustain_hours, self.step_hours) * (1.0 + CRUMB)

    def _fits_kernel(self) -> Bools:
        """PODs whose stores have power flows alone, which fill them when they withdraw. Shape (pod,).

        None where a call is shorter than a step, unless all are: these need room for the whole step they fall into.
        """
        store, hours = self.store, self.offering.sustain_hours
        short = hours < self.step_hours * (1.0 - CRUMB)
        if short.any() and not (self.offering.windows and (hours <= self.step_hours * (1.0 + CRUMB)).all()):
            return np.zeros(len(self.area), dtype=bool)
        fills = (store.k_plus > 0).all(axis=1) | (store.p_max <= 0).all(axis=1)
        drains = (store.k_minus > 0).all(axis=1) | (store.p_min >= 0).all(axis=1)
        flows = (store.aux_max > 0).any(axis=1) | (store.spill_max > 0).any(axis=1)
        odd = store.has_store & (~fills | ~drains | flows)
        return np.asarray(np.bincount(store.pod[odd], minlength=len(self.area)) == 0)

    def _batches(self, pods: Ints) -> list[_Batch]:
        seconds = self.limits.time_limit_seconds
        return [_Batch(found, Asked(found.program.arrays, seconds)) for found in self._programmes(pods)]

    def _programmes(self, pods: Ints) -> list[Programmes]:
        store = self.store
        groups: dict[tuple[object, ...], list[int]] = {}
        first, last = np.searchsorted(store.pod, pods), np.searchsorted(store.pod, pods, side="right")
        for n, pod in enumerate(pods):
            rows = slice(first[n], last[n])
            backs = self.offering.eligible[:, rows].tobytes() + self.offering.room.fills_up[rows].any(axis=1).tobytes()
            limited = bool(np.isfinite([self.meter.withdrawal_max[pod], self.meter.injection_max[pod]]).any())
            key = (*composition(store, rows, bool(self.meter.peak_cost[pod] > 0)), backs, limited)
            groups.setdefault(key, []).append(n)
        return [self._pattern(pods[numbers], first[numbers], last[numbers]) for numbers in groups.values()]

    def _pattern(self, pods: Ints, first: Ints, last: Ints) -> Programmes:
        members = first[:, None] + np.arange(int(last[0] - first[0]))
        found: list[BackingColumns] = []

        def more(model: Model, devices: list[DeviceColumns], grid: tuple[Ints, Ints]) -> None:
            found.extend(add_backing(model, self.store, devices, self.offering, self.step_hours, self.day))
            connection_rows(model, self.meter, pods, grid, found)

        program = build(self.store, members, self.meter, pods, self.step_hours, self.day, exclusive=False, more=more)
        return Programmes(pods, self.area[pods], program, found, self.constant[pods])

    def _plainly(self, priced: Meter, schedule: Schedule) -> None:
        """PODs that back nothing, by the dynamic programme."""
        if len(self.plain_single):
            groups = by_pod(self.store, self.plain_single, priced.withdrawal_max, priced.injection_max)
            failed = solve_exactly(self.store, groups, priced.buy, priced.sell, self.step_hours, schedule)
            self.unanswered |= {int(groups.price[n]) for n in failed}
        if len(self.plain_separable):
            groups = by_device(self.store, np.flatnonzero(np.isin(self.store.pod, self.plain_separable)))
            failed = solve_exactly(self.store, groups, priced.buy, priced.buy, self.step_hours, schedule)
            self.unanswered |= {int(groups.price[n]) for n in failed}

    def _backed(self, signal: Signal, priced: Meter, schedule: Schedule, backing: Floats, beyond: Floats) -> None:
        """PODs that back reserve, by the dynamic programme."""
        for area in np.unique(self.area):
            single = self.backed_single[self.area[self.backed_single] == area]
            apart = self.backed_separable[self.area[self.backed_separable] == area]
            groups = [by_pod(self.store, single, priced.withdrawal_max, priced.injection_max)] if len(single) else []
            if len(apart):
                groups.append(by_device(self.store, np.flatnonzero(np.isin(self.store.pod, apart))))
            for group in groups:
                self._back(group, signal.reserve[area], priced, schedule, backing, beyond)

    def _back(
        self, groups: Groups, price: Floats, priced: Meter, schedule: Schedule, backing: Floats, beyond: Floats
    ) -> None:
        room, count = self.offering.room, len(groups.storing)
        sold = self.offering.sold[:, :, None, :] & self.offering.eligible[:, None, :, None]
        low = np.where(sold.any(axis=(0, 1)), room.low, -np.inf)
        high = np.where(sold.any(axis=(0, 1)), room.high, np.inf)
        reserve = Reserve(
            np.ascontiguousarray(price[:, UP]), np.ascontiguousarray(price[:, DOWN]), self._held_hours(),
            self.offering.eligible, low, high, np.where(room.kappa_up > 0, room.kappa_up, 1.0),
            np.where(room.kappa_down > 0, room.kappa_down, 1.0),
        )  # fmt: skip
        columns = Columns(*(getattr(self.store, name) for name in Columns._fields))
        whole = np.zeros(count, dtype=np.int64)
        answer = Backed(
            schedule.p, schedule.e, backing[:, UP], backing[:, DOWN], whole, whole.copy(), np.zeros(count),
            np.zeros(count),
        )  # fmt: skip
        back_groups(
            columns, reserve, groups, np.ascontiguousarray(priced.buy), np.ascontiguousarray(priced.sell),
            self.step_hours, answer,
        )  # fmt: skip
        np.add.at(beyond, groups.price, answer.beyond)
        self.unanswered |= set(groups.price[answer.status != SOLVED].tolist())

    def _programmed(
        self, batch: _Batch, asked: Ints, signal: Signal, priced: Meter, schedule: Schedule, backing: Floats,
        bound: Floats, relaxed: Floats, gap: float | None,
    ) -> None:  # fmt: skip
        """PODs (those of the batch with these numbers) with programmes: new prices, the same rows.

        `relaxed` (pod,) is what PODs pay by themselves whose integers are left out.
        """
        mine = batch.programmes
        arrays, grid = mine.program.arrays, mine.program.grid
        for n, pod in zip(asked.tolist(), mine.pods[asked].tolist(), strict=True):
            cost = np.array(arrays.cost[n])
            cost[grid[0]] = self.step_hours * priced.buy[pod]
            cost[grid[1]] = -self.step_hours * priced.sell[pod]
            for columns in mine.backing:
                backing_price(columns, signal.reserve[self.area[pod]], cost)
            solved = batch.asked.solve(n, cost, gap)
            if solved.x is None:
                self.unanswered.add(pod)
                continue
            write_schedule(self.store, mine.program, solved.x, n, schedule)
            _write_backing(mine, solved.x, n, backing)
            bound[pod] = solved.bound
            if gap is None and arrays.integer.any():
                relaxed[pod] = self._own_eur(mine, n, solved.x)

    def _own_eur(self, mine: Programmes, n: int, x: Floats) -> float:
        """What a programme's solution (column,) costs the n-th of its PODs by itself, starts in part included, EUR.

        From powers alone nobody sees how often an engine starts that runs in part.
        """
        return float(mine.program.arrays.cost[n] @ x + self.constant[mine.pods[n]])


def _write_backing(programmes: Programmes, x: Floats, n: int, backing: Floats) -> None:
    """Write what a programme's solution (column,) for the n-th of its PODs backs."""
    for mine in programmes.backing:
        row = programmes.program.devices[mine.place].row[n]
        for product, sides in enumerate(mine.columns):
            for side, columns in enumerate(sides):
                if columns is not None:
                    backing[product, side, row] = x[columns]
