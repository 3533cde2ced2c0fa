"""What is raised where work is lost for good."""

from __future__ import annotations

from podium.errors import PodiumError


class WorkerLostError(PodiumError):
    """A worker process died (killed, or out of memory), and doing its work again did not help."""


class ClusterLostError(PodiumError):
    """The scheduler of a Dask cluster cannot be reached, or is gone."""
