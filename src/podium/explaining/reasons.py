"""Why one device does what it does: the value of its store against the price, and the limits that hold it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.explaining.explanation import Binding, DeviceReason, Held
from podium.explaining.record import DIRECTIONS, Record
from podium.explaining.worth import LITTLE, Change, PodModel
from podium.report.text import fixed

#: Less than this, kW or kWh, is rest, or at a limit.
NEAR = 1e-5
#: Prices closer than this, EUR/kWh, are the same.
SAME_PRICE = 5e-4
#: Reserve or room worth less than this, EUR, explains nothing.
LEAST_EUR = 5e-6


@dataclass(frozen=True)
class Price:
    """Price of energy at the meter in a step, EUR/kWh."""

    withdrawn: float
    injected: float


def price_at(model: PodModel, step: int, net_kw: float) -> Price:
    """What one kWh more, or less, costs at the meter: one of the two where the POD withdraws, or injects, anyway."""
    buy, sell = float(model.priced.buy[0, step]), float(model.priced.sell[0, step])
    if net_kw > NEAR:
        return Price(buy, buy)
    return Price(sell, sell) if net_kw < -NEAR else Price(buy, sell)


def reason_of(record: Record, model: PodModel, name: str, price: Price) -> DeviceReason:
    """Why a device does what it does at the step of a record."""
    device = int(np.flatnonzero(model.store.ids.astype(str) == name)[0])
    held = _held(record, name)
    stored = bool(model.store.has_store[device])
    more = model.value(device, record.step, 1.0) if stored else None
    less = model.value(device, record.step, -1.0) if stored else None
    below, above = _thresholds(model, device, record.step, more, less)
    limits = _limits(record, model, device, name, held)
    power = float(record.power_kw[name][record.step])
    energy = float(record.energy_kwh[name][record.step])
    reason = DeviceReason(
        name, record.kinds[name], power, energy if np.isfinite(energy) else None, more, less, below, above, held,
        limits, (),
    )  # fmt: skip
    return DeviceReason(**{**vars(reason), "why": tuple(_words(reason, model, device, record.step, price))})


def _held(record: Record, name: str) -> tuple[Held, ...]:
    if not len(record.backing) or record.signal is None:
        return ()
    names = [product.name for product in record.products]
    found = []
    for row in record.backing[record.backing["device"] == name].itertuples():
        side = DIRECTIONS.index(str(row.direction))
        products = [k for k, known in enumerate(names) if known == row.product and record.products[k].sides[side]]
        price = float(record.signal.reserve[0, products[0], side, record.step])
        found.append(Held(str(row.product), str(row.direction), float(str(row.backed_kw)), price))
    return tuple(found)


def _thresholds(
    model: PodModel, device: int, step: int, more: float | None, less: float | None
) -> tuple[float | None, float | None]:
    """Prices at the meter below which withdrawing, and above which injecting pays, EUR/kWh."""
    column = {
        name: float(model.store.full(name)[device, step])
        for name in ("p_min", "p_max", "k_plus", "k_minus", "cost_plus", "cost_minus")
    }
    if column["p_max"] - column["p_min"] <= NEAR:
        return None, None
    below = above = None
    if column["p_max"] > NEAR:
        below = _stored_eur(column["k_plus"], more, less) - column["cost_plus"]
    if column["p_min"] < -NEAR:
        above = _stored_eur(column["k_minus"], less, more) + column["cost_minus"]
    return below, above


def _stored_eur(factor: float, value: float | None, other: float | None) -> float:
    """What a kWh at the meter does to the store, EUR: the other side's value where it moves the store the other way."""
    chosen = value if factor >= 0 else other
    chosen = other if chosen is None else chosen
    return factor * (chosen or 0.0)


def _limits(record: Record, model: PodModel, device: int, name: str, held: tuple[Held, ...]) -> tuple[Binding, ...]:
    """The device's limits that it stands at, with what more room is worth."""
    store, step = model.store, record.step
    at = {c: float(store.full(c)[device, step]) for c in ("p_min", "p_max", "e_min", "e_floor", "e_max", "e_target")}
    power, energy = float(record.power_kw[name][step]), float(record.energy_kwh[name][step])
    up, down = (sum(each.kw for each in held if each.direction == direction) for direction in DIRECTIONS)
    found = []
    if at["p_max"] - at["p_min"] > NEAR:
        if power + down >= at["p_max"] - NEAR:
            found.append(
                _binding(
                    model,
                    _power_words(at["p_max"], most=True, held_kw=down),
                    at["p_max"],
                    "kW",
                    Change("p_max", device, step),
                )
            )
        if power - up <= at["p_min"] + NEAR:
            change = Change("p_min", device, step, -LITTLE)
            found.append(_binding(model, _power_words(at["p_min"], most=False, held_kw=up), at["p_min"], "kW", change))
    if not np.isfinite(energy) or at["e_max"] - at["e_floor"] <= NEAR:
        return tuple(found)
    if energy >= at["e_max"] - NEAR:
        found.append(_binding(model, "greatest energy", at["e_max"], "kWh", Change("e_max", device, step)))
    if energy <= at["e_min"] + NEAR:
        changes = [Change(c, device, step, -LITTLE) for c in ("e_min", "e_floor") if at[c] == at["e_min"]]
        words = "energy wanted at the end of the horizon" if at["e_floor"] < at["e_min"] else "least energy"
        found.append(_binding(model, words, at["e_min"], "kWh", *changes))
    if store.full("shortfall_cost")[device, step] > 0 and energy <= at["e_target"] + NEAR:
        change = Change("e_target", device, step, -LITTLE)
        found.append(_binding(model, "energy wanted at the end of the step", at["e_target"], "kWh", change))
    return tuple(found)


