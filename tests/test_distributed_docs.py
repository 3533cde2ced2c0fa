"""The recipes in docs/distributed.md: commands are read by the programs they start, the manifest agrees with itself.

No cluster is started here; what the page says was tried, was tried by hand.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from podium import cli
from podium.version import __version__

pytest.importorskip("distributed")


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "distributed.md").read_text(encoding="utf-8")


@pytest.fixture
def manifest(page: str) -> dict[str, Any]:
    """The DaskCluster of Kubernetes."""
    (found,) = (yaml.safe_load(block) for block in blocks(page, "yaml"))
    assert found["kind"] == "DaskCluster"
    return dict(found)


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> Iterator[list[str]]:
    """Words of all `dask` and `podium` commands of the bash blocks, without variables before and comments behind."""
    for block in blocks(page, "bash"):
        for line in block.splitlines():
            words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
            if words[0] in ("dask", "podium"):
                yield words


def read(words: list[str]) -> dict[str, Any]:
    """Options and arguments as the program reads them. Raises click's errors where it would not take them."""
    program, name, *rest = words
    if program == "podium":
        podium: Any = typer.main.get_command(cli.app)
        command = podium.commands[name]
    else:
        command = importlib.import_module(f"distributed.cli.dask_{name}").main
    return dict(command.make_context(name, rest).params)


def test_programs_take_the_commands(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds of them, each worker with one thread; an option that there is not would be found."""
    monkeypatch.chdir(tmp_path)
    Path("hosts.txt").touch()
    Path("DIR").mkdir()
    taken = {" ".join(words[:2]): read(words) for words in commands(page)}
    assert taken.keys() == {"dask scheduler", "dask worker", "dask ssh", "podium run"}
    assert taken["dask worker"]["nthreads"] == taken["dask ssh"]["nthreads"] == 1
    assert (taken["podium run"]["workers"], taken["podium run"]["dask"]) == (160, "tcp://FIRST-HOST:8786")
    with pytest.raises(click.UsageError, match="unexpected extra argument"):
        read(["dask", "worker", "--nprocs", "2"])


def test_scripts_name_what_podium_has(page: str) -> None:
    """Every name that a Python block imports from Podium, or asks it for, is there."""
    asked = set()
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("podium"):
                asked |= {(str(node.module), alias.name) for alias in node.names}
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "podium":
                asked.add(("podium", node.attr))
    assert {("podium", "run"), ("podium", "load_study"), ("podium.compute", "Where")} <= asked
    assert all(hasattr(importlib.import_module(module), name) for module, name in asked)


def test_the_manifest_agrees_with_itself(page: str, manifest: dict[str, Any]) -> None:
    """Programs take the arguments; as many workers as cores; the service finds the scheduler and its ports."""
    (worker,), (scheduler,) = (manifest["spec"][role]["spec"]["containers"] for role in ("worker", "scheduler"))
    taken, _ = read(worker["args"]), read(scheduler["args"])
    assert taken["scheduler"] is None, "the operator gives it as a variable"
    assert (taken["nthreads"], taken["n_workers"]) == (1, worker["resources"]["limits"]["cpu"])
    assert f"--workers {manifest['spec']['worker']['replicas'] * int(taken['n_workers'])}`" in page
    assert worker["image"] == scheduler["image"] == f"REGISTRY/podium:{__version__}"
    assert f"docker build -t {worker['image']} " in page
    service = manifest["spec"]["scheduler"]["service"]
    name = manifest["metadata"]["name"]
    assert service["selector"] == {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    ports = {port["name"]: port["containerPort"] for port in scheduler["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports
    assert scheduler["readinessProbe"]["httpGet"]["port"] in ports
    assert f"tcp://{name}-scheduler:{ports['tcp-comm']}" in page


def test_the_image_of_the_recipe_has_dask(page: str, repository: Path) -> None:
    """Both lines of the Dockerfile that install are changed by what `sed` is told."""
    found = re.search(r"sed 's/([^/]+)/([^/]+)/' Dockerfile", page)
    assert found is not None
    changed = (repository / "Dockerfile").read_text(encoding="utf-8").replace(found[1], found[2])
    assert changed.count("uv sync") == changed.count("--extra dask") == 2
