"""A site of its own for each test, and browsers that visit it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from podium.service import accounts, passwords
from podium.service.access import COOKIE_NAME
from podium.service.accounts import Role
from podium.service.installation import Installation, opened
from podium.service.settings import Settings
from podium.web.app import create_site
from service.conftest import serving

PASSWORD = "correct horse battery"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: The machine may be busy with other tests.
PATIENCE_MS = 60_000
SignedIn = Callable[..., Page]


def at(address: str) -> re.Pattern[str]:
    """An address of the site, for `to_have_url`."""
    return re.compile(r"^http://[^/]+" + re.escape(address) + "$")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser for all tests of a process."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here, so no page is tested in a browser (Debian: apt-get install chromium)")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 at its least cost: tests hash many passwords, and none that is worth guessing."""
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(passwords, "_argon2", lambda: cheap)
    passwords._nobody.cache_clear()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a site without workers; tests compute runs themselves."""
    return Settings.read(data=tmp_path / "data", workers=0, cores_per_run=1)


@pytest.fixture
def place(settings: Settings) -> Iterator[Installation]:
    """The installation, set up and without users."""
    with opened(settings) as found:
        yield found


@pytest.fixture
def url(place: Installation) -> Iterator[str]:
    """Address of the site, served by this process."""
    with serving(place, create_site) as found:
        yield found


@contextmanager
def visiting(browser: Browser, url: str, time_zone: str | None = None) -> Iterator[BrowserContext]:
    """A browser without cookies, which reaches this site alone: a request to another one fails the test."""
    foreign: list[str] = []
    made = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900}, timezone_id=time_zone)
    made.set_default_timeout(PATIENCE_MS)
    made.on("request", lambda request: None if _is_own(request.url, url) else foreign.append(request.url))
    try:
        yield made
    finally:
        made.close()
    assert foreign == [], "requests that leave the server"


@pytest.fixture
def context(browser: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser of somebody who has not signed in."""
    with visiting(browser, url) as found:
        yield found


def _is_own(address: str, url: str) -> bool:
    return address.startswith(("data:", "blob:", "about:")) or urlsplit(address).netloc == urlsplit(url).netloc


@pytest.fixture
def tab(context: BrowserContext) -> Page:
    """A tab of nobody in particular."""
    return context.new_page()


def open_tab(chosen: Locator) -> None:
    """Choose a tab of a page, whose panel comes from the server, and wait for what it shows."""
    page = chosen.page
    if chosen.get_attribute("aria-selected") != "true":
        page.locator(".nicegui-tab-panel:visible").evaluate("panel => { panel.dataset.left = '' }")
        chosen.click()
    expect(page.locator(".nicegui-tab-panel:not([data-left]):visible *").first).to_be_attached()


@pytest.fixture
def signed_in(context: BrowserContext, place: Installation, url: str) -> SignedIn:
    """Makes a user of an address and role, and gives a tab of this browser in which that one has signed in."""

    def visitor(email: str = "ada@example.org", role: Role = Role.operator) -> Page:
        user = accounts.add_user(place, email, email.partition("@")[0].title(), PASSWORD, role)
        context.add_cookies([{"name": COOKIE_NAME, "value": accounts.open_login(place, user.id), "url": url}])
        return context.new_page()

    return visitor
