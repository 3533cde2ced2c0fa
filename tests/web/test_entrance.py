"""Signing in and out, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from podium.service.accounts import Role
from web.conftest import PASSWORD, SignedIn


def test_the_first_visit_makes_the_admin(tab: Page) -> None:
    """An empty server leads to /setup; who makes the account is signed in, and later visitors are led to sign in."""
    tab.goto("/")
    expect(tab).to_have_url(re.compile(r"/setup$"))
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_label("E-mail").fill("ada@example.org")
    tab.get_by_label("New password").fill(PASSWORD)
    tab.get_by_label("The same again").fill(PASSWORD)
    tab.get_by_role("button", name="Make the account").click()
    expect(tab.get_by_role("heading", name="Good to see you, Ada")).to_be_visible()
    expect(tab.get_by_role("link", name="Admin")).to_be_visible()


def test_the_navigation_shows_what_the_role_may(signed_in: SignedIn) -> None:
    """A viewer neither configures nor administers."""
    tab = signed_in(role=Role.viewer)
    tab.goto("/")
    pages = tab.get_by_role("navigation", name="Pages").get_by_role("link")
    expect(pages).to_have_text(["Home", "Studies", "Runs"])
