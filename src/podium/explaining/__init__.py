"""Why a device does what it does at a step, from the study and the files of a run (docs/explain.md)."""

from podium.explaining.explain import explain
from podium.explaining.explanation import Binding, DeviceReason, Explanation, Held

__all__ = ["Binding", "DeviceReason", "Explanation", "Held", "explain"]
