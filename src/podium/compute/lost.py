"""What is raised where work is lost for good."""

from __future__ import annotations

from podium.errors import PodiumError

#: A part that is under way in so many workers that die, one after the other, is given up.
LOSSES_MAX = 3


class WorkerLostError(PodiumError):
    """A worker process died (killed, or out of memory), and doing its work again did not help."""


class ClusterLostError(PodiumError):
    """The scheduler of a Dask cluster cannot be reached, or is gone."""
