"""The published format is the one that the code reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from podium.devices import KINDS
from podium.study.fields import PAGE, SCHEMA, schema_text, updated
from podium.study.schema import spec_of

UPDATE = "bring it up to date with `python -m podium.study.fields docs`"


def test_the_page_has_the_fields_of_the_code(repository: Path) -> None:
    page = (repository / "docs" / PAGE).read_text(encoding="utf-8")
    assert page == updated(page), f"docs/{PAGE} is out of date: {UPDATE}"


def test_the_page_has_every_kind_of_device(repository: Path) -> None:
    page = (repository / "docs" / PAGE).read_text(encoding="utf-8")
    shown = re.findall(r"<!-- fields: (\S+) -->", page)
    assert shown == ["study", "options", "market", "groups", "reserve", "pod", *KINDS]


def test_the_json_schema_is_current(repository: Path) -> None:
    committed = (repository / "docs" / SCHEMA).read_text(encoding="utf-8")
    assert committed == schema_text(), f"docs/{SCHEMA} is out of date: {UPDATE}"


def test_the_json_schema_knows_a_file_in_both_forms() -> None:
    """A name and {file: name} are the same to the reader, so editors accept both."""
    schema = json.loads(schema_text())
    forms = {form["type"] for form in schema["$defs"]["FileRef"]["anyOf"]}
    assert forms == {"string", "object"}
    assert set(schema["$defs"]["DeviceFiles"]["properties"]) == set(KINDS)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("given", "file", "sheet", "local"),
    [
        ("pv.csv", "pv.csv", None, False),
        ("book.xlsx#Sheet 1", "book.xlsx", "Sheet 1", False),
        ("book.xlsx", "book.xlsx", None, False),
        ("odd#name.csv", "odd#name.csv", None, False),
        ({"file": "pv.csv", "local_times": True}, "pv.csv", None, True),
    ],
)
def test_file_references(given: object, file: str, sheet: str | None, local: bool) -> None:
    spec = spec_of({"name": "x", "time_zone": "UTC", "start": "2018-05-14", "days": 1, "pods": given})
    assert (spec.pods.file, spec.pods.sheet, spec.pods.local_times) == (file, sheet, local)
