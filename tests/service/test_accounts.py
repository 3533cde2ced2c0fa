"""Users: who may sign in, what they may do, and that nothing tells a stranger who has an account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from http import HTTPStatus

import pytest
from sqlalchemy import select, text, update

from podium.client import Client, ProblemError
from podium.errors import InputError
from podium.service import accounts, commands, passwords
from podium.service.accounts import Role
from podium.service.installation import Installation
from podium.service.passwords import _argon2 as real_argon2
from podium.service.problems import TooManyError
from podium.service.settings import Settings
from podium.service.tables import Base, Login, User, now
from service.conftest import PASSWORD, Visit

NEW = "another long password"


def refused(client: Client, method: str, path: str, status: int, code: str, **given: object) -> dict[str, object]:
    """A request that is refused so; returns the whole answer."""
    with pytest.raises(ProblemError) as caught:
        client.send(method, path, **given)
    assert (caught.value.status, caught.value.code) == (status, code)
    return dict(caught.value.content)


def test_the_first_visitor_becomes_admin_and_only_the_first(visit: Visit) -> None:
    """Of five that come at once one is made admin; the others, and all later ones, are told to sign in."""
    assert visit().send("GET", "/setup").json()["needed"]
    visitors = [visit() for _ in range(5)]

    def come(number: int) -> str:
        try:
            return visitors[number].set_up(f"user{number}@example.org", "First", PASSWORD).role
        except ProblemError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(come, range(5))) == ["admin", *["conflict"] * 4]
    assert not visit().send("GET", "/setup").json()["needed"]


def test_a_server_that_others_reach_asks_for_the_code_it_showed(place: Installation, visit: Visit) -> None:
    """Whoever is quicker than the owner lacks the code."""
    object.__setattr__(place.settings, "host", "0.0.0.0")
    place.settings.__dict__.pop("local_only", None)
    from podium.service.routes.accounts import setup_code

    assert visit().send("GET", "/setup").json()["code_needed"]
    for wrong in ("", "0" * 16, setup_code(place)[:-1]):
        with pytest.raises(ProblemError, match="forbidden"):
            visit().set_up("a@example.org", "A", PASSWORD, wrong)
    assert visit().set_up("a@example.org", "A", PASSWORD, setup_code(place)).role == Role.admin


def test_a_session_begins_and_ends(visit: Visit) -> None:
    """The cookie is out of reach of scripts and other sites; after signing out it opens nothing, wherever it is."""
    client = visit("ada@example.org")
    response = client.http.post("/api/v1/session", json={"email": " ADA@example.org ", "password": PASSWORD})
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie, "plain http on this machine"
    client.http.headers["X-CSRF-Token"] = response.json()["csrf_token"]
    kept = dict(client.http.cookies)
    assert client.send("GET", "/session").json()["email"] == "ada@example.org"
    client.sign_out()
    assert not client.http.cookies
    client.http.cookies.update(kept)
    refused(client, "GET", "/session", 401, "not-signed-in")


def test_a_session_is_over_in_time(place: Installation, visit: Visit) -> None:
    client = visit("ada@example.org")
    with place.database.writing() as session:
        session.execute(update(Login).values(expires_at=now() - timedelta(seconds=1)))
    refused(client, "GET", "/session", 401, "not-signed-in")


def test_cookies_are_secure_where_users_come_by_https(place: Installation, visit: Visit) -> None:
    object.__setattr__(place.settings, "public_url", "https://podium.example")
    visit("ada@example.org")
    response = visit().http.post("/api/v1/session", json={"email": "ada@example.org", "password": PASSWORD})
    assert "secure" in response.headers["set-cookie"].lower()
    assert "max-age" in response.headers["strict-transport-security"]


def test_a_foreign_page_can_change_nothing(visit: Visit) -> None:
    """A change needs the session's own token; browsers that say a request is foreign are believed."""
    client, other = visit("ada@example.org"), visit("bob@example.org")
    token = client.http.headers.pop("X-CSRF-Token")
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": other.http.headers["X-CSRF-Token"]}):
        refused(client, "PATCH", "/profile", 403, "csrf", json={"name": "x"}, headers=wrong)
    good = {"X-CSRF-Token": token}
    assert client.send("PATCH", "/profile", json={"name": "Ada"}, headers=good).json()["name"] == "Ada"
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        refused(client, "PATCH", "/profile", 403, "csrf", json={"name": "x"}, headers=good | foreign)
        sign_in = {"email": "ada@example.org", "password": PASSWORD}
        refused(visit(), "POST", "/session", 403, "csrf", json=sign_in, headers=foreign)


