"""Profiles that many devices share."""

import numpy as np
import pytest

from podium.errors import InputError
from podium.profiles import Profiles

SHARED = Profiles.of({"home": [0.5, 1.5], "sun": [0.0, 2.0], "idle": [0.0, 0.0]}, 2)


def test_rows_are_scaled_without_copies_of_the_profiles() -> None:
    """Row 0 twice with its own scale, row 1 once, and no profile at all (-1)."""
    found = SHARED.scaled(np.array([0, 1, 0, -1]), np.array([2.0, 3.0, 0.1, 9.0]))
    assert found == pytest.approx(np.array([[1.0, 3.0], [0.0, 6.0], [0.05, 0.15], [0.0, 0.0]]))
    assert SHARED.values[0].tolist() == [0.5, 1.5]


def test_names_become_rows() -> None:
    """In the order asked for; a name that is missing is named, with those there are."""
    assert SHARED.rows(["sun", "home", "sun"]).tolist() == [1, 0, 1]
    with pytest.raises(InputError, match=r"profile: no profile 'son'; expected one of 'home', 'idle', 'sun'"):
        SHARED.rows(["sun", "son"])


def test_a_part_keeps_its_order() -> None:
    """Rows 2 and 0."""
    part = SHARED.take(np.array([2, 0]))
    assert part.names == ("idle", "home")
    assert part.values.tolist() == [[0.0, 0.0], [0.5, 1.5]]


def test_no_profiles() -> None:
    """Zeros for whoever asks for none."""
    empty = Profiles.of({}, 3)
    assert empty.values.shape == (0, 3)
    assert empty.scaled(np.array([-1]), np.array([2.0])).tolist() == [[0.0, 0.0, 0.0]]


def test_every_profile_covers_the_horizon() -> None:
    """Two values are not three."""
    with pytest.raises(InputError, match=r"profile 'home': shape \(2,\); expected 3 values"):
        Profiles.of({"home": [1.0, 2.0]}, 3)
