"""What an explanation holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Binding:
    """A limit that holds the plan back at the step."""

    limit: str
    """What it is, in words."""
    value: float
    unit: str
    """Of the limit, "kW" or "kWh"."""
    worth_eur: float | None
    """What one unit more room is worth, EUR; None where it could not be worked out."""


@dataclass(frozen=True)
class Held:
    """Reserve that a device holds ready at the step."""

    product: str
    direction: str
    kw: float
    eur_per_kw: float
    """Price of backing in the step, EUR per kW."""


@dataclass(frozen=True)
class DeviceReason:
    """What a device does at the step, and why."""

    device: str
    kind: str
    power_kw: float
    """+ withdraws, - injects."""
    energy_kwh: float | None
    """At the end of the step; None without a store."""
    value_more_eur_per_kwh: float | None
    """What one kWh more in the store at the end of the step is worth; None where there is no place for it."""
    value_less_eur_per_kwh: float | None
    """What one kWh less would cost; None where there is none to spare."""
    withdraw_below_eur_per_kwh: float | None
    """Withdrawing pays below this price at the meter; None where the device cannot withdraw."""
    inject_above_eur_per_kwh: float | None
    """Injecting, or generating, pays above this price at the meter; None where the device cannot."""
    held: tuple[Held, ...]
    limits: tuple[Binding, ...]
    why: tuple[str, ...]
    """In words."""


@dataclass(frozen=True)
class Explanation:
    """Why a POD does what it does in one step of a plan."""

    pod: str
    group: str
    start: str
    """Start of the step, local time with its offset."""
    time_zone: str
    step_minutes: int
    net_kw: float
    """+ withdraws, - injects."""
    market_buy_eur_per_mwh: float | None
    market_sell_eur_per_mwh: float | None
    coordination_eur_per_kwh: float | None
    """Shadow price of energy for the POD's group; None in a run without one."""
    price_withdrawn_eur_per_kwh: float
    """What one kWh more withdrawn costs at the meter: the coordination price, and the tariff where it is billed."""
    price_injected_eur_per_kwh: float
    """What one kWh more injected earns."""
    devices: tuple[DeviceReason, ...]
    limits: tuple[Binding, ...]
    """Of the portfolio, and of the POD's group."""
    lines: tuple[str, ...]
    """Everything in words."""

    @property
    def text(self) -> str:
        """Everything in words."""
        return "\n".join(self.lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
