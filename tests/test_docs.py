"""The code in README.md, the tutorial and the catalogue does what it says: every block runs, in order, in one folder.

Python blocks run in one namespace per page. Of a console or bash block, the lines that start with `podium `
(or `$ podium `) run through the installed command line; other lines are its output. A text block right behind a
python block is what that prints, to the letter. `<!-- not run -->` before a block leaves it out.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PAGES = ["README.md", "docs/tutorial.md", "docs/catalogue.md"]
NOT_RUN = "<!-- not run -->"
COMMAND_SECONDS_MAX = 300.0

_FENCE = re.compile(r"^```(python|console|bash|text)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:\$ )?(podium .*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; `line` is where its first line stands in the page."""

    language: str
    code: str
    line: int
    follows: bool = False
    """True where nothing but blank lines stands between it and the block before."""


def blocks(text: str) -> list[Block]:
    """All blocks of a page that are to run, in order."""
    found = []
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()].rstrip()
        if not before.endswith(NOT_RUN):
            line = text.count("\n", 0, fence.start(2)) + 1
            found.append(Block(fence[1], fence[2], line, before.endswith("```")))
    return found


def commands(block: Block) -> list[list[str]]:
    """The command lines of a console block, split into words; a backslash joins a line to the next."""
    lines = block.code.replace("\\\n", " ").splitlines()
    return [shlex.split(match[1], comments=True) for line in lines if (match := _COMMAND.match(line))]


def run_python(block: Block, page: Path, names: dict[str, Any]) -> None:
    """Run a block so that a traceback shows the line of the page."""
    exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)


def run_commands(block: Block, page: Path, folder: Path) -> None:
    """Run each command of a block; its exit code is 0."""
    for words in commands(block):
        program = Path(sys.executable).with_name(words[0])
        done = subprocess.run(
            [program, *words[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        said = f"{page.name}:{block.line}: {shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said


@pytest.mark.parametrize("name", PAGES)
def test_code_in_the_docs_runs(
    name: str,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = repository / name
    found = blocks(page.read_text(encoding="utf-8"))
    assert found, f"{name} shows no code"
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    printed = None
    for block in found:
        if block.language == "text":
            shown = f"{name}:{block.line}: the page shows"
            assert not (block.follows and printed is not None) or printed.strip() == block.code.strip(), shown
            continue
        capsys.readouterr()
        if block.language == "python":
            run_python(block, page, names)
            printed = capsys.readouterr().out
        else:
            run_commands(block, page, tmp_path)
            printed = None


def test_a_block_is_found_with_its_line_unless_it_is_marked() -> None:
    """Two of three blocks run, and the second stands in line 10."""
    shown = ["# Page", "```python", "a = 1", "```", NOT_RUN, "```console", "podium serve", "```"]
    lines = ["podium run x \\", "  --json  # quiet", "make demo", "$ podium check x"]
    text = "\n".join([*shown, "```bash", *lines, "```", ""])
    python, bash = blocks(text)
    assert (python.language, python.line, bash.line) == ("python", 3, 10)
    assert commands(bash) == [["podium", "run", "x", "--json"], ["podium", "check", "x"]]
