"""Wind generation."""

from __future__ import annotations

from typing import ClassVar

from podium.devices.pv import Pv


class Wind(Pv):
    """Wind plant: `profile` x `scale_kw` is what the wind gives, kW; the same freedom as PV."""

    kind: ClassVar[str] = "wind"
    title: ClassVar[str] = "Wind"