def test_nothing_tells_who_has_an_account(settings: Settings, visit: Visit) -> None:
    """Wrong password and unknown address, known and new address at registration: the same answers."""
    visit("ada@example.org")
    answers = []
    for email in ("ada@example.org", "nobody@example.org"):
        content = refused(
            visit(), "POST", "/session", 401, "not-signed-in", json={"email": email, "password": "wrong password"}
        )
        registered = visit().send("POST", "/register", json={"email": email, "name": "x", "password": NEW})
        answers.append((content, registered.status_code, registered.json()))
    assert answers[0] == answers[1]
    visit().sign_in("nobody@example.org", NEW)
    with pytest.raises(ProblemError, match="wrong"):
        visit().sign_in("ada@example.org", NEW)
    object.__setattr__(settings, "registration", False)
    refused(visit(), "POST", "/register", 403, "forbidden", json={"email": "c@d", "name": "x", "password": NEW})


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_guessing_is_stopped(place: Installation, visit: Visit, email: str) -> None:
    """Five tries are judged, however many come at once; then even the right password must wait, known or not."""
    visit("ada@example.org")
    visitors = [visit() for _ in range(12)]

    def guess(number: int) -> int:
        try:
            visitors[number].sign_in(email, f"wrong password {number}")
        except ProblemError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(12) as pool:
        found = sorted(pool.map(guess, range(12)))
    assert found == [401] * 5 + [429] * 7
    wrong = visit().http.post("/api/v1/session", json={"email": email, "password": PASSWORD})
    assert (wrong.status_code, wrong.headers["retry-after"]) == (429, "900")
    with place.database.writing() as session:
        session.execute(text("DELETE FROM login_failure"))
    if email == "ada@example.org":
        visit().sign_in(email, PASSWORD)


def test_signing_in_rightly_costs_no_tries(visit: Visit) -> None:
    """Four wrong ones, a right one, four wrong ones, a right one."""
    visit("ada@example.org")
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(ProblemError, match="401"):
                visit().sign_in("ada@example.org", "wrong password")
        visit().sign_in("ada@example.org", PASSWORD)


def test_a_token_does_what_its_scopes_say(place: Installation, visit: Visit) -> None:
    """It is shown once, reads but does not write, opens no account, and ends: by time, by deletion, by locking."""
    owner = visit("ada@example.org")
    made = owner.make_token("reader", ["studies:read"], days=3)
    assert made.token.startswith("podium_")
    assert made.token not in owner.send("GET", "/tokens").text
    program = visit(token=made.token)
    assert program.studies() == []
    for method, path in (("POST", "/studies/from-example"), ("GET", "/runs"), ("GET", "/session"), ("GET", "/tokens")):
        refused(program, method, path, 403, "forbidden", **({"json": {}} if method == "POST" else {}))
    refused(visit(token=made.token + "x"), "GET", "/studies", 401, "not-signed-in")
    other = visit("bob@example.org")
    refused(other, "DELETE", f"/tokens/{made.id}", 404, "not-found")
    owner.send("DELETE", f"/tokens/{made.id}")
    refused(program, "GET", "/studies", 401, "not-signed-in")
    late = visit(token=owner.make_token("late", ["studies:read"]).token)
    with place.database.writing() as session:
        session.execute(text("UPDATE api_token SET expires_at = '2020-01-01 00:00:00'"))
    refused(late, "GET", "/studies", 401, "not-signed-in")


def test_no_password_or_token_is_kept_as_it_is(place: Installation, visit: Visit) -> None:
    """Nothing in the whole database contains the password, the cookie, or the token."""
    client = visit("ada@example.org")
    secrets = [PASSWORD, client.http.cookies["podium_session"], client.make_token("t", ["runs:read"]).token]
    with place.database.reading() as session:
        kept = "".join(str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table)))
        user = session.scalars(select(User)).one()
    assert "ada@example.org" in kept
    assert not any(secret in kept for secret in secrets)
    assert user.password_hash.startswith("$argon2id$")


