"""The time axis on days of 23, 24 and 25 hours."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from one_pod import at
from podium.errors import InputError
from podium.horizon import Horizon


@pytest.mark.parametrize(("day", "steps"), [("2018-03-25", 92), ("2018-10-28", 100), ("2018-05-14", 96)])
def test_a_local_day_has_its_quarter_hours(day: str, steps: int) -> None:
    """From local midnight to local midnight, labelled by the start of each step."""
    horizon = Horizon.days(day, 1, 15, "Europe/Rome")
    assert horizon.steps == len(horizon.times) == steps
    assert horizon.times[0].isoformat().startswith(f"{day}T00:00")
    assert (horizon.end.date() - date.fromisoformat(day)).days == 1
    assert (horizon.end.hour, horizon.end.minute) == (0, 0)
    assert (np.diff(horizon.times.asi8) == 15 * 60 * 10**9).all()


def test_days_and_clock_follow_the_local_zone() -> None:
    """In spring 02:00 to 03:00 is missing; the second day starts at step 23."""
    horizon = Horizon.days("2018-03-25", 2, 60, "Europe/Rome")
    assert horizon.day.tolist() == [0] * 23 + [1] * 24
    assert np.flatnonzero(horizon.day_starts).tolist() == [0, 23]
    assert horizon.minute_of_day[:4].tolist() == [0, 60, 180, 240]


def test_days_are_counted_from_the_middle_of_one() -> None:
    """22:30 to 01:30 in half-hours: three steps of one day, three of the next; in London all but one of one day."""
    rome = Horizon(at("2018-05-14 22:30"), 30, 6, "Europe/Rome")
    london = Horizon(at("2018-05-14 22:30"), 30, 6, "Europe/London")
    assert rome.day.tolist() == [0, 0, 0, 1, 1, 1]
    assert london.day.tolist() == [0, 0, 0, 0, 0, 1]
    assert rome.day_starts.tolist() == [True, False, False, True, False, False]


def test_daily_windows_may_pass_midnight() -> None:
    """23:00 to 00:30, 23:00 to 24:00, and a window that is empty of these steps."""
    horizon = Horizon(at("2018-05-14 22:30"), 30, 6, "Europe/Rome")
    first, last = np.array([23 * 60, 23 * 60, 5 * 60]), np.array([30, 24 * 60, 6 * 60])
    assert horizon.within(first, last).astype(int).tolist() == [[0, 1, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0], [0] * 6]


def test_moments_of_any_zone_have_a_place() -> None:
    """In steps from the start, before it and after it too."""
    horizon = Horizon(at("2018-10-28 01:30"), 15, 8, "Europe/Rome")
    moments = pd.to_datetime(["2018-10-27T23:15Z", "2018-10-28T02:00+02:00", "2018-10-28T02:10+01:00"], utc=True)
    assert horizon.index_of(moments).tolist() == pytest.approx([-1.0, 2.0, 6 + 2 / 3])


def test_step_hours() -> None:
    """Five minutes are a twelfth of an hour."""
    assert Horizon(datetime(2018, 5, 14, tzinfo=UTC), 5, 3, "UTC").step_hours == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    ("start", "minutes", "steps", "zone", "said"),
    [
        (datetime(2018, 5, 14), 15, 4, "Europe/Rome", "has no time zone"),  # noqa: DTZ001
        (at("2018-05-14"), 7, 4, "Europe/Rome", "step_minutes 7"),
        (at("2018-05-14"), 0, 4, "Europe/Rome", "step_minutes 0"),
        (at("2018-05-14"), 120, 4, "Europe/Rome", "step_minutes 120"),
        (at("2018-05-14"), 15, 0, "Europe/Rome", "0 steps"),
        (at("2018-05-14"), 15, 4, "Europe/Roma", "'Europe/Roma'; expected an IANA name"),
        (at("2018-05-14"), 15, 4, "", "IANA"),
    ],
)
def test_what_cannot_be_an_axis_is_refused(start: datetime, minutes: int, steps: int, zone: str, said: str) -> None:
    """The message gives the value and what was expected."""
    with pytest.raises(InputError, match=said):
        Horizon(start, minutes, steps, zone)
