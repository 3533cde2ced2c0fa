"""The results folder is replaced as a whole or not at all."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podium.errors import InputError
from podium.horizon import Horizon
from podium.results import ensure_writable, replaced, write_json
from podium.results.files import FORGOTTEN_SECONDS, labels, numbers, times, write_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Old results in a folder with a space in its name."""
    old = tmp_path / "a study" / "results"
    old.mkdir(parents=True)
    (old / "summary.json").write_text("old")
    (old / "stray.txt").write_text("of the old run")
    return old


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_results_take_the_place_of_old_ones(folder: Path) -> None:
    """Nothing of the old run stays among them, nothing is left aside; others may read them as any new folder."""
    with replaced(folder) as aside:
        (aside / "summary.json").write_text("new")
        assert (folder / "summary.json").read_text() == "old"
        assert aside.parent == folder.parent
    assert (folder / "summary.json").read_text() == "new"
    assert names(folder) == ["summary.json"]
    assert names(folder.parent) == ["results"]
    (folder.parent / "other").mkdir()
    assert folder.stat().st_mode == (folder.parent / "other").stat().st_mode


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), SystemExit])
def test_old_results_stay_whole_when_the_new_fail(folder: Path, error: BaseException | type[BaseException]) -> None:
    def fail() -> None:
        with replaced(folder) as aside:
            (aside / "summary.json").write_text("half")
            raise error

    with pytest.raises((KeyboardInterrupt, OSError, SystemExit)):
        fail()
    assert (folder / "summary.json").read_text() == "old"
    assert names(folder.parent) == ["results"]


def test_an_interrupt_between_the_two_renames_puts_the_old_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith("-old"):
            raise KeyboardInterrupt
        return usual(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replaced(folder) as aside:
        (aside / "summary.json").write_text("new")
    assert (folder / "summary.json").read_text() == "old"
    assert names(folder.parent) == ["results"]


def test_what_a_killed_run_left_is_put_right_by_the_next(folder: Path) -> None:
    """Killed between the renames: the old results are put back. What others left an hour ago goes, newer stays."""
    folder.rename(folder.with_name(".results-1234abcd-old"))
    forgotten, recent = (folder.with_name(f".results-{name}") for name in ("00000000", "11111111"))
    for path in (forgotten, recent):
        path.mkdir()
    long_ago = time.time() - FORGOTTEN_SECONDS - 10
    os.utime(forgotten, (long_ago, long_ago))
    with pytest.raises(KeyboardInterrupt), replaced(folder):
        raise KeyboardInterrupt
    assert (folder / "summary.json").read_text() == "old"
    assert names(folder.parent) == [".results-11111111", "results"]


def test_a_link_to_results_elsewhere_is_followed(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    with replaced(link) as aside:
        (aside / "summary.json").write_text("new")
    assert link.is_symlink()
    assert (folder / "summary.json").read_text() == "new"


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    with pytest.raises(InputError, match="results: is a file; expected a folder that results can be written to"):
        ensure_writable(tmp_path / "results")
    ensure_writable(tmp_path / "new" / "results")
    assert names(tmp_path / "new") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(folder: Path) -> None:
    folder.parent.chmod(0o500)
    with pytest.raises(InputError, match="a study: permission denied"):
        ensure_writable(folder)
    folder.parent.chmod(0o700)


def test_json_has_no_nan(tmp_path: Path) -> None:
    content = {"a": np.float64(1.5), "b": float("nan"), "c": [np.inf, np.int64(3)], "d": {"e": None, "f": "x"}}
    write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "a": 1.5, "b": None, "c": [None, 3], "d": {"e": None, "f": "x"},
    }  # fmt: skip


def test_long_tables_repeat_ids_and_times(tmp_path: Path) -> None:
    """On a day of 25 hours the hour from 02:00 comes twice, and the stamps tell them apart."""
    horizon = Horizon.days("2018-10-28", 1, 60, "Europe/Rome")
    values = np.arange(50.0).reshape(2, 25)
    values[1, 3] = np.nan
    table = {"id": labels(["x", "y"], 25), "time": times(horizon, 2), "value": numbers(values)}
    write_table(tmp_path / "t.parquet", table)
    read = pq.read_table(tmp_path / "t.parquet")
    assert read["id"].to_pylist() == ["x"] * 25 + ["y"] * 25
    assert pa.types.is_dictionary(read.schema.field("id").type)
    frame = read.to_pandas()
    assert frame["time"].iloc[2].isoformat() == "2018-10-28T02:00:00+02:00"
    assert frame["time"].iloc[3].isoformat() == "2018-10-28T02:00:00+01:00"
    assert frame["value"].isna().to_numpy().nonzero()[0].tolist() == [28]
    assert read["value"].null_count == 1
