"""The kinds of devices. Adding one is a file here, a line below, a maths page and a test (docs/adding-a-device.md)."""

from podium.devices.battery import Battery
from podium.devices.chp import Chp
from podium.devices.curtailable_load import CurtailableLoad
from podium.devices.device import Device, DeviceTable
from podium.devices.ev_charger import EvCharger
from podium.devices.fixed_load import FixedLoad
from podium.devices.given_profile import GivenProfile
from podium.devices.heat_pump import HeatPump
from podium.devices.pv import Pv
from podium.devices.shiftable_load import ShiftableLoad
from podium.devices.wind import Wind

_ALL: tuple[type[Device], ...] = (
    FixedLoad,
    CurtailableLoad,
    ShiftableLoad,
    Pv,
    Wind,
    Chp,
    Battery,
    EvCharger,
    HeatPump,
    GivenProfile,
)
KINDS: dict[str, type[Device]] = {kind.kind: kind for kind in _ALL}

__all__ = [
    "KINDS",
    "Battery",
    "Chp",
    "CurtailableLoad",
    "Device",
    "DeviceTable",
    "EvCharger",
    "FixedLoad",
    "GivenProfile",
    "HeatPump",
    "Pv",
    "ShiftableLoad",
    "Wind",
]
