"""What the package imports is what it asks for: the tools of the tests are not there where people install it."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "podium"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: Where each optional part is.
PLACES = {
    "dask": ("compute/cluster.py", "compute/dask_client.py"),
    "service": ("client.py", "service/", "web/"),
    "simbench": ("study/simbench.py",),
}


def part_of(path: str) -> str:
    """The optional part that a file belongs to; empty for what is always installed."""
    return next((part for part, places in PLACES.items() if path.startswith(places)), "")


def installed_with(wanted: Iterable[str]) -> set[str]:
    """Distributions that come with these requirements on this machine."""
    found: set[str] = set()
    left = [(Requirement(line), "") for line in wanted]
    while left:
        requirement, extra = left.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            lines = []
        if name not in found:
            left += [(Requirement(line), more) for line in lines for more in ("", *requirement.extras)]
        found.add(name)
    return found


def imported(path: Path) -> Iterator[str]:
    """Packages of others that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top != "podium" and top not in sys.stdlib_module_names:
                yield top


@pytest.mark.parametrize("part", ["", *PLACES])
def test_every_import_is_of_what_is_installed_with_it(part: str) -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == set(PLACES)
    asked = installed_with([*PROJECT["dependencies"], *extras.get(part, [])])
    known, missing, seen = packages_distributions(), [], 0
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        if part_of(place) != part:
            continue
        for name in imported(path):
            seen += 1
            if not {canonicalize_name(found) for found in known.get(name, [name])} & asked:
                missing.append(f"{place} imports {name}")
    assert missing == []
    assert seen
