"""A client of the service: the same studies and runs, on another machine.

with Client("http://127.0.0.1:8000", token="podium_...") as client:
    study = client.upload_study(Path("my-study"))
    run = client.wait(client.start_run(study.id).id)
    client.download_results(run.id, Path("results"))
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
from pydantic import BaseModel, TypeAdapter

from podium.errors import InputError, PodiumError, Problem
from podium.service.composition_views import (
    CatalogueEntry,
    CompositionWish,
    ConfigurationChange,
    ConfigurationView,
    ConfigurationWhole,
    NeedsView,
    NeedsWish,
    NewConfiguration,
)
from podium.service.views import (
    LogLine,
    Page,
    ResultFile,
    RunKind,
    RunOptions,
    RunView,
    RunWish,
    SessionView,
    ShareView,
    StudyView,
    TokenOnce,
    Validation,
)
from podium.study.composition import Composition
from podium.study.records import StudyRecords

API = "/api/v1"
CSRF_HEADER = "X-CSRF-Token"
OVER = ("done", "failed", "cancelled")
_POLL_SECONDS = 0.3


class ProblemError(PodiumError):
    """The service refused a request. `code` is stable, `content` the whole problem+json."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.status, self.code = int(content["status"]), str(content["code"])
        super().__init__(f"{self.code} ({self.status}): {content['detail']}")


def _raise(response: httpx.Response) -> None:
    """Raise what a refusal says: InputError where the input is wrong, else ProblemError."""
    if response.is_success:
        return
    response.read()
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        raise PodiumError(f"{response.request.url} answered {response.status_code}")
    content = response.json()
    if content["code"] == "input":
        raise InputError(Problem(**found) for found in content["problems"])
    raise ProblemError(content)


