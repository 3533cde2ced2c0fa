"""What holds for every page: who may see it, what it may load, who may speak to it, and how it can be used."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import nicegui
import pytest
from playwright.sync_api import expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from podium.service import accounts, configurations, runs, studies
from podium.service.access import COOKIE_NAME
from podium.service.accounts import Role, caller_of
from podium.service.composition_views import NewConfiguration
from podium.service.installation import Installation
from podium.service.logs import JsonLines
from podium.service.routes.studies import from_example
from podium.service.views import RunWish
from podium.study.composition import composition_of, parse_plants
from podium.web import page_log
from podium.web.app import page_policy
from processes import PATIENCE_SECONDS
from web.conftest import PASSWORD, SignedIn, at

#: Pages for visitors who have not signed in; all others must send them away.
OPEN = {"/setup", "/sign-in", "/register", "/confirm", "/reset-password"}


SECRET = "the-name-of-private-things"


def pages(**ids: UUID) -> list[str]:
    """Addresses of all pages; their parameters are the ids given by name, else those of nothing."""

    def known(found: re.Match[str]) -> str:
        return str(ids.get(found[1], UUID(int=0)))

    return sorted(re.sub(r"\{(\w+)[^}]*\}", known, path) for path in set(nicegui.Client.page_routes.values()))


@pytest.fixture
def client(url: str, place: Installation) -> Iterator[httpx.Client]:
    """Somebody without a browser, on a server that has users."""
    accounts.add_user(place, "boss@example.org", "Boss", PASSWORD, Role.admin)
    with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False) as found:
        yield found


def test_without_login_every_page_leads_to_sign_in(client: httpx.Client) -> None:
    """Also with a cookie that is none; nothing of a page is in the answer."""
    closed = [path for path in pages() if path not in OPEN]
    assert {"/", "/admin", "/profile", "/studies"} <= set(closed)
    for cookies in ({}, {COOKIE_NAME: "x" * 43}):
        client.cookies.update(cookies)
        for path in closed:
            answer = client.get(path)
            assert (answer.status_code, answer.content) == (303, b""), path
            assert answer.headers["location"].startswith("/sign-in"), path


def test_the_session_of_another_role_opens_no_admin_page(client: httpx.Client, place: Installation) -> None:
    user = accounts.add_user(place, "eve@example.org", "Eve", PASSWORD, Role.operator)
    client.cookies.set(COOKIE_NAME, accounts.open_login(place, user.id))
    answer = client.get("/admin")
    assert answer.status_code == 403
    assert "boss@example.org" not in answer.text


def test_another_user_reads_nothing(client: httpx.Client, place: Installation) -> None:
    """As operator and as admin: pages of Ada's things answer that there is nothing, and no list has their names."""
    ada = caller_of(accounts.add_user(place, "ada@example.org", "Ada", PASSWORD, Role.operator))
    study = studies.create(place, ada, from_example("one-home"), SECRET)
    run = runs.start(place, ada, RunWish(study=study.id), None).run
    composition = composition_of({"name": SECRET, "start": "2018-05-14", "plants": parse_plants("1 x home")})
    kept = configurations.keep(place, ada, NewConfiguration(name=SECRET, composition=composition))
    ids = {"study": study.id, "run": run.id, "configuration": kept.id, "wanted": kept.id}
    with place.database.reading() as session:
        boss = accounts.user_by_email(session, "boss@example.org")
    assert boss is not None
    eve = accounts.add_user(place, "eve@example.org", "Eve", PASSWORD, Role.operator)
    named = [path for path in pages(**ids) if any(str(known) in path for known in ids.values())]
    assert len(named) >= 4
    for user in (eve, boss):
        client.cookies.set(COOKIE_NAME, accounts.open_login(place, user.id))
        assert {path: client.get(path).status_code for path in named} == dict.fromkeys(named, 404)
        assert not any(SECRET in client.get(path).text for path in pages(**ids))


def test_pages_load_and_run_own_things_alone(client: httpx.Client) -> None:
    """Each answer has a nonce of its own, which every script in it has; nobody may frame pages, or keep them."""
    first, second = client.get("/sign-in"), client.get("/sign-in")
    policies = [answer.headers["content-security-policy"] for answer in (first, second)]
    nonces = [policy.partition("'nonce-")[2].partition("'")[0] for policy in policies]
    assert policies == [page_policy(nonce) for nonce in nonces]
    assert len(set(nonces)) == 2
    assert "script-src 'self' 'nonce-" in policies[0]
    assert "'unsafe-inline'" not in policies[0].partition("script-src")[2].partition(";")[0]
    assert first.text.count("<script") == first.text.count(f'<script nonce="{nonces[0]}"') > 3
    for name, value in {
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }.items():
        assert first.headers[name] == value
    assert "set-cookie" not in first.headers