def _power_words(limit_kw: float, *, most: bool, held_kw: float) -> str:
    """What a limit on signed power is called.

    >>> _power_words(-2.0, most=False, held_kw=0.0), _power_words(0.0, most=True, held_kw=0.5)
    ('greatest injection', 'no withdrawal, with the reserve held')
    """
    way = "withdrawal" if limit_kw > 0 or (limit_kw == 0 and most) else "injection"
    size = "no" if limit_kw == 0 else "greatest" if most == (limit_kw > 0) else "least"
    return f"{size} {way}{', with the reserve held' if held_kw > NEAR else ''}"


def _binding(model: PodModel, words: str, value: float, unit: str, *changes: Change) -> Binding:
    return Binding(words, value, unit, model.worth(*changes))


def connection_limits(record: Record, model: PodModel, net_kw: float) -> tuple[Binding, ...]:
    """The POD's connection where net power, with all reserve called, comes up against it."""
    called = dict.fromkeys(DIRECTIONS, 0.0)
    for row in record.backing.itertuples():
        called[str(row.direction)] += float(str(row.backed_kw))
    found = []
    for column, words, reached in (
        ("withdrawal_max", "greatest withdrawal of the POD", net_kw + called["down"]),
        ("injection_max", "greatest injection of the POD", called["up"] - net_kw),
    ):
        most = float(getattr(model.meter, column)[0])
        if reached >= most - NEAR:
            found.append(_binding(model, f"{words} (in all steps)", most, "kW", Change(column, 0, record.step)))
    return tuple(found)


def _words(reason: DeviceReason, model: PodModel, device: int, step: int, price: Price) -> list[str]:
    """Sentences on a device: its store's value, the rule that follows, and whether it explains the set point."""
    store = model.store
    if float(store.full("p_max")[device, step] - store.full("p_min")[device, step]) <= NEAR:
        return ["It has no choice in this step: its power is given."]
    lines = [_value_words(reason)] if reason.energy_kwh is not None else []
    lines.append(_rule_words(reason))
    lines.append(_verdict(reason, price, at_limit=_full(store.full("p_max")[device, step], reason)))
    if store.on_off[device] or store.memory[device]:
        lines.append("It is on or off, or limited in ramp or cycles; values here are those of running in part.")
    return lines


def _full(most: float, reason: DeviceReason) -> bool:
    return reason.power_kw >= most - NEAR


def _value_words(reason: DeviceReason) -> str:
    more, less = reason.value_more_eur_per_kwh, reason.value_less_eur_per_kwh
    if more is None and less is None:
        return "Its store leaves no choice in this step, neither more nor less energy."
    if more is None:
        return f"Its store has no place for more energy; 1 kWh less would cost {_eur(less)}."
    if less is None:
        return f"1 kWh more in its store at the end of the step is worth {_eur(more)}; there is none to spare."
    if abs(more - less) < SAME_PRICE:
        return f"Stored energy is worth {fixed(more, 4)} EUR/kWh at the end of the step."
    return f"1 kWh more in its store at the end of the step is worth {_eur(more)}, 1 kWh less would cost {_eur(less)}."


def _rule_words(reason: DeviceReason) -> str:
    parts = []
    if reason.withdraw_below_eur_per_kwh is not None:
        parts.append(f"withdrawing pays below {_price(reason.withdraw_below_eur_per_kwh)}")
    if reason.inject_above_eur_per_kwh is not None:
        parts.append(f"injecting pays above {_price(reason.inject_above_eur_per_kwh)}")
    return f"So {' and '.join(parts)} at the meter, losses and wear included."


def _verdict(reason: DeviceReason, price: Price, *, at_limit: bool) -> str:
    """Whether the price alone explains what it does, and what else may."""
    below, above = reason.withdraw_below_eur_per_kwh, reason.inject_above_eur_per_kwh
    now = _now(price)
    if reason.power_kw > NEAR:
        if below is not None and price.injected <= below + SAME_PRICE:
            rule = "at" if abs(price.withdrawn - below) < SAME_PRICE else "below"
            return f"It withdraws: {now} is {rule} that{', so it takes all it can' if at_limit else ''}."
        return f"It withdraws although {now} is above that: {_else(reason)}."
    if reason.power_kw < -NEAR:
        if above is not None and price.withdrawn >= above - SAME_PRICE:
            rule = "at" if abs(price.injected - above) < SAME_PRICE else "above"
            return f"It injects: {now} is {rule} that."
        return f"It injects although {now} is below that: {_else(reason)}."
    tempted = (below is not None and price.withdrawn < below - SAME_PRICE) or (
        above is not None and price.injected > above + SAME_PRICE
    )
    return f"It rests although {now} calls for more: {_else(reason)}." if tempted else f"It rests: {now} is neither."


def _else(reason: DeviceReason) -> str:
    if any(held.eur_per_kw > LEAST_EUR for held in reason.held):
        return "the reserve that it holds ready pays for that"
    if any(limit.worth_eur is None or limit.worth_eur > LEAST_EUR for limit in reason.limits):
        return "a limit holds it (below)"
    if reason.held:
        return (
            "the reserve that it holds ready has no price in this step, so the plan mixes several answers of the POD, "
            "or moved it within the gap so that all offers are backed"
        )
    return "a connection, a peak charge, or being on or off decides, or the plan mixes answers that are equally good"


def _now(price: Price) -> str:
    if price.withdrawn == price.injected:
        return f"the price of {_price(price.withdrawn)}"
    return f"the price of {_price(price.injected)} (injecting) to {_price(price.withdrawn)} (withdrawing)"


def _eur(value: float | None) -> str:
    return f"{fixed(value, 4)} EUR"


def _price(value: float) -> str:
    return f"{fixed(value, 4)} EUR/kWh"
