"""Where work runs: in this process, in several, or on a Dask cluster.

Work comes in parts that do not depend on each other or on the number of workers, so results do not either. `each`
sends parts out and forgets them; a `Team` leaves them with the workers, to be asked again and again.
"""

from podium.compute.fingerprint import fingerprint
from podium.compute.kept import Kept, KeptFiles
from podium.compute.lost import ClusterLostError, WorkerLostError
from podium.compute.parts import Progress, each, silent
from podium.compute.team import Team, team_of
from podium.compute.where import Where, Workers, available_workers

__all__ = [
    "ClusterLostError",
    "Kept",
    "KeptFiles",
    "Progress",
    "Team",
    "Where",
    "WorkerLostError",
    "Workers",
    "available_workers",
    "each",
    "fingerprint",
    "silent",
    "team_of",
]
