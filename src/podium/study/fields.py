"""The fields of study files as tables for docs/study-files.md, made from the code that reads them.

`python -m podium.study.fields docs` brings the page and the JSON Schema beside it up to date.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from podium.devices import KINDS
from podium.devices.device import Spec, specs
from podium.portfolio import Pod
from podium.study.market_schema import GroupKeys, MarketKeys, ReserveKeys
from podium.study.schema import Options, StudyFile, study_schema

PAGE, SCHEMA = "study-files.md", "study.schema.json"
_TEXT = {
    "flag": "true or false",
    "profile": "name of a profile",
    "clock": "time of day, HH:MM",
    "moment": "time",
    "text": "text",
}
_SECTION = re.compile(r"(<!-- fields: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


KEYS: dict[str, type[BaseModel]] = {
    "study": StudyFile,
    "options": Options,
    "market": MarketKeys,
    "groups": GroupKeys,
    "reserve": ReserveKeys,
}
"""Tables of keys of study.yaml on the page."""


def section(name: str) -> str:
    """What stands between the marks of one table of the page: one of KEYS, "pod" or a kind of device."""
    if name in KEYS:
        return _key_table(KEYS[name])
    model: type[BaseModel] = Pod if name == "pod" else KINDS[name]
    return f"{inspect.cleandoc(model.__doc__ or '')}\n\n{_field_table(model)}"


def _field_table(model: type[BaseModel]) -> str:
    rows = ["| column | holds | if empty |", "| --- | --- | --- |"]
    rows += [f"| `{spec.name}` | {_holds(spec)} | {_if_empty(spec)} |" for spec in specs(model)]
    return "\n".join(rows)


def _holds(spec: Spec) -> str:
    if spec.role != "number":
        return _TEXT[spec.role]
    return spec.expected if spec.limits else "a number"


def _if_empty(spec: Spec) -> str:
    if spec.required:
        return "**needed**"
    if spec.default is None or spec.default == "":
        return "none"
    return str(spec.default).lower() if isinstance(spec.default, bool) else f"{spec.default:g}"


def _key_table(model: type[BaseModel]) -> str:
    rows = ["| key | meaning | if absent |", "| --- | --- | --- |"]
    return "\n".join([*rows, *_keys(model)])


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("\n", " ")
        yield f"| `{name}` | {meaning} | {'**needed**' if field.is_required() else _absent(field.default)} |"


def _absent(default: Any) -> str:
    return f"{default:g}" if isinstance(default, int | float) else default if isinstance(default, str) else "none"


def updated(page: str) -> str:
    """The page with all its tables as the code has them."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{section(found[2])}\n\n{found[3]}", page)


def schema_text() -> str:
    """The JSON Schema as its file has it."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"


def update(docs: Path) -> None:
    """Write the page's tables and the schema anew."""
    page = docs / PAGE
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
    (docs / SCHEMA).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    update(Path(sys.argv[1]))
