"""Every route of the OpenAPI, without login, as another user, and with a token that lacks the scope."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from podium.client import Client
from podium.service import jobs
from podium.service.accounts import Role, Scope
from podium.service.installation import Installation
from podium.study.composition import Composition, Plants
from service.conftest import Visit
from unit.study_folders import one_home, write_files

#: Routes for visitors who have not signed in; all others must refuse them.
OPEN = {
    ("GET", "/api/v1/setup"),
    ("POST", "/api/v1/setup"),
    ("POST", "/api/v1/register"),
    ("POST", "/api/v1/register/confirm"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/password-reset"),
    ("POST", "/api/v1/password-reset/confirm"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
}
Route = tuple[str, str]
SECRET = "the-name-of-a-private-study"
RECORDS = {
    "name": "One load",
    "time_zone": "Europe/Rome",
    "start": "2018-05-14",
    "days": 1,
    "pods": [{"pod": "home", "buy_eur_per_kwh": 0.3, "sell_eur_per_kwh": 0.1}],
}
COMPOSITION = Composition(name="One home", start=date(2018, 3, 13), plants=(Plants(template="home"),))


def routes(client: Client) -> list[Route]:
    """Method and path of every route."""
    paths: dict[str, dict[str, Any]] = client.http.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.fixture
def filled(visit: Visit, place: Installation, tmp_path: Path) -> dict[str, str]:
    """What Ada has, as parameters of routes: a study with a run that is done, a share, a token, a user."""
    ada = visit("ada@example.org")
    study = ada.upload_study(write_files(tmp_path / "study", one_home()), name=SECRET)
    run = ada.start_run(study.id)
    job = jobs.take(place)
    assert job is not None
    folder = place.run_folder(run.id) / job.attempt
    write_files(folder, {"summary.json": "{}"})
    assert jobs.end(place, job, "done", summary={"study": SECRET})
    return {
        "study": str(study.id),
        "run": str(run.id),
        "share": str(ada.share_study(study.id, "carl@example.org").id),
        "token_id": str(ada.make_token("t", [Scope.runs_read]).id),
        "configuration": str(ada.keep_configuration(SECRET, COMPOSITION).id),
        "user_id": str(ada.send("GET", "/session").json()["user_id"]),
        "table": "pods",
        "kind": "csv",
        "name": "summary.json",
    }


def ask(client: Client, route: Route, values: dict[str, str]) -> tuple[int, str]:
    """Status and text of an answer; bodies are such that a route that looks at them would take them."""
    method, path = route
    bodies = {
        "/api/v1/runs": {"study": values["study"]},
        "/api/v1/studies/{study}/shares": {"email": "eve@example.org"},
        "/api/v1/users": {"email": "new@example.org", "name": "New", "password": "a long password"},
        "/api/v1/users/{user_id}": {"role": "admin"},
        "/api/v1/tokens": {"name": "t", "scopes": ["runs:read"]},
        "/api/v1/profile/password": {"old": "a long password", "new": "another password"},
        "/api/v1/studies/from-text": {"files": one_home()},
        "/api/v1/studies/from-json": RECORDS,
        "/api/v1/studies/from-composition": {"composition": COMPOSITION.model_dump(mode="json")},
        "/api/v1/compositions/needs": {"composition": COMPOSITION.model_dump(mode="json")},
        "/api/v1/configurations": {"name": "c", "composition": COMPOSITION.model_dump(mode="json")},
    }
    body = bodies.get(path, {"name": "taken"})
    given: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": body}
    if path in ("/api/v1/studies", "/api/v1/studies/validation") and method == "POST":
        given = {"files": [("files", (name, text)) for name, text in one_home().items()]}
    if path == "/api/v1/configurations/{configuration}/profiles":
        given = {"files": {"files": ("own.csv", one_home()["prices.csv"])}}
    filled_path = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], path)
    response = client.http.request(method, filled_path, **given)
    return response.status_code, response.text


def test_without_login_every_route_refuses(visit: Visit, filled: dict[str, str]) -> None:
    """401 from all but the open ones, whatever is sent; with a wrong token and a wrong cookie too."""
    stranger, forger = visit(), visit(token="podium_" + "x" * 43)
    thief = visit()
    thief.http.cookies.set("podium_session", "x" * 43)
    found = [route for route in routes(stranger) if route not in OPEN]
    assert len(found) > 30
    for client in (stranger, forger, thief):
        answers = {route: ask(client, route, filled) for route in found}
        assert {route: status for route, (status, _) in answers.items() if status != 401} == {}
        assert not any(SECRET in text for _, text in answers.values())


def test_another_user_reads_and_changes_nothing(visit: Visit, filled: dict[str, str]) -> None:
    """As operator and as admin: routes that name Ada's things answer 404, and none shows her study's name."""
    for email, role in (("eve@example.org", Role.operator), ("boss@example.org", Role.admin)):
        eve = visit(email, role)
        named = [route for route in routes(eve) if re.search(r"\{(study|run|share|token_id|configuration)\}", route[1])]
        assert len(named) > 15
        answers = {route: ask(eve, route, filled) for route in named}
        assert {route: status for route, (status, _) in answers.items() if status != 404} == {}
        lists = [ask(eve, route, filled) for route in routes(eve) if route[0] == "GET" and "{" not in route[1]]
        assert not any(SECRET in text for _, text in [*answers.values(), *lists])
        assert ask(eve, ("POST", "/api/v1/runs"), filled)[0] == 404
        assert ask(eve, ("GET", "/api/v1/runs"), filled) == (200, "[]")


def test_a_token_without_scope_may_do_nothing(visit: Visit, filled: dict[str, str]) -> None:
    """Each scope opens its own routes and no others; none opens accounts and administration."""
    admin = visit("boss@example.org", Role.admin)
    opened: dict[Route, set[str]] = {}
    for scope in Scope:
        program = visit(token=admin.make_token(scope, [scope]).token)
        for route in routes(program):
            if route not in OPEN and ask(program, route, filled)[0] != 403:
                opened.setdefault(route, set()).add(scope)
    assert all(len(scopes) == 1 for scopes in opened.values())
    closed = [path for _, path in set(routes(admin)) - OPEN - set(opened)]
    assert {path.split("/")[3] for path in closed} == {"session", "profile", "tokens", "users", "queue"}
    for (method, _), (scope,) in opened.items():
        assert scope.endswith("read") == (method == "GET")


def test_answers_forbid_what_browsers_would_do(visit: Visit) -> None:
    """No sniffing, no frames, no scripts, no caches; no other site may read answers; foreign host names are refused."""
    client = visit("ada@example.org")
    headers = client.http.get("/api/v1/studies", headers={"Origin": "https://evil.example"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "access-control-allow-origin" not in headers
    rebound = client.http.get("/api/v1/studies", headers={"Host": "evil.example"})
    assert rebound.status_code == 400
    missing = client.http.get("/api/v1/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


def test_an_id_that_is_none_is_no_error_of_the_server(visit: Visit) -> None:
    client = visit("ada@example.org")
    for path in ("/studies/x", "/runs/%00", f"/runs/{UUID(int=0)}", f"/studies/{UUID(int=0)}/tables/%2e%2e"):
        assert client.http.get("/api/v1" + path).status_code in (404, 422)
