"""A reserve market on the page of step 1: the few keys of it that have fields, and those that are kept as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.errors import Problem
from podium.study.market_schema import ReserveKeys
from podium.study.presets import Preset, presets

FIELDS = (
    "availability_eur_per_mw_h",
    "sustain_hours",
    "activation_eur_per_mwh",
    "activated_share",
    "minimum_mw",
    "increment_mw",
)
"""Keys of study.yaml that have a field."""
#: Key -> what is expected in its field where a product needs it.
_EXPECTED = {
    "availability_eur_per_mw_h": "a price, EUR/MW/h; the preset has none",
    "activation_eur_per_mwh": "what calls earn, EUR/MWh",
    "activated_share": "the share of the offer that is called, %",
}


@dataclass
class Reserve:
    """An entry of the key `reserve`. Numbers are None where a field is empty: what is kept, or the preset's, counts."""

    availability_eur_per_mw_h: float | None = None
    sustain_hours: float | None = None
    activation_eur_per_mwh: float | None = None
    activated_share: float | None = None
    minimum_mw: float | None = None
    increment_mw: float | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """All other keys: `preset`, and those that the page does not show."""

    @property
    def preset(self) -> Preset | None:
        """The rules that it starts from."""
        return presets().get(str(self.kept.get("preset")))

    @property
    def activated_percent(self) -> float | None:
        """The share that is called as its field shows it, %."""
        return None if self.activated_share is None else round(self.activated_share * 100, 6)

    @activated_percent.setter
    def activated_percent(self, percent: float | None) -> None:
        self.activated_share = None if percent is None else percent / 100

    @property
    def title(self) -> str:
        """What it is called: by its preset, and the products that are meant of it, else by its own name."""
        named = [self.kept.get("preset"), *self.kept.get("only", ()), self.kept.get("name")]
        return " · ".join(str(name) for name in named if name) or "Reserve"

    @property
    def unseen(self) -> list[str]:
        """Keys that are kept without being shown."""
        return [key for key in self.kept if key not in ("preset", "only", "name")]

    def keys(self) -> dict[str, Any]:
        """The entry as study.yaml has it."""
        said = {name: getattr(self, name) for name in FIELDS}
        return self.kept | {name: value for name, value in said.items() if value is not None}

    def products(self) -> list[ReserveKeys]:
        """The preset's products that are meant; none without a preset."""
        known = {} if self.preset is None else self.preset.products
        return [known[name] for name in self.kept.get("only", known) if name in known]

    def problems(self, where: str) -> Iterator[Problem]:
        """What its keys alone do not tell: a product of the preset lacks a price, or what is called of it."""
        said = self.keys()
        lacking = {key for product in self.products() for key in product.model_copy(update=said).missing()}
        for key, expected in _EXPECTED.items():
            if key in lacking:
                yield Problem(f"{where}.{key}", "empty", expected)


def reserve_of(keys: Mapping[str, Any]) -> Reserve:
    """An entry as it was kept; where a key with a field holds a table, it stays what it is."""
    shown = {name: float(keys[name]) for name in FIELDS if isinstance(keys.get(name), int | float)}
    return Reserve(**shown, kept={key: value for key, value in keys.items() if key not in shown})
