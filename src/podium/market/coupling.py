"""What couples PODs: the portfolio's position, its limits, and the reserve that it offers (docs/maths/coordination.md).

PODs meet in few sums: net power P[a, t] of each area, and backing R[a, k, side, t] of each product. Everything beyond
these sums (settlement, limits, peak charge, offers) is a small linear programme, written here as columns and rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import Market, PositionLimits, ReserveProduct

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

KW_PER_MW = 1000.0
HEADROOM = "headroom"
#: The limit that calls of each side, up and down, come up against.
SIDES = ("injection", "withdrawal")
#: Missing a limit costs this many times the dearest price.
PENALTY = 20.0
#: ... and at least this, EUR/kWh.
LEAST_PENALTY = 5.0


@dataclass(frozen=True)
class Product:
    """A reserve product in the portfolio's programme."""

    name: str
    block: Ints
    """Block of each step, -1 where it is not sold. Shape (step,)."""
    value_eur_per_kw: Floats
    """What a kW offered for a whole block is expected to earn. Shape (block,)."""
    sides: tuple[bool, bool]
    """Whether an offer needs up and down backing."""
    sustain_hours: float
    kinds: tuple[str, ...]
    least_kw: float
    increment_kw: float
    most_kw: Floats
    """Greatest offer. Shape (block,)."""
    required_kw: float = 0.0
    """Held in any case (headroom); 0 for products that are sold."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.value_eur_per_kw)


def offer_value_eur_per_kw(product: ReserveProduct, energy_eur_per_mwh: Floats, step_hours: float) -> Floats:
    """What one kW offered for a whole block is expected to earn, EUR. Shape (block,).

    Availability, and for the share that is called the margin between the activation price and that of energy, since
    the energy given or taken is bought or sold again. `energy_eur_per_mwh` has shape (step,).
    """
    margin = product.activation_eur_per_mwh - energy_eur_per_mwh
    sign = float(product.up) - float(product.down)
    if product.direction == "symmetric":
        margin = np.zeros_like(margin)
    sold = product.block >= 0
    per_step = np.zeros(len(sold))
    per_step[sold] = product.availability_eur_per_mw_h[product.block[sold]]
    per_step[sold] += product.activated_share * sign * margin[sold]
    total = np.bincount(product.block[sold], per_step[sold], minlength=product.blocks)
    return step_hours / KW_PER_MW * total.astype(float)


def products_of(market: Market, prices: EnergyPrices | None, horizon: Horizon) -> tuple[Product, ...]:
    """The products of a market, and its headroom as products that are held without pay."""
    energy = np.zeros(horizon.steps) if prices is None else (prices.buy + prices.sell) / 2
    sold = tuple(
        Product(
            reserve.name,
            reserve.block,
            offer_value_eur_per_kw(reserve, energy, horizon.step_hours),
            (reserve.up, reserve.down),
            reserve.sustain_hours,
            reserve.kinds,
            KW_PER_MW * reserve.minimum_mw,
            KW_PER_MW * reserve.increment_mw,
            KW_PER_MW * np.broadcast_to(reserve.maximum_mw if len(reserve.maximum_mw) else np.inf, reserve.blocks),
        )
        for reserve in market.reserves
    )
    return sold + tuple(_headroom(market, side, horizon.steps) for side in (0, 1) if _held(market, side) > 0)


def _held(market: Market, side: int) -> float:
    return market.headroom_down_kw if side else market.headroom_up_kw


def _headroom(market: Market, side: int, steps: int) -> Product:
    from podium.market.terms import BACKING_KINDS

    held = _held(market, side)
    one = np.zeros(1)
    sides = (side == 0, side == 1)
    block = np.zeros(steps, dtype=np.int64)
    hours = market.headroom_sustain_hours
    return Product(HEADROOM, block, one, sides, hours, BACKING_KINDS, 0.0, 0.0, np.full(1, held), held)


@dataclass(frozen=True)
class Coupling:
    """The portfolio's own programme, without its PODs. Money in EUR, power in kW."""

    step_hours: float
    unit: Ints
    """Market time unit of each step. Shape (step,)."""
    buy: Floats | None
    """EUR/kWh. Shape (unit,). None where the portfolio is not settled on the market."""
    sell: Floats | None
    products: tuple[Product, ...]
    areas: tuple[PositionLimits | None, ...]
    """Limits of each area: groups with limits, and last everybody else."""
    limits: PositionLimits | None
    peak_eur_per_kw: float
    held_kw: Floats
    """Net power of PODs that do not answer. Shape (area, step)."""
    penalty_eur_per_kwh: float
    most_kw: float
    """No sum of the PODs exceeds this."""

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.unit)

    @property
    def one_price(self) -> bool:
        """Whether energy is bought and sold at one price."""
        return self.buy is not None and self.sell is not None and bool((self.buy == self.sell).all())

    @property
    def positions(self) -> bool:
        """Whether the position couples PODs: by two prices, by limits, or by a peak charge."""
        limited = self.limits is not None or self.peak_eur_per_kw > 0 or any(a is not None for a in self.areas)
        return limited or (self.buy is not None and not self.one_price)

    @property
    def coupled(self) -> bool:
        """Whether anything couples PODs."""
        return self.positions or bool(self.products)

    @property
    def known_price(self) -> Floats:
        """Price of energy that all PODs meet whatever the others do, EUR/kWh. Shape (step,)."""
        if self.buy is None or self.positions:
            return np.zeros(self.steps)
        return np.asarray(self.buy[self.unit])

    @property
    def sold(self) -> Bools:
        """Sides and steps of each product. Shape (product, 2, step)."""
        found = np.zeros((len(self.products), 2, self.steps), dtype=bool)
        for k, product in enumerate(self.products):
            for side in (0, 1):
                found[k, side] = product.sides[side] & (product.block >= 0)
        return found

    def scaled(self, share: float, held_kw: Floats) -> Coupling:
        """The same for a sample of the PODs: limits, offers and headroom in proportion."""
        products = tuple(
            replace(p, most_kw=share * p.most_kw, required_kw=share * p.required_kw) for p in self.products
        )
        limits = None if self.limits is None else _scaled(self.limits, share)
        areas = tuple(None if area is None else _scaled(area, share) for area in self.areas)
        return replace(
            self, products=products, limits=limits, areas=areas, held_kw=held_kw, most_kw=share * self.most_kw
        )


