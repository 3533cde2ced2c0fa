"""The example of docs/adding-a-device.md works as the page says, second reading and all."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from one_pod import half_hours, portfolio_of
from podium.checking import Schedule, check_schedule
from podium.checking import schedule as checking
from podium.devices import KINDS
from podium.errors import InputError
from podium.flex.solve import solve

BLOCK = re.compile(r"^```python\n# (?:src/|tests/unit/)(\S+)\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def loaded(name: str, code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A block of the page as the module that it says it is."""
    path = folder / f"{name.replace('.', '_')}.py"
    path.write_text(code, encoding="utf-8")
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, name, module)
    found.loader.exec_module(module)
    return module


def test_the_page_s_example(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind is registered as steps 2 and 3 say; its test passes, and the check accepts a schedule of it."""
    text = (repository / "docs" / "adding-a-device.md").read_text(encoding="utf-8")
    blocks = [(name.replace("/", "."), code) for name, code in BLOCK.findall(text)]
    assert len(blocks) == text.count("```python") == 3
    kind = loaded(*blocks[0], tmp_path, monkeypatch).Electrolyser
    monkeypatch.setitem(KINDS, kind.kind, kind)
    reading = loaded(*blocks[1], tmp_path, monkeypatch).electrolyser
    monkeypatch.setitem(checking.KINDS, kind.kind, checking.Kind(reading))
    loaded(*blocks[2], tmp_path, monkeypatch)

    fields = {"device": "ely", "electric_max_kw": 5.0, "hydrogen_profile": "demand", "tank_max_kwh": 4.0}
    device = kind(**fields, scale_kw=1.5, tank_initial_kwh=1.0)
    profiles = {"demand": np.linspace(0, 1, 8), "price": np.linspace(0.4, 0.1, 8)}
    tariff = {"buy_profile": "price", "sell_eur_per_kwh": 0.05}
    portfolio = portfolio_of([device], half_hours(8), profiles, **tariff)
    found = solve(portfolio.store(), portfolio.meter(), 0.5, portfolio.horizon.day).schedule
    assert check_schedule(portfolio, Schedule(portfolio.store().ids, found.p, found.e, found.aux, found.spill)).good
    with pytest.raises(InputError, match="tank_initial_kwh 9, tank_max_kwh 4; expected at most tank_max_kwh"):
        portfolio_of([kind(**fields, tank_initial_kwh=9.0)], half_hours(8), profiles)
