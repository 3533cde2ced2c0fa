"""Work that was ended in its midst goes on where it was, with the result of work in one go."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from one_pod import half_hours
from podium import engine
from podium.compute import KeptFiles, Where, kept
from podium.compute.fingerprint import fingerprint
from podium.devices import Battery, FixedLoad
from podium.flex.exclusive import Limits
from podium.local import batch, optimise_local
from podium.market.prices import EnergyPrices
from podium.portfolio import Pod, Portfolio
from podium.study import Options, Study, load_study
from podium.study.examples import EXAMPLES, write_example

HORIZON = half_hours(6)
PODS, FAILING = 150, 70
#: Clocks are those of whoever computed.
CLOCKS = ("seconds", "min_seconds", "max_seconds", "cpu_seconds")


def portfolio(scale: float = 1.0) -> Portfolio:
    """150 PODs, so three parts; the one in row 70, of the second part, cannot keep its connection."""
    pods = [
        Pod(
            pod=f"home-{n}",
            buy_eur_per_kwh=0.3,
            sell_eur_per_kwh=0.1,
            withdrawal_max_kw=0.5 if n == FAILING else None,
            devices=[
                FixedLoad(device=f"load-{n}", profile="load", scale_kw=scale * (1 + n / 100)),
                Battery(device=f"b-{n}", charge_max_kw=2, discharge_max_kw=2, energy_max_kwh=5, energy_initial_kwh=1),
            ]
            if n != FAILING
            else [FixedLoad(device=f"load-{n}", profile="load", scale_kw=1)],
        )
        for n in range(PODS)
    ]
    return Portfolio.of(pods, HORIZON, {"load": np.array([1.0, 2.0, 1.5, 0.5, 3.0, 1.0])})


class Watch:
    """A folder of what is kept, and what was found in it."""

    def __init__(self, folder: Path) -> None:
        self.found: list[tuple[str, list[int], int]] = []
        self.files = KeptFiles(folder, self._told, pause_seconds=0)

    def _told(self, phase: str, numbers: Sequence[int], count: int) -> None:
        self.found.append((phase, list(numbers), count))


class EndedError(Exception):
    """Stands for kill -9."""


def ended_behind(folder: Path, parts: int, **given: Any) -> None:
    """Level 1 that is ended once some parts were kept."""

    class Ending(KeptFiles):
        left = parts

        def keep(self, phase: str, key: str, done: Any) -> None:
            super().keep(phase, key, done)
            self.left -= 1
            if not self.left:
                raise EndedError

    with pytest.raises(EndedError):
        optimise_local(portfolio(), workers=1, kept=Ending(folder, pause_seconds=0), **given)


def same(ours: Any, theirs: Any) -> bool:
    """Equal to the bit, clocks apart."""
    if isinstance(ours, np.ndarray):
        return np.array_equal(ours, theirs, equal_nan=ours.dtype != object)
    if is_dataclass(ours):
        names = [field.name for field in fields(ours) if field.name not in CLOCKS]
        return all(same(getattr(ours, name), getattr(theirs, name)) for name in names)
    return bool(ours == theirs)


@pytest.mark.parametrize("where", [Where.serial(), Where.processes(2)])
def test_level_1_goes_on_where_it_was_ended(tmp_path: Path, where: Where) -> None:
    """Two of three parts are there and not computed again; the result is that of one go, the failed POD in its place.

    PODs that are there count as done at once.
    """
    ended_behind(tmp_path, 2)
    watch, told = Watch(tmp_path), []
    found = optimise_local(portfolio(), workers=where, kept=watch.files, progress=told.append)
    assert watch.found == [("level 1", [0, 1], 3)]
    assert told == [128, 22]
    assert same(found, optimise_local(portfolio(), workers=1))
    assert [failure.pod for failure in found.baseline.failures] == [f"home-{FAILING}"]
    assert np.isnan(found.baseline.schedule.p[2 * FAILING]).all()
    again = Watch(tmp_path)
    optimise_local(portfolio(), workers=1, kept=again.files)
    assert again.found == [("level 1", [0, 1, 2], 3)]


def test_kept_parts_are_not_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver is called for the third part alone."""
    ended_behind(tmp_path, 2)
    solved: list[int] = []
    solve = batch._local_part

    def counting(part: Portfolio, **given: Any) -> Any:
        solved.append(len(part))
        return solve(part, **given)

    monkeypatch.setattr(batch, "_local_part", counting)
    optimise_local(portfolio(), workers=1, kept=KeptFiles(tmp_path, pause_seconds=0))
    assert solved == [22]


@pytest.mark.parametrize(
    "other",
    [
        {"sustain_hours": 0.5},
        {"limits": Limits(mip_gap=1e-3)},
        {"market_eur_per_kwh": np.full(6, 0.2)},
        {"portfolio": portfolio(1.5)},
    ],
)
def test_what_belongs_to_something_else_is_not_used(tmp_path: Path, other: dict[str, Any]) -> None:
    """Other options, other prices, another study: nothing is found, and the result is the right one."""
    ended_behind(tmp_path, 2)
    watch = Watch(tmp_path)
    given = {"portfolio": portfolio(), **other}
    found = optimise_local(**given, workers=1, kept=watch.files)
    assert watch.found == []
    assert same(found, optimise_local(**given, workers=1))


