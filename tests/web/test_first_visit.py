"""From an empty folder to a result, by `podium serve` and a browser alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from podium.client import Client
from service.test_serve import Server, serving
from web.conftest import PASSWORD

#: Half a minute where nothing else runs; tests may have company.
PATIENCE_SECONDS = 400


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with serving(tmp_path) as found:
        yield found


def test_the_demo_is_one_click_away(browser: Browser, server: Server) -> None:
    """The first visitor makes the admin's account and clicks once; the run ends checked, without a violation."""
    with browser.new_context(base_url=server.url) as context:
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        tab = context.new_page()
        tab.goto("/")
        tab.get_by_label("Name").fill("Ada")
        tab.get_by_label("E-mail").fill("ada@example.org")
        tab.get_by_label("New password").fill(PASSWORD)
        tab.get_by_label("The same again").fill(PASSWORD)
        tab.get_by_role("button", name="Make the account").click()
        tab.get_by_role("button", name="Run the demo study").click()
        tab.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
        run = UUID(tab.url.rpartition("/")[2])
    with Client(server.url) as client:
        client.sign_in("ada@example.org", PASSWORD)
        done = client.wait(run, PATIENCE_SECONDS)
    assert done.state == "done"
    assert done.summary is not None
    assert (done.pods, done.summary["check"]["violations"]) == (200, 0)
