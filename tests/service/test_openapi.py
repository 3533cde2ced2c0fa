"""The OpenAPI is true: whatever fits it, and whatever does not, is answered as it says, and never by a failure."""

from __future__ import annotations

from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from podium.client import Client
from podium.service import jobs
from podium.service.accounts import Role
from podium.service.installation import Installation
from podium.service.worker import compute
from podium.study.composition import Composition, Plants
from service.conftest import Visit
from unit.study_folders import one_home, write_files

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
COMPOSITION = Composition(name="One home", start=date(2018, 3, 13), plants=(Plants(template="home"),))
#: Routes that end what the test stands on.
ENDING = {
    ("DELETE", "/api/v1/session"),
    ("DELETE", "/api/v1/studies/{study}"),
    ("DELETE", "/api/v1/runs/{run}"),
    ("DELETE", "/api/v1/configurations/{configuration}"),
}


@pytest.fixture
def admin(visit: Visit, place: Installation, tmp_path: Path) -> tuple[Client, dict[str, str]]:
    """An admin, and parameters of routes that lead to something: a study, a run with results."""
    object.__setattr__(place.settings, "login_failures_max", 10_000)
    object.__setattr__(place.settings, "address_failures_max", 10_000)
    client = visit("boss@example.org", Role.admin)
    study = client.upload_study(write_files(tmp_path / "study", one_home()))
    run = client.start_run(study.id)
    job = jobs.take(place)
    assert job is not None
    compute(place, job)
    kept = client.keep_configuration("One home", COMPOSITION)
    real = {"study": str(study.id), "run": str(run.id), "table": "pods", "name": "summary.json"}
    return client, real | {"configuration": str(kept.id)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_route_answers_as_the_openapi_says(
    admin: tuple[Client, dict[str, str]], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that fit the schema and requests that do not, to made-up things and to real ones."""
    monkeypatch.setenv("NO_PROXY", "*")
    client, real = admin
    session = {"headers": {"X-CSRF-Token": client.http.headers["X-CSRF-Token"]}, "cookies": dict(client.http.cookies)}
    operations = [found.ok() for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations()]
    assert len({operation.definition.raw["operationId"] for operation in operations}) == len(operations) > 40
    for operation in operations:
        route = (operation.method.upper(), operation.path)
        if route != ("DELETE", "/api/v1/session"):
            checked(operation, {} if route in ENDING else real, url, session)
    assert client.send("GET", "/session").status_code == 200


def checked(operation: Any, real: dict[str, str], url: str, session: dict[str, Any]) -> None:
    """Send some requests to an operation, every other to real things, and compare the answers with its description."""
    number = count()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=either(operation))
    def check(case: Any) -> None:
        if next(number) % 2:
            parameters = case.path_parameters or {}
            parameters.update({name: value for name, value in real.items() if name in parameters})
        case.call_and_validate(checks=CHECKS, base_url=url, **session)

    check()


def either(operation: Any) -> Any:
    """Requests that fit an operation's schema, and requests that do not."""
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    return fitting | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