def test_the_api_answers_as_without_pages(client: httpx.Client) -> None:
    """Unknown paths and methods of the API stay problem+json, and the OpenAPI knows no pages."""
    for method, path, status in (("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/session", 405)):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert client.get("/health/live").json() == {"status": "ok"}
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if not path.startswith(("/api/v1/", "/health/", "/metrics"))]


def test_an_unknown_address_is_a_page_that_says_so(client: httpx.Client) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
def test_no_foreign_page_opens_a_socket(url: str, client: httpx.Client, origin: str) -> None:
    """Neither a websocket nor polling; the own origin opens both."""
    socket = "/_nicegui_ws/socket.io/?EIO=4&transport="
    address = url.replace("http", "ws") + socket + "websocket"
    with pytest.raises(InvalidStatus) as caught:
        connect(address, origin=origin)  # type: ignore[arg-type]
    assert caught.value.response.status_code == 403
    refused = client.get(socket + "polling", headers={"Origin": origin})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
    assert client.post("/_nicegui/anything", headers={"Origin": origin}).status_code == 403
    with connect(address, origin=url):  # type: ignore[arg-type]
        pass
    assert client.get(socket + "polling", headers={"Origin": url}).status_code == 200


def test_a_socket_for_a_foreign_host_name_is_refused(url: str) -> None:
    """A name that somebody else pointed at this server opens nothing."""
    address = url.replace("http", "ws") + "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    headers = {"Host": "evil.example", "Origin": "http://evil.example"}
    with pytest.raises(InvalidStatus):
        connect(address, additional_headers=headers)


