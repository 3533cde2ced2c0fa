"""Photovoltaic generation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.device import (
    Broken,
    Device,
    DeviceTable,
    Flag,
    NonNegative,
    ProfileName,
    negative_profile,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class Pv(Device):
    """PV plant: `profile` x `scale_kw` is what the sun gives, kW; it may be curtailed unless `curtailable` is false."""

    kind: ClassVar[str] = "pv"
    title: ClassVar[str] = "PV"

    profile: ProfileName
    scale_kw: NonNegative = 1.0
    curtailable: Flag = True

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """The profile is a magnitude."""
        yield from negative_profile(table)

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """-available <= p <= 0, no store; p = -available where it cannot be curtailed."""
        available = table.power_kw()
        least_use = np.where(table["curtailable"][:, None], 0.0, -available)
        limits = {"p_min": -available, "p_max": least_use, "p_usual": -available}
        return FlexStore.of(table.ids, table.pod, horizon.steps, has_store=False, **limits)
