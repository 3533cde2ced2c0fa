"""The files by which the service is run: nothing here builds a container, so what they say is checked instead."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium import cli
from podium.service.settings import SECRETS, Mail, Settings, Upload
from podium.version import __version__

#: Variables of compose.yaml and the Caddyfile that are no settings.
OTHERS = {"PODIUM_DOMAIN", "PODIUM_SERVER", SECRETS}
ENVIRONMENT = {"PODIUM_DOMAIN": "podium.example", "PODIUM_SERVER": "server:8000"}


def variables() -> set[str]:
    """All settings as variables."""
    nested = {"upload": Upload, "mail": Mail}
    names = {
        f"{name}__{inner}" if name in nested else name
        for name in Settings.model_fields
        for inner in (nested[name].model_fields if name in nested else ("",))
    }
    return {f"PODIUM_{name.upper()}" for name in names}


def commands() -> set[str]:
    """What `podium` can do."""
    return {found.name or found.callback.__name__ for found in cli.app.registered_commands if found.callback}


@pytest.fixture
def compose(repository: Path) -> dict[str, Any]:
    """compose.yaml with its variables put in, those that have no default as in ENVIRONMENT."""
    text = (repository / "compose.yaml").read_text(encoding="utf-8")
    put = re.sub(r"\$\{(\w+):-(\w*)\}", r"\2", text)
    put = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda match: ENVIRONMENT[match[1]], put)
    assert "${" not in put
    found = yaml.safe_load(put)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def dockerfile(repository: Path) -> list[tuple[str, str]]:
    """Instructions of the Dockerfile, and what they say, in one line each."""
    text = (repository / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def said(dockerfile: list[tuple[str, str]], word: str) -> list[str]:
    """What all instructions of a kind say."""
    return [rest for name, rest in dockerfile if name == word]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("hadolint", ["Dockerfile"]),
        ("docker-compose", ["config", "--quiet"]),
        ("caddy", ["validate", "--adapter", "caddyfile", "--config", "deploy/Caddyfile"]),
    ],
)
def test_tools_find_nothing(repository: Path, tool: str, arguments: list[str], tmp_path: Path) -> None:
    """Linters that are no packages of the tests (hadolint is under the GPL), where they are installed."""
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed here")
    environment = os.environ | ENVIRONMENT | {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [found, *arguments], cwd=repository, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["podium.service", "podium-worker@.service"])
def test_units_are_what_systemd_takes(repository: Path, tmp_path: Path, name: str) -> None:
    """`systemd-analyze verify` of the unit, with a user and a program that are here; it asks nothing of systemd."""
    unit = (repository / "deploy" / name).read_text(encoding="utf-8")
    for command in re.findall(r"^Exec\w+=/opt/podium/bin/podium ([\w-]+)$", unit, re.MULTILINE):
        assert command in commands()
    used = set(re.findall(r"\bPODIUM_\w+", unit))
    assert used <= variables()
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed here")
    path = tmp_path / name.replace("@", "@1")
    here = unit.replace("/opt/podium/bin/podium", shutil.which("true") or "").replace("=podium\n", "=root\n")
    path.write_text(here, encoding="utf-8")
    done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert (done.returncode, complaints) == (0, [])


def test_the_image_has_what_it_copies_and_nothing_else(repository: Path, dockerfile: list[tuple[str, str]]) -> None:
    """Every file is there and gets past .dockerignore, which begins by keeping out everything."""
    ignored = (repository / ".dockerignore").read_text(encoding="utf-8").split("\n")
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {word for rest in said(dockerfile, "COPY") if "--from" not in rest for word in rest.split()[:-1]}
    assert ignored[1] == "*"
    assert copied == {word.removeprefix("./") for word in copied} == let_in
    assert all((repository / name).exists() for name in copied)


def test_the_image_is_built_of_what_is_locked(repository: Path, dockerfile: list[tuple[str, str]]) -> None:
    """Base images of one exact version, the uv of the Makefile, packages of uv.lock, none of the tests'."""
    assert all(re.match(r"python:3\.\d+\.\d+-slim-bookworm\b", rest) for rest in said(dockerfile, "FROM"))
    version = re.search(r"^UV_VERSION := (\S+)$", (repository / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    runs = " ".join(said(dockerfile, "RUN"))
    assert f"uv=={version[1]} " in runs + " "
    assert all("--frozen --no-dev --extra service" in part for part in runs.split("uv sync")[1:])
    assert runs.count("uv sync") == 2


def test_the_image_runs_without_rights_and_knows_its_settings(dockerfile: list[tuple[str, str]]) -> None:
    """The last user is a number that is not root's; settings and commands exist; no secret is in it."""
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", said(dockerfile, "USER")[-1])
    settings = set(re.findall(r"\b(PODIUM_\w+)=", " ".join(said(dockerfile, "ENV"))))
    assert settings == {"PODIUM_DATA", "PODIUM_HOST", "PODIUM_PORT"} <= variables()
    everything = " ".join(rest for _, rest in dockerfile)
    assert not re.search(r"(?i)password|token|secret", everything)
    used = re.findall(r"\bpodium (\S+)$", said(dockerfile, "RUN")[-1])
    assert {*used, *yaml.safe_load(said(dockerfile, "CMD")[-1])[1:]} == {"warm-up", "serve"} <= commands()


def test_the_image_knows_whether_it_is_well(dockerfile: list[tuple[str, str]]) -> None:
    """The code of HEALTHCHECK ends well where the service is ready, and not where it is not."""
    words = yaml.safe_load(said(dockerfile, "HEALTHCHECK")[0].partition("CMD ")[2])
    status = {"now": 200}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status["now"] if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:  # type: ignore[override]
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = words[2].replace(":8000", f":{server.server_port}")
        codes = []
        try:
            for status["now"] in (200, 503):
                environment = os.environ | {"no_proxy": "*"}
                command = [shutil.which("python3") or "python3", "-c", code]
                codes.append(subprocess.run(command, env=environment, capture_output=True, check=False).returncode)
        finally:
            server.shutdown()
    assert codes[0] == 0
    assert codes[1] != 0


def test_compose_names_only_what_it_has(compose: dict[str, Any], repository: Path) -> None:
    """Networks, volumes, secrets and services that are declared; files that are there; images of one version."""
    services = compose["services"]
    for service in services.values():
        assert set(service.get("networks", ())) <= compose["networks"].keys()
        assert set(service.get("secrets", ())) <= compose["secrets"].keys()
        assert service.get("depends_on", {}).keys() <= services.keys()
        assert all(wait["condition"] == "service_healthy" for wait in service.get("depends_on", {}).values())
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (repository / source).is_file(), volume
        assert re.search(r":\d+\.\d+", service["image"]), "an exact version"
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"]["max-size"]
    assert services["server"]["image"] == services["worker"]["image"] == f"podium:{__version__}"
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    ignored = subprocess.run(
        ["git", "check-ignore", "secrets/postgres_password"], cwd=repository, capture_output=True, check=False
    )
    assert ignored.returncode in (0, 128), "secrets are never committed (128: no repository here)"


def test_compose_starts_the_service_with_settings_that_there_are(
    compose: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read as the service reads them: the database from a file, the proxy trusted by its own address."""
    for name in ("server", "worker"):
        service = compose["services"][name]
        environment = service["environment"]
        assert environment.keys() - OTHERS <= variables()
        assert not re.search(r"(?i)password|secret", " ".join(map(str, environment.values()))) or SECRETS in environment
        assert (service["read_only"], service["init"], service["cap_drop"]) == (True, True, ["ALL"])
        (tmp_path / "podium_database_url").write_text("postgresql://podium:word@database/podium\n", encoding="utf-8")
        with monkeypatch.context() as patch:
            for variable, value in environment.items():
                patch.setenv(variable, str(tmp_path) if variable == SECRETS else str(value))
            settings = Settings.read()
        assert settings.database_url is not None
        assert settings.url == "https://podium.example"
        if name == "server":
            assert settings.workers == 0
            assert settings.proxies == compose["services"]["proxy"]["networks"]["inside"]["ipv4_address"]
    assert compose["services"]["worker"]["command"] == ["podium", "worker"]
    assert "ports" not in compose["services"]["server"] | compose["services"]["database"]
    assert compose["networks"]["inside"]["internal"]


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_do_what_the_page_says(repository: Path, name: str) -> None:
    """The client's address, no buffers, and uploads as large as the service takes; nginx is told of websockets too."""
    text = (repository / "deploy" / name).read_text(encoding="utf-8")
    assert "X-Forwarded-For" in text
    size = re.search(r"(?:client_max_body_size|max_size) (\d+)", text)
    assert size is not None
    assert int(size[1]) << 20 == Upload().bytes_max
    wanted = ("proxy_buffering off", "$http_upgrade", "proxy_http_version 1.1") if name == "nginx.conf" else ("flush",)
    assert all(word in text for word in wanted)


def test_the_page_names_settings_that_there_are(repository: Path) -> None:
    """And commands that there are, and files of the repository."""
    page = (repository / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bPODIUM_[A-Z_]+", page)) - OTHERS <= variables()
    assert set(re.findall(r"(?<![\w/.])podium ((?:warm|ser|wor|back|res)[\w-]+)", page)) <= commands() | {"service"}
    assert all((repository / path).exists() for path in re.findall(r"\]\(\.\./([\w./@-]+)\)", page))