def test_a_link_on_another_site_opens_the_page(client: httpx.Client) -> None:
    """The browser holds the cookie back (SameSite=Strict) until a page of this server asks: so it asks once more."""
    answer = client.get("/studies?a=1&b=2", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0;url=/studies?a=1&amp;b=2"' in answer.text


def test_open_pages_are_limited(client: httpx.Client, place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers cannot fill the memory with pages; the API, and what open pages load, are answered all the same."""
    monkeypatch.setattr(nicegui.Client, "instances", {})  # those of earlier tests would be forgotten in the midst
    object.__setattr__(place.settings, "pages_max", 3)
    answers = [client.get("/sign-in") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert (answers[-1].json()["code"], answers[-1].headers["retry-after"]) == ("too-many", "60")
    assert client.get("/api/v1/setup").status_code == 200
    assert client.get(re.findall(r'href="(/_nicegui/[^"]+)"', answers[0].text)[0]).status_code == 200


def test_pages_write_little_into_the_log(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that floods it by lines, or by messages that do not fit, is cut short; that is told once a minute."""
    monkeypatch.setattr(page_log, "monotonic", lambda: 1e9)
    tab = signed_in()
    tab.goto("/")
    tab.wait_for_function("window.did_handshake")
    line = "{client_id: window.clientId, level: 'error', message: 'line ' + n}"
    for event, said in (("log", line), ("event", "{}"), ("javascript_response", "[n]"), ("log", "{level: 'loud'}")):
        tab.evaluate(f"for (let n = 0; n < 50; n++) window.socket.emit('{event}', {said})")
    tab.evaluate("new Promise(heard => window.socket.emit('log', {client_id: ''}, heard))")  # in order: all are heard
    told = [record for record in caplog.records if record.name in ("nicegui", "asyncio")]
    assert len(told) == page_log.LINES_PER_MINUTE
    assert told[0].getMessage() == "line 0"
    caplog.clear()
    monkeypatch.setattr(page_log, "monotonic", lambda: 1e9 + 60)
    tab.evaluate(f"n => new Promise(heard => window.socket.emit('log', {line}, heard))", "later")
    assert caplog.messages == ["170 lines of pages were left out", "line later"]


def test_no_entry_of_the_log_is_endless() -> None:
    """An error's message may hold what a visitor sent, a megabyte of it."""
    sent = "x" * 1_000_000
    try:
        raise KeyError(sent)
    except KeyError:
        record = logging.LogRecord("nicegui", logging.ERROR, "", 0, sent, None, sys.exc_info())
    entry = json.loads(JsonLines().format(record))
    assert (len(entry["message"]), len(entry["exception"])) == (20_000, 20_000)
    assert "KeyError: 'xxx" in entry["exception"]


def fail(*_: object) -> None:
    """Stands in for a part of the service that has an error."""
    raise RuntimeError("a secret of the inside")


def test_an_error_of_the_server_is_told_without_its_inside(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a page is made, and while it is used."""
    tab = signed_in(role=Role.admin)
    tab.goto("/admin")
    monkeypatch.setattr(accounts, "change_user", fail)
    tab.get_by_label("Role of ada@example.org").select_option("viewer")
    expect(tab.get_by_text("Something went wrong.")).to_be_visible()
    assert "a secret of the inside" not in tab.content()
    monkeypatch.setattr(studies, "studies_of", fail)
    answer = tab.goto("/studies")
    assert answer is not None
    assert answer.status == 500
    expect(tab.get_by_role("heading", name="Something went wrong")).to_be_visible()
    assert "a secret of the inside" not in tab.content()


def test_the_navigation_shows_what_the_role_may(signed_in: SignedIn) -> None:
    """A viewer neither configures nor administers."""
    tab = signed_in(role=Role.viewer)
    tab.goto("/")
    links = tab.get_by_role("navigation", name="Pages").get_by_role("link")
    expect(links).to_have_text(["Home", "Studies", "Runs"])
    expect(links.first).to_have_attribute("aria-current", "page")


def test_colours_follow_the_system_until_one_is_chosen(signed_in: SignedIn) -> None:
    """The choice outlasts the page, and goes back to the system's."""
    tab = signed_in()
    tab.emulate_media(color_scheme="dark")
    tab.goto("/")
    root = tab.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(tab.locator("body")).to_have_class(re.compile("body--dark"))
    tab.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")
    tab.get_by_role("button", name="Colours: as the system").click()
    expect(root).to_have_attribute("data-theme", "dark")
    tab.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    tab.get_by_role("button", name="Colours: dark").click()
    expect(root).to_have_attribute("data-theme", "light")


def test_by_keyboard_one_gets_to_the_content_and_to_the_menus(signed_in: SignedIn) -> None:
    """The first Tab is the skip link; menus open by Enter and close by Escape, with the focus where it was."""
    tab = signed_in()
    tab.goto("/")
    expect(tab.get_by_role("heading", name="Home")).to_be_visible()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("main")).to_be_focused()
    menu = tab.get_by_label("Your account, Ada")
    menu.focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("link", name="Profile and tokens")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("link", name="Profile and tokens")).to_be_hidden()
    expect(menu).to_be_focused()


def test_on_a_phone_the_pages_are_in_a_menu(signed_in: SignedIn) -> None:
    """Nothing is wider than the screen."""
    tab = signed_in()
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.goto("/")
    expect(tab.get_by_role("heading", name="Home")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    expect(tab.get_by_role("link", name="Studies", exact=True)).to_be_hidden()
    tab.locator("summary[aria-label=Pages]").click()
    tab.get_by_role("link", name="Studies", exact=True).click()
    expect(tab).to_have_url(at("/studies"))


def test_a_page_keeps_no_rights_that_its_user_lost(signed_in: SignedIn, place: Installation) -> None:
    """An admin made viewer in the meantime changes nothing on the page that is still open."""
    tab = signed_in(role=Role.admin)
    accounts.add_user(place, "boss@example.org", "Boss", PASSWORD, Role.admin)
    tab.goto("/admin")
    row = tab.get_by_role("row").filter(has_text="boss@example.org")
    expect(row).to_be_visible()
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
    assert ada is not None
    accounts.change_user(place, ada.id, Role.viewer, None)
    row.get_by_role("button", name="Lock").click()
    expect(tab.get_by_text("This takes the role admin.").first).to_be_visible()
    with place.database.reading() as session:
        assert all(user.active for user in accounts.users(session))


def test_no_text_of_a_user_becomes_code(repository: Path) -> None:
    """NiceGUI runs a line of props whose key begins with a colon as JavaScript: texts go into `props[...]` instead."""
    sources = sorted((repository / "src/podium/web").rglob("*.py"))
    assert len(sources) > 15
    assert [path.name for path in sources if re.search(r"\.props\(\s*f[\"']", path.read_text(encoding="utf-8"))] == []