def _scaled(limits: PositionLimits, share: float) -> PositionLimits:
    return PositionLimits(share * limits.withdrawal_max_kw, share * limits.injection_max_kw)


@dataclass
class Programme:
    """Columns and rows of a linear programme as they are put together."""

    cost: list[Floats] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    row_lower: list[Floats] = field(default_factory=list)
    row_upper: list[Floats] = field(default_factory=list)
    entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    columns: int = 0
    rows: int = 0

    def add_columns(self, cost: Floats, lower: Floats, upper: Floats) -> Ints:
        """New columns; returns their numbers."""
        self.cost.append(cost)
        self.lower.append(np.broadcast_to(lower, cost.shape).astype(float))
        self.upper.append(np.broadcast_to(upper, cost.shape).astype(float))
        first, self.columns = self.columns, self.columns + len(cost)
        return np.arange(first, self.columns)

    def add_rows(self, count: int, lower: Floats | float, upper: Floats | float) -> Ints:
        """New rows; returns their numbers."""
        self.row_lower.append(np.broadcast_to(np.asarray(lower, float), count).astype(float))
        self.row_upper.append(np.broadcast_to(np.asarray(upper, float), count).astype(float))
        first, self.rows = self.rows, self.rows + count
        return np.arange(first, self.rows)

    def add(self, rows: Ints, columns: Ints, values: Floats | float) -> None:
        """Entries, one per pair of row and column."""
        keep = np.broadcast_to(np.asarray(values, float), len(rows))
        self.entries.append((np.asarray(rows), np.asarray(columns), keep))


@dataclass(frozen=True)
class LimitRows:
    """Rows that hold one limit of the portfolio, step by step."""

    what: str
    """"withdrawal", "injection" or "peak"."""
    area: int | None
    """None for the whole portfolio."""
    rows: Ints
    """Shape (step,)."""


