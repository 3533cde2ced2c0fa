"""Generation from sun and wind."""

from __future__ import annotations

import numpy as np

from podium.checking.limits import Limits, column
from podium.devices.device import DeviceTable
from podium.horizon import Horizon


def renewable(table: DeviceTable, horizon: Horizon) -> Limits:  # noqa: ARG001
    """PV and wind inject what is available, or less where that may be curtailed; they never withdraw."""
    available = table.power_kw()
    return Limits(
        table.ids,
        table.pod,
        -available,
        np.where(column(table["curtailable"]) > 0, 0.0, -available),
        above="its net power is {net:.9g} kW, but at most {net_limit:.9g} kW is allowed: it cannot withdraw, and "
        "generates all that is available unless it may be curtailed",
        below="generates {power:.9g} kW, more than the {limit:.9g} kW available",
    )
