"""Figures for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest

MEDIA_TYPE = CONTENT_TYPE_LATEST
STATES = ("queued", "running", "done", "failed", "cancelled")


class Metrics:
    """Requests by route, and runs by state."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "podium_request_seconds",
            "Time to the first byte of an answer",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._runs = Gauge("podium_runs", "Runs by state", ("state",), registry=self._registry)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def text(self, runs: Mapping[str, int]) -> bytes:
        """All figures."""
        for state in STATES:
            self._runs.labels(state).set(runs.get(state, 0))
        return bytes(generate_latest(self._registry))