def test_argon2_is_as_dear_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MB and three passes (RFC 9106, for machines with little memory); and who finds no turn is told to wait."""
    monkeypatch.setattr(passwords, "_argon2", real_argon2)
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in passwords.hashed(PASSWORD)
    monkeypatch.setattr(passwords, "_WAIT_SECONDS", 0.01)
    with ExitStack() as turns:
        for _ in range(4):
            turns.enter_context(passwords._turn())
        with pytest.raises(TooManyError):
            passwords.hashed(PASSWORD)


def test_a_new_password_ends_all_other_sessions(visit: Visit) -> None:
    here, there = visit("ada@example.org"), visit()
    there.sign_in("ada@example.org", PASSWORD)
    refused(here, "PUT", "/profile/password", 403, "forbidden", json={"old": "wrong", "new": NEW})
    here.send("PUT", "/profile/password", json={"old": PASSWORD, "new": NEW})
    assert here.send("GET", "/session").status_code == HTTPStatus.OK
    refused(there, "GET", "/session", 401, "not-signed-in")
    there.sign_in("ada@example.org", NEW)


def test_roles_are_kept_apart(visit: Visit) -> None:
    """Viewers make nothing, operators manage nobody, and the last admin stays one."""
    admin, operator = visit("admin@example.org", Role.admin), visit("op@example.org")
    viewer = visit("viewer@example.org", Role.viewer)
    refused(viewer, "POST", "/studies/from-example", 403, "forbidden", json={})
    for client in (viewer, operator):
        for path in ("/users", "/queue"):
            refused(client, "GET", path, 403, "forbidden")
    ids = {user["email"]: user["id"] for user in admin.send("GET", "/users").json()}
    made = {"email": "New@Example.org", "name": "New", "password": PASSWORD, "role": "viewer"}
    assert admin.send("POST", "/users", json=made).json()["email"] == "new@example.org"
    refused(admin, "POST", "/users", 409, "conflict", json=made)
    refused(admin, "PATCH", f"/users/{ids['admin@example.org']}", 409, "conflict", json={"role": "viewer"})
    refused(admin, "PATCH", f"/users/{ids['admin@example.org']}", 409, "conflict", json={"active": False})
    token = operator.make_token("t", ["studies:read"]).token
    admin.send("PATCH", f"/users/{ids['op@example.org']}", json={"active": False})
    for locked in (operator, visit(token=token)):
        refused(locked, "GET", "/studies", 401, "not-signed-in")
    with pytest.raises(ProblemError, match="wrong"):
        visit().sign_in("op@example.org", PASSWORD)


def test_what_is_wrong_with_a_request_is_told_without_secrets(visit: Visit) -> None:
    """Each field at fault once, in one shape; a password that is too short is not repeated."""
    content = refused(
        visit(), "POST", "/setup", 422, "request", json={"email": "no address", "name": "", "password": "secret"}
    )
    problems = content["problems"]
    assert isinstance(problems, list)
    assert [found["where"] for found in problems] == ["body.email", "body.name", "body.password"]
    assert "secret" not in str(content)


def test_commands_manage_users(place: Installation) -> None:
    """The functions behind `podium user`: addresses are kept in lower case, sessions end with the old password."""
    assert commands.add_user(place, "Ada@Example.org", "Ada", PASSWORD, commands.role_of("admin")) == "ada@example.org"
    assert commands.list_users(place) == [{"email": "ada@example.org", "name": "Ada", "role": "admin", "active": True}]
    for wrong in (("no address", PASSWORD), ("b@example.org", "short")):
        with pytest.raises(InputError):
            commands.add_user(place, wrong[0], "B", wrong[1], Role.viewer)
    with pytest.raises(InputError, match="viewer or operator or admin"):
        commands.role_of("king")
    with pytest.raises(InputError, match="podium user list"):
        commands.set_password(place, "nobody@example.org", PASSWORD)
    user = accounts.checked_user(place, "ada@example.org", PASSWORD)
    cookie = accounts.open_login(place, user.id)
    commands.set_password(place, "ADA@example.org", NEW)
    assert accounts.caller_by_cookie(place, cookie) is None
    assert accounts.checked_user(place, "ada@example.org", NEW).id == user.id
