"""PODs and the devices behind them, by column: thousands of devices share a few profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from podium.devices import KINDS
from podium.devices.device import (
    Column,
    Device,
    DeviceTable,
    NonNegative,
    Number,
    ProfileName,
    Spec,
    column_of,
    range_problems,
    specs,
)
from podium.errors import InputError, Problem
from podium.flexstore import FlexStore, Floats, concatenate
from podium.horizon import Horizon
from podium.profiles import Profiles

Text = Annotated[str, Column("text")]


class Pod(BaseModel):
    """Point of delivery: a connection with its contract and the devices behind it.

    Tariffs are a number or a profile in EUR/kWh; a POD without one pays the market price. `baseline_profile` x
    `baseline_scale_kw` is the declared net power, kW, used where the POD cannot be optimised. Connection limits in kW
    (none where absent). `peak_eur_per_kw` is paid on the greatest withdrawal of the horizon.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    pod: str = Field(min_length=1)
    name: Text = ""
    group: Text = ""
    baseline_profile: ProfileName | None = None
    baseline_scale_kw: Number = 1.0
    buy_eur_per_kwh: Number | None = None
    sell_eur_per_kwh: Number | None = None
    buy_profile: ProfileName | None = None
    sell_profile: ProfileName | None = None
    buy_scale: NonNegative = 1.0
    sell_scale: NonNegative = 1.0
    withdrawal_max_kw: NonNegative | None = None
    injection_max_kw: NonNegative | None = None
    peak_eur_per_kw: NonNegative = 0.0
    devices: Sequence[Device] = ()


def pod_specs() -> tuple[Spec, ...]:
    """The columns of a table of PODs."""
    return specs(Pod)


@dataclass(frozen=True)
class Meter:
    """What the energy through each POD's meter costs, and how much may flow."""

    buy: Floats
    """EUR per kWh withdrawn. Shape (pod, step)."""
    sell: Floats
    """EUR per kWh injected. Shape (pod, step)."""
    withdrawal_max: Floats
    """kW, inf where free. Shape (pod,)."""
    injection_max: Floats
    """kW, inf where free. Shape (pod,)."""
    peak_cost: Floats
    """EUR per kW of the greatest withdrawal. Shape (pod,)."""

    def bill(self, net_kw: Floats, step_hours: float) -> Floats:
        """EUR of each POD for its net power (pod, step): the formula of optimiser and bill alike. Shape (pod,)."""
        withdrawal, injection = np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0)
        energy = step_hours * (self.buy * withdrawal - self.sell * injection).sum(axis=1)
        return np.asarray(energy + self.peak_cost * withdrawal.max(axis=1, initial=0.0))

    def plus(self, price: Floats) -> Meter:
        """The same tariffs and connections with a price on top, for buying and selling alike, EUR/kWh (pod, step)."""
        return replace(self, buy=self.buy + price, sell=self.sell + price)

    def at_price(self, price: ArrayLike) -> Meter:
        """The same connections with one price for buying and selling, EUR/kWh, and no peak charge."""
        row = np.array(np.broadcast_to(np.asarray(price, dtype=float), self.buy.shape))
        return replace(self, buy=row, sell=row, peak_cost=np.zeros_like(self.peak_cost))


