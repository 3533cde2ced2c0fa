"""docs/service.md lists every route, code and setting there is."""

from __future__ import annotations

import re
from pathlib import Path

import nicegui
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from podium.service import problems
from podium.service.app import create_app
from podium.service.installation import opened
from podium.service.settings import Mail, Settings, Upload
from podium.web.app import create_site

PAGE = "docs/service.md"
#: Greater numbers are written in groups of three digits.
PLAIN_MAX = 9999


def settings_table() -> str:
    """All settings as the page lists them."""
    rows = ["| variable | meaning | if absent |", "| --- | --- | --- |"]
    nested: dict[str, type[BaseModel]] = {"upload": Upload, "mail": Mail}
    for name, field in Settings.model_fields.items():
        if name in nested:
            rows += [_row(f"{name}__{inner}", *_said(nested[name], inner)) for inner in nested[name].model_fields]
        else:
            rows.append(_row(name, field.description or "", _default(field.default)))
    return "\n".join(rows)


def _row(name: str, meaning: str, default: str) -> str:
    return f"| `PODIUM_{name.upper()}` | {meaning} | {default} |"


def _said(model: type[BaseModel], name: str) -> tuple[str, str]:
    field = model.model_fields[name]
    return field.description or "", "**needed** for mail" if field.is_required() else _default(field.default)


def _default(value: object) -> str:
    if value is None:
        return "none"
    if value is PydanticUndefined:
        return "all cores but one"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}".replace(",", " ") if type(value) is int and value > PLAIN_MAX else str(value)


def test_the_page_lists_all_settings(repository: Path) -> None:
    """To write the table anew: print `settings_table()` between its marks."""
    page = (repository / PAGE).read_text(encoding="utf-8")
    found = re.search(r"<!-- settings -->\n\n(.*?)\n\n<!-- end -->", page, re.DOTALL)
    assert found is not None
    assert found[1] == settings_table()


def test_the_page_lists_all_codes(repository: Path) -> None:
    page = (repository / PAGE).read_text(encoding="utf-8")
    codes = {kind.code for kind in problems.ServiceError.__subclasses__()} | {row[2] for row in problems.TABLE}
    listed = set(re.findall(r"^\| `([a-z-]+)` \| \d{3} \|", page, re.MULTILINE))
    assert listed == codes | {"too-large"}


def test_the_page_names_all_routes(repository: Path, tmp_path: Path) -> None:
    """Each path of the OpenAPI stands there."""
    page = (repository / PAGE).read_text(encoding="utf-8")
    with opened(Settings.read(data=tmp_path / "data", workers=0)) as place:
        paths = create_app(place).openapi()["paths"]
    for path in paths:
        short = re.sub(r"\{(?!table|kind|name)\w+\}", "{id}", path.removeprefix("/api/v1"))
        assert short.replace("/{kind}", "") in page, path


def test_the_page_names_all_pages(repository: Path) -> None:
    """Each address of the web app stands there."""
    page = (repository / PAGE).read_text(encoding="utf-8")
    assert callable(create_site)  # which brings all pages with it
    assert len(nicegui.Client.page_routes) > 15
    for path in nicegui.Client.page_routes.values():
        assert f"`{re.sub(r'{(?!pod)[a-z]+}', '{id}', path).replace(':path', '')}`" in page, path