def test_what_another_version_kept_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_behind(tmp_path, 2)
    monkeypatch.setattr(batch, "__version__", "another")
    watch = Watch(tmp_path)
    optimise_local(portfolio(), workers=1, kept=watch.files)
    assert watch.found == []


def test_damaged_files_count_for_nothing(tmp_path: Path) -> None:
    """Half of a file, one with a changed byte, an empty one, and one that was never finished: all are passed over."""
    ended_behind(tmp_path, 3)
    first, second, third = sorted(tmp_path.glob("*.kept"))
    whole = third.read_bytes()
    (tmp_path / ".level-1-0123456789abcdef").write_bytes(whole)
    first.write_bytes(first.read_bytes()[:-100])
    second.write_bytes(b"")
    third.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    watch = Watch(tmp_path)
    assert same(optimise_local(portfolio(), workers=1, kept=watch.files), optimise_local(portfolio(), workers=1))
    assert watch.found == []


def test_a_file_of_code_that_is_gone_counts_for_nothing(tmp_path: Path) -> None:
    """A pickle that is whole and names what this version does not have."""
    path = tmp_path / "level-1-x.kept"
    for packed, content in ((pickle.dumps({"key": 1}), {"key": 1}), (b"cpodium.nowhere\nThing\n.", {})):
        path.write_bytes(sha256(packed).digest() + packed)
        assert kept._read(path) == content


def test_short_work_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done within the pause is not worth a file; then one file takes all that came in since the last."""
    folder = tmp_path / "kept"
    optimise_local(portfolio(), workers=1, kept=KeptFiles(folder, pause_seconds=3600))
    assert not folder.exists()
    now = [0.0]
    monkeypatch.setattr(kept, "time", SimpleNamespace(monotonic=lambda: now[0]))
    files = KeptFiles(folder, pause_seconds=0.2)
    for number in range(3):
        files.keep("level 1", f"key {number}", number)
        now[0] += 0.15
    assert len(list(folder.iterdir())) == 1
    assert KeptFiles(folder).known("level 1", ["key 2", "key 1", "other"]) == {0: 2, 1: 1}


def study() -> Study:
    prices = EnergyPrices.single(np.array([40.0, 60.0, -10.0, 20.0, 90.0, 50.0]))
    return Study("study", portfolio(), prices, Options(method="exact"))


def test_phases_behind_level_1_are_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is ended in the check has its plan, bids and promise; the next gives the files of one in one go."""

    def fail(*_: object) -> None:
        raise EndedError

    with monkeypatch.context() as patch:
        patch.setattr(engine, "_checked", fail)
        with pytest.raises(EndedError):
            engine.run(study(), workers=1, kept=KeptFiles(tmp_path, pause_seconds=0))
    watch, phases = Watch(tmp_path), []

    def phase(name: str) -> Any:
        phases.append(name)
        return lambda _: None

    with monkeypatch.context() as patch:
        patch.setattr(engine, "optimise_portfolio", fail)
        patch.setattr(engine, "bids_of", fail)
        found = engine.run(study(), workers=1, kept=watch.files, phase=phase)
    assert watch.found == [(name, [0, 1, 2] if name == "level 1" else [0], 3 if name == "level 1" else 1)
                           for name in ("level 1", "level 2", "bids", "reference promise")]  # fmt: skip
    assert phases == list(engine.PHASES[:5])
    whole = engine.run(study(), workers=1)
    assert found.plan is not None
    assert whole.plan is not None
    assert same(found.plan.pod_kw, whole.plan.pod_kw)
    assert found.plan.certificate is not None
    assert found.plan.certificate.gap == whole.plan.certificate.gap  # type: ignore[union-attr]
    other = replace(study(), prices=EnergyPrices.single(np.full(6, 30.0)))
    elsewhere = Watch(tmp_path)
    engine.run(other, workers=1, kept=elsewhere.files)
    assert elsewhere.found == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_study_has_a_fingerprint(tmp_path: Path, example: str) -> None:
    """The same when read twice, also after things were worked out; another with one number changed."""
    folder = write_example(example, tmp_path / "study")
    first, second = load_study(folder), load_study(folder)
    facts = [(s.portfolio, s.prices, s.market, s.options) for s in (first, second)]
    second.portfolio.store()
    assert second.horizon.day is not None
    assert fingerprint(*facts[0]) == fingerprint(*facts[1])
    columns = dict(first.portfolio.columns)
    columns["peak_eur_per_kw"] = columns["peak_eur_per_kw"] + 1e-12
    assert fingerprint(replace(first.portfolio, columns=columns)) != fingerprint(first.portfolio)


def test_fingerprints_tell_things_apart() -> None:
    """What is written alike, and lists that are cut otherwise, differ; what nobody knows is refused."""
    things = [1, 1.0, True, "1", b"1", None, [1], [[1]], [1, 1], ["1", ""], ["", "1"], np.array([1]), np.array([1.0])]
    assert len({fingerprint(thing) for thing in things}) == len(things)
    assert fingerprint([1], 2) != fingerprint(1, [2])
    with pytest.raises(TypeError, match="no fingerprint of object"):
        fingerprint(object())
