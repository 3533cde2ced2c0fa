"""Reserve products of study.yaml on the steps of a horizon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.devices import KINDS
from podium.devices.device import clock_minutes
from podium.errors import InputError, Problem
from podium.market.terms import ReserveProduct
from podium.study.blocks import MINUTES_PER_DAY, Blocks, Calendar, calendar_blocks, ns_of, on_steps
from podium.study.cells import read_numbers, read_text
from podium.study.file_ref import FileRef
from podium.study.market_schema import ReserveFile
from podium.study.moments import NO_TIME, read_moments
from podium.study.presets import presets
from podium.study.series import TIME
from podium.study.surroundings import Surroundings
from podium.study.tables import Table, TableFile
from podium.study.wording import each, is_missing, one_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRICE = "price_eur_per_mw_h"
PRODUCT, START, END, AVAILABILITY, MAXIMUM = "product", "start", "end", "availability_eur_per_mw_h", "maximum_mw"
RESERVED_NAMES = ("energy", "headroom")
"""What the results call other things than reserve products."""
_CALENDAR = ("offered_from", "offered_to", "weekdays_only", "block_hours", AVAILABILITY, MAXIMUM)


@dataclass(frozen=True)
class _Entry:
    """A product of study.yaml after its preset, and where it stands there."""

    said: ReserveFile
    key: tuple[str | int, ...]
    around: Surroundings

    @property
    def name(self) -> str:
        return self.said.name or ""

    def where(self, *keys: str) -> str:
        """Line of a key of the product, or of the product where it has none."""
        return self.around.said.where(*self.key, *keys)


def reserve_products(entries: tuple[ReserveFile, ...], around: Surroundings) -> tuple[ReserveProduct, ...]:
    """The products that are sold in the horizon. What is wrong is noted in `around`."""
    products: list[ReserveProduct] = []
    seen: dict[str, str] = {}
    for place, said in enumerate(entries):
        try:
            expanded = list(_expanded(_Entry(said, ("market", "reserve", place), around)))
        except InputError as error:
            around.refuse(error)
            continue
        for entry in expanded:
            _refuse_name_again(entry, seen)
            try:
                product = _product(entry)
            except InputError as error:
                around.refuse(error)
                continue
            products += [] if product is None else [product]
    return tuple(products)


def _expanded(entry: _Entry) -> Iterator[_Entry]:
    """The products of a preset with what the study says instead, or the product itself."""
    said = entry.said
    if said.preset is None:
        if said.only:
            raise InputError(Problem(entry.where("only"), "'only' without a preset", "a line 'preset: ...'"))
        yield entry
        return
    if said.preset not in presets():
        wanted = f"{one_of(said.preset, presets())} (`podium markets` lists them)"
        raise InputError(Problem(entry.where("preset"), f"unknown preset {said.preset!r}", wanted))
    products = {str(product.name): product for product in presets()[said.preset].products}
    for name in said.only:
        if name not in products:
            value = f"unknown product {name!r} of {said.preset}"
            raise InputError(Problem(entry.where("only"), value, one_of(name, products)))
    chosen = [product for name, product in products.items() if not said.only or name in said.only]
    instead = {name: getattr(said, name) for name in said.model_fields_set - {"preset", "only"}}
    if len(chosen) > 1 and (alone := {"name", "direction"} & instead.keys()):
        value = f"one {min(alone)} for {len(chosen)} products"
        expected = f"'only' with one of {', '.join(repr(product.name) for product in chosen)}"
        raise InputError(Problem(entry.where(min(alone)), value, expected))
    for product in chosen:
        yield _Entry(product.model_copy(update=instead), entry.key, entry.around)


def _refuse_name_again(entry: _Entry, seen: dict[str, str]) -> None:
    """Note a name that another product has, or that means something else in the results."""
    if entry.name in seen:
        entry.around.note(entry.where("name"), f"name {entry.name!r} stands in {seen[entry.name]} too", "unique names")
    if entry.name in RESERVED_NAMES:
        entry.around.note(entry.where("name"), f"name {entry.name!r}", "another name; results use this one")
    if entry.name:
        seen[entry.name] = entry.where("name")


def _product(entry: _Entry) -> ReserveProduct | None:
    """A product on the steps of the horizon; None where it is not sold there (a notice)."""
    said, around = entry.said, entry.around
    problems = [*_missing(entry), *_sizes(entry), *_unknown_kinds(entry), *_two_forms(entry)]
    activation = around.values(
        said.activation_eur_per_mwh, 0.0, entry.where("activation_eur_per_mwh"), "activation_eur_per_mwh"
    )
    if problems:
        raise InputError(problems)
    if said.blocks is not None:
        blocks, availability, maximum = _table_blocks(entry, said.blocks)
    else:
        blocks = _calendar(entry)
        availability = _availability(entry, blocks) if len(blocks) else np.zeros(0)
        maximum = np.full(len(blocks), np.inf if said.maximum_mw is None else said.maximum_mw)
    if not len(blocks):
        return None
    return ReserveProduct(
        entry.name,
        said.direction or "up",
        blocks.of_step,
        availability,
        activation,
        **{name: getattr(said, name) for name in _AS_THEY_ARE},
        maximum_mw=maximum,
    )


_AS_THEY_ARE = ("activated_share", "sustain_hours", "minimum_mw", "increment_mw", "kinds")


def _missing(entry: _Entry) -> Iterator[Problem]:
    """Fields without which there is no product."""
    said = entry.said
    needed: dict[str, Any] = {"name": said.name, "direction": said.direction}
    if said.blocks is None:
        needed[AVAILABILITY] = said.availability_eur_per_mw_h
    if said.activated_share > 0:
        needed["activation_eur_per_mwh"] = said.activation_eur_per_mwh
    for name, value in needed.items():
        if value is None:
            of = f" for {entry.name}" if entry.name else ""
            yield Problem(entry.where(), f"{is_missing(name)}{of}", f"a line '{name}: ...'")


def _two_forms(entry: _Entry) -> Iterator[Problem]:
    """Keys that a table of blocks replaces."""
    if entry.said.blocks is not None:
        for name in _CALENDAR:
            if name in entry.said.model_fields_set:
                yield Problem(entry.where(name), f"{name} beside 'blocks'", "one of the two")


def _sizes(entry: _Entry) -> Iterator[Problem]:
    """Least offer, increment and greatest offer that do not fit each other."""
    said = entry.said
    if said.maximum_mw is None:
        return
    where = entry.where("maximum_mw")
    if said.maximum_mw < said.minimum_mw:
        yield Problem(where, f"maximum_mw {said.maximum_mw:g}", f"at least minimum_mw, {said.minimum_mw:g}")
    if not _multiple(said.maximum_mw, said.increment_mw):
        value = f"maximum_mw {said.maximum_mw:g}"
        yield Problem(where, value, f"a multiple of increment_mw, {said.increment_mw:g}")


def _multiple(of: float, part: float) -> bool:
    return part == 0 or abs(of / part - round(of / part)) < 1e-9


def _unknown_kinds(entry: _Entry) -> Iterator[Problem]:
    for kind in entry.said.kinds:
        if kind not in KINDS:
            yield Problem(entry.where("kinds"), f"unknown kind of device {kind!r}", one_of(kind, KINDS, 20))


def _calendar(entry: _Entry) -> Blocks:
    """Blocks on the local clock, with a notice for what the horizon does not hold."""
    said, around = entry.said, entry.around
    first, last = clock_minutes(said.offered_from), clock_minutes(said.offered_to)
    whole = max(last - first, 1) if said.block_hours is None else 60 * said.block_hours
    where = entry.where("block_hours" if said.block_hours is not None else "offered_from")
    blocks = calendar_blocks(Calendar(first, last, whole, said.weekdays_only), around.horizon, where)
    if len(blocks):
        if blocks.cut:
            around.notices.append(f"{where}: {blocks.cut} blocks of {entry.name} are cut by the horizon and not sold")
        return blocks
    hours = f"{said.offered_from} to {said.offered_to}"
    every_day = calendar_blocks(Calendar(first, last, whole), around.horizon, where) if said.weekdays_only else blocks
    if len(every_day) or (last - first == MINUTES_PER_DAY and said.weekdays_only):
        around.notices.append(f"{where}: {entry.name} is sold from Monday to Friday, which this horizon has not")
        return blocks
    value = f"{entry.name} is sold in blocks of {whole / 60:g} h from {hours}, and none lies in the horizon"
    has = f"{around.horizon.times[0].isoformat(timespec='minutes')} to {pd.Timestamp(around.horizon.end).isoformat()}"
    raise InputError(Problem(where, value, f"a block within {has}"))


def _availability(entry: _Entry, blocks: Blocks) -> Floats:
    """Price of each block: a number, or the row of the table that begins with it. Shape (block,)."""
    given = entry.said.availability_eur_per_mw_h
    if not isinstance(given, FileRef):
        return np.full(len(blocks), 0.0 if given is None else given)
    file = entry.around.open(given, *entry.key, AVAILABILITY)
    column = _column_of_prices(file, entry.name)
    table = file.read([TIME, column])
    clock = entry.around.clock(given)
    starts = _moments(entry, given, table, TIME, series=True)
    prices, problems = read_numbers(table, column, required=True)
    problems += each(_repeated(starts), table.where, f"{TIME} stands twice", "a row per block")
    if problems:
        raise InputError(problems)
    row_of = {int(start): row for row, start in enumerate(starts)}
    lacking = [int(start) for start in blocks.starts if int(start) not in row_of]
    if lacking:
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        value = f"no row for the block of {clock.text(lacking[0])}{more}"
        raise InputError(Problem(file.source, value, f"a row at the start of each block of {entry.name}"))
    return prices[[row_of[int(start)] for start in blocks.starts]]


def _column_of_prices(file: TableFile, product: str) -> str:
    """The column of a product's name, or the one for all products."""
    found = [name for name in (product, PRICE) if name in file.names]
    if TIME not in file.names or not found:
        has = ", ".join(repr(name) for name in file.names)
        raise InputError(Problem(file.header, f"columns {has}", f"{TIME!r}, and {product!r} or {PRICE!r}"))
    return found[0]


