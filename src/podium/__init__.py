"""Podium: a virtual power plant simulator and optimiser."""

__version__ = "0.1.0"