@dataclass(frozen=True)
class Portfolio:
    """PODs, their devices (kind -> table, sorted by POD), the profiles they share, and the horizon."""

    horizon: Horizon
    profiles: Profiles
    ids: NDArray[np.object_]
    """POD ids. Shape (pod,)."""
    columns: Mapping[str, NDArray[Any]]
    """The fields of `Pod`, each of shape (pod,)."""
    devices: Mapping[str, DeviceTable]

    @classmethod
    def of(cls, pods: Iterable[Pod], horizon: Horizon, profiles: Mapping[str, ArrayLike] | Profiles) -> Portfolio:
        """A portfolio from POD objects and profiles of shape (step,).

        Raises InputError with every problem found.
        """
        listed = list(pods)
        shared = profiles if isinstance(profiles, Profiles) else Profiles.of(profiles, horizon.steps)
        columns = {
            spec.name: column_of(spec, [getattr(pod, spec.name) for pod in listed], shared) for spec in pod_specs()
        }
        tables = {}
        for kind in KINDS.values():
            owned = [(row, device) for row, pod in enumerate(listed) for device in pod.devices if type(device) is kind]
            if owned:
                rows = np.array([row for row, _ in owned], dtype=np.int64)
                tables[kind.kind] = DeviceTable.of([device for _, device in owned], rows, shared)
        portfolio = cls(horizon, shared, np.array([pod.pod for pod in listed], dtype=object), columns, tables)
        portfolio.ensure_valid()
        return portfolio

    def ensure_valid(self) -> None:
        """Raise InputError with everything wrong with ids and numbers, named by device id."""
        problems = list(id_problems(self))
        for table in self.devices.values():
            for found in range_problems(table.kind, table, self.horizon):
                if not found.warning:
                    where = f"{table.kind.kind} {table.ids[found.row]!r}"
                    problems.append(Problem(where, found.value, found.expected))
        if problems:
            raise InputError(problems)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def device_count(self) -> int:
        """Number of devices (a charger counts once, however many sessions it has)."""
        return sum(len(set(table.ids)) if table.kind.sessions else len(table) for table in self.devices.values())

    def part(self, first: int, last: int) -> Portfolio:
        """The PODs of rows first to last - 1, with their devices and only the profiles that these use."""
        columns = {name: column[first:last] for name, column in self.columns.items()}
        tables = {}
        for name, table in self.devices.items():
            begin, end = np.searchsorted(table.pod, (first, last))
            if end > begin:
                chosen = table.take(np.arange(begin, end))
                tables[name] = replace(chosen, pod=chosen.pod - first)
        return replace(self, ids=self.ids[first:last], columns=columns, devices=tables).compact()

    def take(self, rows: NDArray[np.int64]) -> Portfolio:
        """Only the PODs of these rows, which rise, with their devices."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        tables = {}
        for name, table in self.devices.items():
            mine = np.flatnonzero(np.isin(table.pod, rows))
            if len(mine):
                chosen = table.take(mine)
                tables[name] = replace(chosen, pod=np.searchsorted(rows, chosen.pod))
        return replace(self, ids=self.ids[rows], columns=columns, devices=tables).compact()

    def compact(self) -> Portfolio:
        """The same portfolio with only the profiles that it uses."""
        used = [self.columns[spec.name] for spec in pod_specs() if spec.role == "profile"]
        for table in self.devices.values():
            used += [table[spec.name] for spec in specs(table.kind) if spec.role == "profile"]
        rows = np.unique(np.concatenate([column[column >= 0] for column in used])) if used else np.zeros(0, int)
        moved = np.full(len(self.profiles.names) + 1, -1, dtype=np.int64)
        moved[rows] = np.arange(len(rows))
        profiles = self.profiles.take(rows)

        def renumbered(columns: Mapping[str, NDArray[Any]], fields: tuple[Spec, ...]) -> dict[str, NDArray[Any]]:
            pointers = {spec.name for spec in fields if spec.role == "profile"}
            return {name: moved[column] if name in pointers else column for name, column in columns.items()}

        tables = {
            name: replace(table, columns=renumbered(table.columns, specs(table.kind)), profiles=profiles)
            for name, table in self.devices.items()
        }
        return replace(self, profiles=profiles, columns=renumbered(self.columns, pod_specs()), devices=tables)

    def store(self) -> FlexStore:
        """All devices in canonical form, sorted by POD, then in the order of KINDS."""
        parts = [KINDS[name].to_store(self.devices[name], self.horizon) for name in KINDS if name in self.devices]
        return concatenate(parts, self.horizon.steps)

    def meter(self, market_eur_per_kwh: ArrayLike | None = None) -> Meter:
        """Tariffs and connection limits; a POD without a tariff pays the market price.

        `market_eur_per_kwh` has shape (step,), or (2, step) where buying and selling differ. Raises InputError where
        neither is given, or where selling pays more than buying costs.
        """
        market = None if market_eur_per_kwh is None else np.atleast_2d(np.asarray(market_eur_per_kwh, dtype=float))
        buy = self._tariff("buy", None if market is None else market[0])
        sell = self._tariff("sell", None if market is None else market[-1])
        above = np.argwhere(sell > buy)
        if above.size:
            pod, step = above[0]
            value = f"sells at {sell[pod, step]:g} and buys at {buy[pod, step]:g} EUR/kWh in step {step}"
            expected = "a selling price at most as high as the buying price (otherwise profit has no limit)"
            raise InputError(Problem(f"POD {self.ids[pod]!r}", value, expected))
        limits = {
            side: np.where(np.isnan(self.columns[side]), np.inf, self.columns[side])
            for side in ("withdrawal_max_kw", "injection_max_kw")
        }
        return Meter(
            buy,
            sell,
            limits["withdrawal_max_kw"],
            limits["injection_max_kw"],
            self.columns["peak_eur_per_kw"],
        )

    def _tariff(self, side: str, market: Floats | None) -> Floats:
        number, row = self.columns[f"{side}_eur_per_kwh"], self.columns[f"{side}_profile"]
        tariff = np.repeat(number[:, None], self.horizon.steps, axis=1)
        by_profile = row >= 0
        tariff[by_profile] = self.profiles.scaled(row[by_profile], self.columns[f"{side}_scale"][by_profile])
        absent = np.isnan(number) & ~by_profile
        if absent.any() and market is None:
            first = self.ids[np.flatnonzero(absent)[0]]
            expected = f"{side}_eur_per_kwh, {side}_profile, or market prices in the study"
            raise InputError(Problem(f"POD {first!r}", f"no {side}ing price", expected))
        if market is not None:
            tariff[absent] = market
        return tariff

    def declared_baseline_kw(self) -> Floats:
        """The declared net power; NaN where a POD declares none. Shape (pod, step)."""
        rows = self.columns["baseline_profile"]
        declared = self.profiles.scaled(rows, self.columns["baseline_scale_kw"])
        return np.where((rows >= 0)[:, None], declared, np.nan)


def id_problems(portfolio: Portfolio) -> Iterable[Problem]:
    """Ids of PODs and devices that occur twice."""
    yield from (
        Problem(f"POD {name!r}", "this id occurs twice", "ids that are unique") for name in twice(portfolio.ids)
    )
    owners: dict[str, str] = {}
    for table in portfolio.devices.values():
        own = set(table.ids) if table.kind.sessions else table.ids
        for name in twice(np.array(list(own), dtype=object)):
            yield Problem(f"{table.kind.kind} {name!r}", "this id occurs twice", "ids that are unique")
        if table.kind.sessions:
            yield from _moved(table)
        for name in set(own) & owners.keys():
            yield Problem(f"{table.kind.kind} {name!r}", f"a {owners[name]} has the same id", "ids that are unique")
        owners |= dict.fromkeys(own, table.kind.kind)


def _moved(table: DeviceTable) -> Iterable[Problem]:
    """Devices whose sessions stand at several PODs."""
    pods: dict[str, set[int]] = {}
    for name, pod in zip(table.ids, table.pod, strict=True):
        pods.setdefault(name, set()).add(int(pod))
    for name, rows in pods.items():
        if len(rows) > 1:
            yield Problem(
                f"{table.kind.kind} {name!r}", f"sessions at {len(rows)} PODs", "one POD for all its sessions"
            )


def twice(names: NDArray[np.object_]) -> list[str]:
    """Names that occur more than once, each once, in order of their first repetition."""
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for name in names:
        if name in seen:
            repeated[name] = None
        seen.add(name)
    return list(repeated)
