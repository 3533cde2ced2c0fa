"""A load that takes what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from podium.devices.device import Broken, Device, DeviceTable, NonNegative, ProfileName, negative_profile
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class FixedLoad(Device):
    """Inflexible consumption: `profile` x `scale_kw`, kW."""

    kind: ClassVar[str] = "fixed_load"
    title: ClassVar[str] = "Fixed load"

    profile: ProfileName
    scale_kw: NonNegative = 1.0

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """The profile is a magnitude."""
        yield from negative_profile(table)

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """p_min = p_max = load, no store (docs/maths/store.md)."""
        load = table.power_kw()
        return FlexStore.of(table.ids, table.pod, horizon.steps, has_store=False, p_min=load, p_max=load)