@dataclass(frozen=True)
class Layout:
    """The portfolio's programme, and where PODs enter it."""

    programme: Programme
    position: Ints
    """Rows sum of the PODs' power + ... = ...; -1 where positions do not couple. Shape (area, step)."""
    backing: Ints
    """Rows sum of the PODs' backing - ... >= ...; -1 where not sold. Shape (area, product, 2, step)."""
    covered: Ints
    """Rows backing of all areas - offer >= ...; -1 where not sold. Shape (product, 2, step)."""
    offers: tuple[Ints, ...]
    """Columns of each product's offers. Shapes (block,)."""
    short: Ints
    """Columns of what is missing from the coverage of offers; -1 where not sold. Shape (product, 2, step)."""
    misses: Ints
    """Columns of what is missing from limits and headroom."""
    power: tuple[Ints, ...]
    """Columns of each area's net power, (step,); none where positions do not couple."""
    limits: tuple[LimitRows, ...]
    """Rows of limits and peak charge."""
    shares: list[list[list[Ints | None]]]
    """Columns of what each area gives to an offer, [area][product][side]; None with one area, and where not sold."""


def layout_of(c: Coupling) -> Layout:
    """Write the portfolio's programme."""
    programme = Programme()
    areas, steps = len(c.areas), c.steps
    offers = tuple(
        programme.add_columns(-p.value_eur_per_kw, np.full(p.blocks, p.required_kw), np.minimum(p.most_kw, c.most_kw))
        for p in c.products
    )
    misses: list[Ints] = []
    position = np.full((areas, steps), -1)
    power: list[Ints] = []
    if c.positions:
        for area in range(areas):
            rows = programme.add_rows(steps, -c.held_kw[area], -c.held_kw[area])
            columns = programme.add_columns(np.zeros(steps), np.array(-c.most_kw), np.array(c.most_kw))
            programme.add(rows, columns, -1.0)
            position[area] = rows
            power.append(columns)
        _settlement(programme, c, power)
    backing, covered, short, shares = _backing(programme, c, offers)
    misses += [short[k][short[k] >= 0] for k, product in enumerate(c.products) if product.required_kw > 0]
    limits: list[LimitRows] = []
    if c.positions:
        limits += _limits(programme, c, power, offers, shares, misses)
        limits += _peak(programme, c, power)
    missed = np.concatenate(misses) if misses else np.zeros(0, np.int64)
    return Layout(programme, position, backing, covered, offers, short, missed, tuple(power), tuple(limits), shares)


def _settlement(programme: Programme, c: Coupling, power: list[Ints]) -> None:
    """The mean position of each market time unit is bought or sold."""
    if c.buy is None or c.sell is None:
        return
    count = np.bincount(c.unit).astype(float)
    hours = c.step_hours * count
    bought = programme.add_columns(hours * c.buy, np.zeros(1), np.array(c.most_kw))
    sold = programme.add_columns(-hours * c.sell, np.zeros(1), np.array(c.most_kw))
    rows = programme.add_rows(len(count), 0.0, 0.0)
    for columns in power:
        programme.add(rows[c.unit], columns, 1.0 / count[c.unit])
    programme.add(rows, bought, -1.0)
    programme.add(rows, sold, 1.0)


def _missing(programme: Programme, c: Coupling, rows: Ints, sign: float) -> Ints:
    """Columns of what is missing from rows, which costs the penalty."""
    columns = programme.add_columns(
        np.full(len(rows), c.step_hours * c.penalty_eur_per_kwh), np.zeros(1), np.array(c.most_kw)
    )
    programme.add(rows, columns, sign)
    return columns