def zipped(folder: Path) -> bytes:
    """A study folder as a zip archive; hidden files and earlier results stay at home."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and name.parts[0] != "results" and not any(part.startswith(".") for part in name.parts):
                archive.write(path, name.as_posix())
    return target.getvalue()


def _content(wish: BaseModel) -> dict[str, Any]:
    """A request as JSON, without what says nothing."""
    return wish.model_dump(mode="json", exclude_defaults=True)


class Client:
    """A session with the service, by API token or (`sign_in`) by password.

    Refusals raise `ProblemError`, and `InputError` with all problems of a study. `http` may be a client of httpx that
    is set up already.
    """

    def __init__(
        self,
        url: str = "",
        *,
        token: str | None = None,
        http: httpx.Client | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        self.http = http if http is not None else httpx.Client(base_url=url, timeout=timeout_seconds)
        if token is not None:
            self.http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def send(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Send a request to a path under /api/v1; raises what a refusal says."""
        response = self.http.request(method, API + path, **given)
        _raise(response)
        return response

    def _session(self, path: str, **content: str) -> SessionView:
        session = SessionView.model_validate(self.send("POST", path, json=content).json())
        self.http.headers[CSRF_HEADER] = session.csrf_token
        return session

    def set_up(self, email: str, name: str, password: str, code: str = "") -> SessionView:
        """Make the first admin of a new service, and sign in."""
        return self._session("/setup", email=email, name=name, password=password, code=code)

    def sign_in(self, email: str, password: str) -> SessionView:
        """Sign in by password."""
        return self._session("/session", email=email, password=password)

    def sign_out(self) -> None:
        """End the session."""
        self.send("DELETE", "/session")
        self.http.headers.pop(CSRF_HEADER, None)

    def make_token(self, name: str, scopes: list[str], days: int = 90) -> TokenOnce:
        """Make an API token; its text is in this answer alone."""
        content = {"name": name, "scopes": scopes, "days": days}
        return TokenOnce.model_validate(self.send("POST", "/tokens", json=content).json())

    def studies(self) -> list[StudyView]:
        """One's own studies and those shared with one, newest first."""
        return TypeAdapter(list[StudyView]).validate_python(self.send("GET", "/studies").json())

    def study(self, study: UUID) -> StudyView:
        """A study."""
        return StudyView.model_validate(self.send("GET", f"/studies/{study}").json())

    def upload_study(self, folder: Path, name: str | None = None) -> StudyView:
        """Upload a study folder. Raises InputError with everything wrong in it."""
        files = {"files": ("study.zip", zipped(folder), "application/zip")}
        data = {} if name is None else {"name": name}
        return StudyView.model_validate(self.send("POST", "/studies", files=files, data=data).json())

    def download_study(self, study: UUID, folder: Path) -> Path:
        """The files of a study into a folder, which is made where it is not there."""
        content = self.send("GET", f"/studies/{study}/archive").content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
        return folder

    def validate_study(self, folder: Path) -> Validation:
        """Everything wrong with a study folder; nothing is kept."""
        files = {"files": ("study.zip", zipped(folder), "application/zip")}
        return Validation.model_validate(self.send("POST", "/studies/validation", files=files).json())

    def make_example(self, example: str, name: str | None = None) -> StudyView:
        """A study from an example."""
        content = {"example": example} if name is None else {"example": example, "name": name}
        return StudyView.model_validate(self.send("POST", "/studies/from-example", json=content).json())

    def rename_study(self, study: UUID, name: str) -> StudyView:
        """Give a study another name."""
        return StudyView.model_validate(self.send("PATCH", f"/studies/{study}", json={"name": name}).json())

    def copy_study(self, study: UUID, name: str) -> StudyView:
        """A copy of one's own."""
        return StudyView.model_validate(self.send("POST", f"/studies/{study}/copies", json={"name": name}).json())

    def share_study(self, study: UUID, email: str) -> ShareView:
        """Let another user read, run and copy a study."""
        return ShareView.model_validate(self.send("POST", f"/studies/{study}/shares", json={"email": email}).json())

    def delete_study(self, study: UUID) -> None:
        """Delete a study with all its runs."""
        self.send("DELETE", f"/studies/{study}")

    def study_records(self, study: UUID) -> StudyRecords:
        """A study as JSON; raises ProblemError `too-large` where it has too many values."""
        return StudyRecords.model_validate(self.send("GET", f"/studies/{study}/json").json())

    def make_study(self, records: StudyRecords) -> StudyView:
        """A study from JSON. Raises InputError with everything wrong, by row and key."""
        content = records.model_dump(mode="json", exclude_none=True)
        return StudyView.model_validate(self.send("POST", "/studies/from-json", json=content).json())

    def catalogue(self) -> list[CatalogueEntry]:
        """The plants that a study can be composed of."""
        return TypeAdapter(list[CatalogueEntry]).validate_python(self.send("GET", "/catalogue").json())

    def needs(self, composition: Composition, profiles: str | None = None, *, values: bool = False) -> NeedsView:
        """What a composition needs, each found or missing; `profiles` as CSV."""
        wish = NeedsWish(composition=composition, profiles=profiles, values=values)
        return NeedsView.model_validate(self.send("POST", "/compositions/needs", json=_content(wish)).json())

    def compose_study(
        self, composition: Composition, profiles: str | None = None, name: str | None = None
    ) -> StudyView:
        """A study composed of the catalogue. Raises InputError with everything wrong or missing."""
        wish = CompositionWish(composition=composition, profiles=profiles, name=name)
        return StudyView.model_validate(self.send("POST", "/studies/from-composition", json=_content(wish)).json())

    def configurations(self) -> list[ConfigurationView]:
        """One's own configurations, the one that was changed last first."""
        return TypeAdapter(list[ConfigurationView]).validate_python(self.send("GET", "/configurations").json())

    def configuration(self, configuration: UUID) -> ConfigurationWhole:
        """A configuration with its profiles."""
        return ConfigurationWhole.model_validate(self.send("GET", f"/configurations/{configuration}").json())

    def keep_configuration(
        self, name: str, composition: Composition, profiles: str | None = None
    ) -> ConfigurationWhole:
        """Keep a composition."""
        wish = NewConfiguration(name=name, composition=composition, profiles=profiles)
        return ConfigurationWhole.model_validate(self.send("POST", "/configurations", json=_content(wish)).json())

    def change_configuration(self, configuration: UUID, change: ConfigurationChange) -> ConfigurationWhole:
        """Change a configuration; what the change leaves out stays."""
        answer = self.send("PATCH", f"/configurations/{configuration}", json=_content(change))
        return ConfigurationWhole.model_validate(answer.json())

    def add_profiles(self, configuration: UUID, table: Path) -> ConfigurationView:
        """Upload profiles (CSV, Parquet or Excel) to a configuration. Raises InputError with everything wrong."""
        files = {"files": (table.name, table.read_bytes())}
        answer = self.send("POST", f"/configurations/{configuration}/profiles", files=files)
        return ConfigurationView.model_validate(answer.json())

    def delete_configuration(self, configuration: UUID) -> None:
        """Delete a configuration."""
        self.send("DELETE", f"/configurations/{configuration}")

    def table(self, study: UUID, table: str, **query: int | str) -> Page:
        """Rows of a table of a study; `offset`, `limit`, `pod`."""
        return Page.model_validate(self.send("GET", f"/studies/{study}/tables/{table}", params=query).json())

    def start_run(
        self,
        study: UUID,
        options: Mapping[str, Any] | None = None,
        *,
        kind: RunKind = "full",
        local_run: UUID | None = None,
        key: str | None = None,
        again: bool = False,
    ) -> RunView:
        """Start a run, or get the one that is there already. The same `key` always means the same run."""
        chosen = RunOptions.model_validate(options or {})
        wish = RunWish(study=study, kind=kind, local_run=local_run, options=chosen, again=again)
        headers = {} if key is None else {"Idempotency-Key": key}
        content = wish.model_dump(mode="json", exclude_none=True)
        return RunView.model_validate(self.send("POST", "/runs", json=content, headers=headers).json())

    def runs(self) -> list[RunView]:
        """One's own runs, newest first."""
        return TypeAdapter(list[RunView]).validate_python(self.send("GET", "/runs").json())

    def run(self, run: UUID) -> RunView:
        """A run as it is now."""
        return RunView.model_validate(self.send("GET", f"/runs/{run}").json())

    def cancel_run(self, run: UUID) -> RunView:
        """Cancel a run."""
        return RunView.model_validate(self.send("POST", f"/runs/{run}/cancel").json())

    def delete_run(self, run: UUID) -> None:
        """Delete a run that is over, with its results."""
        self.send("DELETE", f"/runs/{run}")

    def wait(self, run: UUID, timeout_seconds: float = 3600.0) -> RunView:
        """A run once it is over; raises TimeoutError where it is not by then."""
        until = time.monotonic() + timeout_seconds
        while (found := self.run(run)).state not in OVER:
            if time.monotonic() > until:
                raise TimeoutError(f"run {run} is still {found.state}")
            time.sleep(_POLL_SECONDS)
        return found

    def log(self, run: UUID, after: int = 0) -> list[LogLine]:
        """Lines of a run's log, behind number `after`."""
        found = self.send("GET", f"/runs/{run}/log", params={"after": after}).json()
        return TypeAdapter(list[LogLine]).validate_python(found)

    def events(self, run: UUID, after: int = 0) -> Iterator[tuple[str, Any]]:
        """Live events of a run, as kind (`log`, `run`, `end`) and content, until its end."""
        headers = {"Last-Event-ID": str(after)}
        with self.http.stream("GET", f"{API}/runs/{run}/events", headers=headers) as response:
            _raise(response)
            kind = ""
            for line in response.iter_lines():
                name, _, content = line.partition(": ")
                if name == "event":
                    kind = content
                elif name == "data":
                    yield kind, json.loads(content)

    def results(self, run: UUID) -> list[ResultFile]:
        """The files of a run's results."""
        return TypeAdapter(list[ResultFile]).validate_python(self.send("GET", f"/runs/{run}/results").json())

    def result_table(self, run: UUID, table: str, **query: int | str) -> Page:
        """Rows of a table of the results; `offset`, `limit`, `pod`."""
        return Page.model_validate(self.send("GET", f"/runs/{run}/results/tables/{table}", params=query).json())

    def result_bytes(self, run: UUID, name: str) -> bytes:
        """The content of a file of the results."""
        stem, _, suffix = name.rpartition(".")
        path = f"tables/{stem}/parquet" if suffix == "parquet" else f"files/{name}"
        return self.send("GET", f"/runs/{run}/results/{path}").content

    def download_results(self, run: UUID, folder: Path) -> Path:
        """All files of the results into a folder, which is made where it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for found in self.results(run):
            (folder / Path(found.name).name).write_bytes(self.result_bytes(run, found.name))
        return folder


def is_ready(url: str) -> bool:
    """Whether a service answers at this address."""
    try:
        return httpx.get(f"{url}/health/ready").status_code == HTTPStatus.OK
    except httpx.HTTPError:
        return False
