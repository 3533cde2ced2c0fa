"""The key `market` of study.yaml: what it becomes, and what a user reads who made a mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from podium.errors import InputError
from podium.study import Study, load_study
from unit.study_folders import one_home, write_files

OWN = """\
market:
  time_unit_minutes: 60
  withdrawal_max_kw: 12.5
  injection_max_kw: sun
  peak_eur_per_kw: 0.4
  headroom_up_kw: 1.5
  groups:
    - {group: north, withdrawal_max_kw: 9}
  reserve:
    - name: evening
      direction: down
      offered_from: 15:00
      offered_to: 21:00
      block_hours: 3
      availability_eur_per_mw_h: 7.5
      activation_eur_per_mwh: household
      activated_share: 0.1
      sustain_hours: 0.5
      minimum_mw: 0.001
      increment_mw: 0.0005
      maximum_mw: 0.01
      kinds: [battery]
  takeover: priority
  priority: [battery-1, ev_charger]
"""


def with_market(market: str, **files: str) -> dict[str, str]:
    """The small study with a market, and files beside it."""
    study = one_home()
    study["study.yaml"] += market
    return study | {name.replace("_csv", ".csv"): text for name, text in files.items()}


def loaded(folder: Path, market: str, **files: str) -> Study:
    return load_study(write_files(folder, with_market(market, **files)))


def problems(folder: Path, market: str, *changes: tuple[str, str, str], **files: str) -> list[str]:
    """What `load_study` says of the small study with a market, after changes (file, old, new)."""
    study = with_market(market, **files)
    for name, old, new in changes:
        assert old in study[name]
        study[name] = study[name].replace(old, new, 1)
    with pytest.raises(InputError) as caught:
        load_study(write_files(folder, study))
    return [str(problem) for problem in caught.value.problems]


def test_every_field_arrives(tmp_path: Path) -> None:
    """Blocks of 3 h from 15:00 to 21:00 are quarter-hours 60 to 71 and 72 to 83; profiles stay out of the portfolio."""
    study = loaded(tmp_path, OWN)
    market = study.market
    assert (market.settlement, market.time_unit_minutes, market.peak_eur_per_kw) == ("market", 60, 0.4)
    assert (market.headroom_up_kw, market.headroom_down_kw, market.headroom_sustain_hours) == (1.5, 0.0, 1.0)
    assert (market.takeover, market.priority) == ("priority", ("battery-1", "ev_charger"))
    (product,) = market.reserves
    assert (product.name, product.direction, product.kinds) == ("evening", "down", ("battery",))
    expected = np.full(96, -1)
    expected[60:72], expected[72:84] = 0, 1
    np.testing.assert_array_equal(product.block, expected)
    np.testing.assert_array_equal(product.availability_eur_per_mw_h, [7.5, 7.5])
    np.testing.assert_array_equal(product.maximum_mw, [0.01, 0.01])
    assert (product.activated_share, product.sustain_hours) == (0.1, 0.5)
    assert (product.minimum_mw, product.increment_mw) == (0.001, 0.0005)
    household = study.portfolio.profiles.values[study.portfolio.profiles.names.index("household")]
    np.testing.assert_array_equal(product.activation_eur_per_mwh, household)
    assert market.limits is not None
    np.testing.assert_array_equal(market.limits.withdrawal_max_kw, np.full(96, 12.5))
    sun = study.portfolio.profiles.values[study.portfolio.profiles.names.index("sun")]
    np.testing.assert_array_equal(market.limits.injection_max_kw, sun)
    (group,) = market.groups
    assert group.name == "north"
    assert (group.limits.withdrawal_max_kw == 9).all()
    assert np.isinf(group.limits.injection_max_kw).all()