def _backing(
    programme: Programme, c: Coupling, offers: tuple[Ints, ...]
) -> tuple[Ints, Ints, Ints, list[list[list[Ints | None]]]]:
    """Backing of all areas covers every offer. Where areas have limits, each area's share is a column of its own."""
    areas = len(c.areas)
    rows_of = np.full((areas, len(c.products), 2, c.steps), -1)
    covers = np.full((len(c.products), 2, c.steps), -1)
    short = covers.copy()
    shares: list[list[list[Ints | None]]] = [[[None, None] for _ in c.products] for _ in range(areas)]
    for k, product in enumerate(c.products):
        for side in (0, 1):
            sold = np.flatnonzero((product.block >= 0) & product.sides[side])
            if not len(sold):
                continue
            covered = programme.add_rows(len(sold), 0.0, np.inf)
            programme.add(covered, offers[k][product.block[sold]], -1.0)
            covers[k, side, sold] = covered
            short[k, side, sold] = _missing(programme, c, covered, 1.0)
            for area in range(areas):
                if areas == 1:
                    rows_of[area, k, side, sold] = covered
                    continue
                rows = programme.add_rows(len(sold), 0.0, np.inf)
                columns = programme.add_columns(np.zeros(len(sold)), np.zeros(1), np.array(c.most_kw))
                programme.add(rows, columns, -1.0)
                programme.add(covered, columns, 1.0)
                rows_of[area, k, side, sold] = rows
                shares[area][k][side] = columns
    return rows_of, covers, short, shares


def _limits(
    programme: Programme, c: Coupling, power: list[Ints], offers: tuple[Ints, ...],
    shares: list[list[list[Ints | None]]], misses: list[Ints],
) -> list[LimitRows]:  # fmt: skip
    """Position and all offers called keep within the limits of the portfolio and of each area."""
    found: list[LimitRows] = []
    for side, sign in ((1, 1.0), (0, -1.0)):
        if c.limits is not None:
            limit = c.limits.withdrawal_max_kw if side else c.limits.injection_max_kw
            rows = programme.add_rows(c.steps, -np.inf, limit)
            for columns in power:
                programme.add(rows, columns, sign)
            for k, product in enumerate(c.products):
                sold = np.flatnonzero((product.block >= 0) & product.sides[side])
                programme.add(rows[sold], offers[k][product.block[sold]], 1.0)
            misses.append(_missing(programme, c, rows, -1.0))
            found.append(LimitRows(SIDES[side], None, rows))
        for area, limits in enumerate(c.areas):
            if limits is None:
                continue
            limit = limits.withdrawal_max_kw if side else limits.injection_max_kw
            rows = programme.add_rows(c.steps, -np.inf, limit)
            programme.add(rows, power[area], sign)
            for k, product in enumerate(c.products):
                mine = shares[area][k][side]
                if mine is not None:
                    programme.add(rows[np.flatnonzero((product.block >= 0) & product.sides[side])], mine, 1.0)
            misses.append(_missing(programme, c, rows, -1.0))
            found.append(LimitRows(SIDES[side], area, rows))
    return found


def _peak(programme: Programme, c: Coupling, power: list[Ints]) -> list[LimitRows]:
    """The greatest net withdrawal is paid for."""
    if c.peak_eur_per_kw <= 0:
        return []
    peak = programme.add_columns(np.array([c.peak_eur_per_kw]), np.zeros(1), np.array(c.most_kw))
    rows = programme.add_rows(c.steps, -np.inf, 0.0)
    for columns in power:
        programme.add(rows, columns, 1.0)
    programme.add(rows, np.repeat(peak, c.steps), -1.0)
    return [LimitRows("peak", None, rows)]


def portfolio_profit_eur(c: Coupling, power_kw: Floats, offers_kw: tuple[Floats, ...]) -> dict[str, float]:
    """What the portfolio earns and pays beyond its PODs, EUR: energy, reserve and peak, for P (area, step)."""
    net = (power_kw + c.held_kw).sum(axis=0)
    energy = 0.0
    if c.buy is not None and c.sell is not None:
        count = np.bincount(c.unit)
        mean = np.bincount(c.unit, net) / count
        hours = c.step_hours * count
        energy = float((hours * (c.sell * np.maximum(-mean, 0) - c.buy * np.maximum(mean, 0))).sum())
    reserve = sum(float(p.value_eur_per_kw @ kw) for p, kw in zip(c.products, offers_kw, strict=True))
    return {
        "energy": energy,
        "reserve": reserve,
        "peak": c.peak_eur_per_kw * float(np.maximum(net, 0.0).max(initial=0.0)),
    }
