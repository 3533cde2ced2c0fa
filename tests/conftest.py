"""What all tests share: the data beside the repository, and how Hypothesis searches."""

import os
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]

# Gates always try the same examples, so that a failure belongs to the change and not to chance.
settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

mpl.use("Agg")


def _shared_folder() -> Path:
    """Where the reference data lie: in PODIUM_SHARED, else in `shared` beside the repository."""
    return Path(os.environ.get("PODIUM_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference cases and prototypes; a test that needs it is skipped where it is absent."""
    folder = _shared_folder()
    if not (folder / "reference").is_dir():
        pytest.skip(f"no reference data in {folder} (set PODIUM_SHARED to their folder)")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY
