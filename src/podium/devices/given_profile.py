"""A plant known only by its profile and a band around it (trigeneration, a monitored BESS)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.device import Broken, Device, DeviceTable, Fraction, NonNegative, ProfileName, broken
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class GivenProfile(Device):
    """Net power `profile` x `scale_kw`, signed in the load convention, kW, with a symmetric band around it.

    The band is `band_kw`, or `band_fraction` of the magnitude of the profile; without either the profile is fixed.
    """

    kind: ClassVar[str] = "given_profile"
    title: ClassVar[str] = "Given profile"

    profile: ProfileName
    scale_kw: NonNegative = 1.0
    band_kw: NonNegative | None = None
    band_fraction: Fraction | None = None

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """One of the two bands at most."""
        both = ~np.isnan(table["band_kw"]) & ~np.isnan(table["band_fraction"])
        yield from broken(table, both, "one of band_kw and band_fraction, not both", "band_kw", "band_fraction")

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """profile - band <= p <= profile + band, no store."""
        power = table.power_kw()
        band = table.filled("band_kw", 0.0)[:, None] + table.filled("band_fraction", 0.0)[:, None] * abs(power)
        limits = {"p_min": power - band, "p_max": power + band, "p_usual": power}
        return FlexStore.of(table.ids, table.pod, horizon.steps, has_store=False, **limits)