def _table_blocks(entry: _Entry, ref: FileRef) -> tuple[Blocks, Floats, Floats]:
    """The blocks of a table: when, availability price and greatest offer."""
    file = entry.around.open(ref, *entry.key, "blocks")
    table = _block_rows(entry, file)
    starts, ends = (_moments(entry, ref, table, name) for name in (START, END))
    availability, problems = read_numbers(table, AVAILABILITY, required=True)
    maximum, found = read_numbers(table, MAXIMUM) if MAXIMUM in file.names else (np.full(len(table), np.nan), [])
    order = np.argsort(starts, kind="stable")
    problems += found + _block_problems(entry, table, starts, ends, order)
    problems += each(np.flatnonzero(maximum < 0), table.where, f"{MAXIMUM} below 0", "a number at least 0")
    if problems:
        raise InputError(problems)
    blocks = on_steps(starts[order], ends[order], entry.around.horizon, table.source)
    maximum[np.isnan(maximum)] = np.inf
    return blocks, availability[order], maximum[order]


def _block_rows(entry: _Entry, file: TableFile) -> Table:
    """The rows of the product."""
    needed = [START, END, AVAILABILITY]
    known = [PRODUCT, *needed, MAXIMUM]
    problems = [
        Problem(file.header, f"unknown column {name!r}", one_of(name, known))
        for name in file.names
        if name not in known
    ]
    problems += [
        Problem(file.header, f"column {is_missing(name)}", "a value in each row")
        for name in needed
        if name not in file.names
    ]
    if problems:
        raise InputError(problems)
    table = file.read(file.names)
    if PRODUCT in file.names:
        names, problems = read_text(table, PRODUCT, required=True)
        if problems:
            raise InputError(problems)
        table = table.take(np.flatnonzero(names == entry.name))
    if not len(table):
        raise InputError(Problem(file.source, f"no row of {entry.name!r}", "a row per block"))
    return table


def _moments(entry: _Entry, ref: FileRef, table: Table, name: str, *, series: bool = False) -> Ints:
    """A column of times without gaps, UTC ns."""
    found = read_moments(table, name, entry.around.clock(ref), series=series)
    if (empty := np.flatnonzero(found == NO_TIME)).size:
        raise InputError(each(empty, table.where, f"{name} is empty", "a time"))
    return found


def _block_problems(entry: _Entry, table: Table, starts: Ints, ends: Ints, order: Ints) -> list[Problem]:
    """Blocks that end before they begin, overlap, or do not lie in the horizon."""
    begin, end, _ = ns_of(entry.around.horizon)
    backwards = np.flatnonzero(ends <= starts)
    outside = np.flatnonzero((starts < begin) | (ends > end))
    overlap = order[1:][starts[order[1:]] < ends[order[:-1]]]
    return [
        *each(backwards, table.where, f"{END} is not after {START}", "a block with a length"),
        *each(outside, table.where, "a block outside the horizon", "blocks wholly in the horizon"),
        *each(overlap, table.where, "a block that begins before the one before it ends", "blocks that do not overlap"),
    ]


def _repeated(starts: Ints) -> Ints:
    return np.flatnonzero(pd.Series(starts).duplicated().to_numpy())
