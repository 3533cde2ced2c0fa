"""The example of docs/adding-a-market-product.md works as the page says."""

import re
from pathlib import Path

import pytest
import yaml

from podium.study import presets as known

BLOCK = re.compile(r"^```(yaml|python)\n# (?:src|tests)/(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_s_product(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset is one, a study may name it, and the page's own test passes."""
    text = (repository / "docs" / "adding-a-market-product.md").read_text(encoding="utf-8")
    blocks = {language: (name, code) for language, name, code in BLOCK.findall(text)}
    assert len(blocks) == len(re.findall("^```[a-z]", text, re.MULTILINE)) == 2
    name = Path(blocks["yaml"][0]).stem
    found = {name: known.Preset.model_validate(yaml.safe_load(blocks["yaml"][1]))} | dict(known.presets())
    monkeypatch.setattr(known, "presets", lambda: found)
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(blocks["python"][1], blocks["python"][0], "exec"), names)
    tests = [test for title, test in names.items() if title.startswith("test_")]
    assert len(tests) == 1
    tests[0](tmp_path)  # type: ignore[operator]
