"""Studies as records: the same study in both directions, and errors in terms of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.errors import InputError
from podium.study import load_study, write_study
from podium.study.examples import EXAMPLES, write_example
from podium.study.records import StudyRecords, in_records, records_of, write_records
from unit.study_folders import one_home, write_files


@pytest.fixture
def records(tmp_path: Path) -> StudyRecords:
    return records_of(load_study(write_files(tmp_path / "home", one_home())))


@pytest.mark.parametrize("name", EXAMPLES)
def test_records_make_the_same_study(name: str, tmp_path: Path) -> None:
    """Through JSON and back, each table is the same to the last byte; tables of reserve and moments of cars too."""
    study = load_study(write_example(name, tmp_path / name))
    text = records_of(study).model_dump_json()
    folder = tmp_path / "again"
    write_records(StudyRecords.model_validate_json(text), folder)
    again = load_study(folder)
    first, second = (write_study(found, tmp_path / label, "parquet") for found, label in ((study, "a"), (again, "b")))
    assert sorted(path.name for path in first.iterdir()) == sorted(path.name for path in second.iterdir())
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def problems(records: StudyRecords, folder: Path, **change: Any) -> list[tuple[str, str, str]]:
    """Where, value and expected of everything wrong with records that are changed."""
    lines: Any = {}
    with pytest.raises(InputError) as error:  # noqa: PT012 - both may raise
        lines = write_records(records.model_copy(update=change), folder)
        load_study(folder)
    return [(problem.where, problem.value, problem.expected) for problem in in_records(error.value, lines).problems]


def test_errors_name_rows_and_keys(records: StudyRecords, tmp_path: Path) -> None:
    """All problems of all tables at once; the second row is row 2, and a key of the market stands with its path."""
    pods = [records.pods[0] | {"sell_eur_per_kwh": "abc"}, records.pods[1] | {"colour": 1, "pod": "home-2"}]
    devices = records.devices | {"pv": [{"device": "pv-1", "pod": "nowhere", "profile": "moon", "scale_kw": -1}]}
    market = {"priority": ["pv"], "takeover": "cost", "reserve": [{"preset": "eu-frc", "only": "x"}]}
    found = problems(records, tmp_path / "a", pods=pods, devices=devices, market=market)
    assert ("pods, row 1", "sell_eur_per_kwh 'abc'", "a number") in found
    assert any(where == "pods" and "unknown column 'colour'" in value for where, value, _ in found)
    assert any(where == "pv, row 1" and "unknown pod 'nowhere'" in value for where, value, _ in found)
    assert any(where == "pv, row 1" and "scale_kw -1" in value for where, value, _ in found)
    assert any(where == "market.reserve.0" and "eu-frc" in value for where, value, _ in found)
    assert not any(".csv" in text or ".yaml" in text for problem in found for text in problem)


def test_groups_are_rows_of_a_table(tmp_path: Path) -> None:
    """As the blocks of reserve are; what is wrong in them stands in a row."""
    files = one_home()
    files["study.yaml"] += "market: {groups: [{group: north, withdrawal_max_kw: 9.5}]}\n"
    records = records_of(load_study(write_files(tmp_path / "home", files)))
    assert records.market == {"groups": {"file": "groups"}}
    assert records.tables == {"groups": [{"group": "north", "withdrawal_max_kw": 9.5}]}
    rows = [*records.tables["groups"], {"group": "nord"}]
    (found,) = problems(records, tmp_path / "a", tables={"groups": rows})
    assert found == ("groups, row 2", "unknown group 'nord'", "a group that PODs name: 'north'")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"pods": []}, ("pods", "no rows", "at least one POD")),
        ({"pods": [{}]}, ("pods", "no rows", "at least one POD")),
        ({"pods": [{"pod": "a\nb"}]}, ("pods, row 1", "text with a line break", "text in one line")),
        ({"prices": [{"a": 1}]}, ("prices", "'time' is missing", "the start of each row's step, with an offset")),
        ({"days": None}, ("days", "neither 'days' nor 'hours'", "one of the two")),
        ({"devices": {"pvv": [{"device": "x"}]}}, ("study", "unknown kind of device 'pvv'", "'pv'")),
        ({"tables": {"../x": []}}, ("tables", "name '../x'", "another name, of letters, digits, _ and -")),
        ({"tables": {"pods": []}}, ("tables", "name 'pods'", "another name, of letters, digits, _ and -")),
        ({"market": {"settlement": "x"}}, ("study", "market.settlement 'x'", "'market', 'retail' or 'both'")),
    ],
)
def test_what_cannot_be_written_is_told(
    records: StudyRecords, tmp_path: Path, change: dict[str, Any], found: tuple[str, str, str]
) -> None:
    assert problems(records, tmp_path / "a", **change) == [found]
    assert not (tmp_path / "a").exists()


def test_absent_values_and_flags_keep_their_meaning(records: StudyRecords) -> None:
    """A limit that is not there is left out, a flag is true or false, a number a number."""
    by_id = {row["pod"]: row for row in records.pods}
    assert "withdrawal_max_kw" not in by_id["home-2"]
    assert by_id["home-1"]["withdrawal_max_kw"] == 6.5
    assert {row["device"]: row["curtailable"] for row in records.devices["pv"]} == {"pv-1": True, "pv-2": False}
