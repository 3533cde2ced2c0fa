"""The first visit, signing in and out, registering, a lost password: in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from podium.service import accounts
from podium.service.accounts import Role
from podium.service.installation import Installation
from podium.service.routes.accounts import setup_code
from podium.web import shell
from service import test_mail
from web.conftest import PASSWORD, SignedIn, at

NEW = "another long password"
letters = test_mail.letters


@pytest.fixture
def ada(place: Installation) -> str:
    """A user with an account; returns the address."""
    return accounts.add_user(place, "ada@example.org", "Ada", PASSWORD, Role.operator).email


def sign_in(tab: Page, email: str, password: str) -> None:
    """Fill the form of /sign-in, and send it by the key that people use."""
    tab.get_by_label("E-mail").fill(email)
    tab.get_by_label("Password").fill(password)
    tab.keyboard.press("Enter")


def fill_account(tab: Page, password: str = PASSWORD, again: str = PASSWORD) -> None:
    """Fill a form that makes an account for Ada, and send it."""
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_label("E-mail").fill("ada@example.org")
    tab.get_by_label("New password").fill(password)
    tab.get_by_label("The same again").fill(again)
    tab.get_by_role("button", name="Make the account").click()


def test_the_first_visit_makes_the_admin(tab: Page) -> None:
    """An empty server leads to /setup; who makes the account is signed in, and later visitors are led to sign in."""
    tab.goto("/")
    expect(tab).to_have_url(at("/setup"))
    fill_account(tab)
    expect(tab).to_have_url(at("/"))
    expect(tab.get_by_role("link", name="Admin")).to_be_visible()
    tab.goto("/setup")
    expect(tab).not_to_have_url(at("/setup"))


def test_a_server_that_others_reach_asks_for_its_code(tab: Page, place: Installation) -> None:
    """A wrong code is refused in words, the right one makes the admin."""
    object.__setattr__(place.settings, "host", "0.0.0.0")
    tab.goto("/setup")
    tab.get_by_label("Setup code").fill("guessed")
    fill_account(tab)
    expect(tab.get_by_role("alert")).to_have_text("The setup code is wrong; it was shown where the server was started.")
    tab.get_by_label("Setup code").fill(setup_code(place))
    tab.get_by_role("button", name="Make the account").click()
    expect(tab).to_have_url(at("/"))


def test_what_is_wrong_stands_below_its_field(tab: Page) -> None:
    """A short password, an address that is none, two passwords that differ; the first wrong field gets the focus."""
    tab.goto("/setup")
    fill_account(tab, "short", "shorter")
    expect(tab.get_by_label("The same again")).to_have_accessible_description("The same password as above.")
    tab.get_by_label("The same again").fill("short")
    tab.get_by_label("E-mail").fill("nowhere")
    tab.get_by_role("button", name="Make the account").click()
    expect(tab.get_by_label("E-mail")).to_be_focused()
    for name, words in (("E-mail", "such as ada@example.org"), ("New password", "At least 10 characters. At least")):
        expect(tab.get_by_label(name)).to_have_attribute("aria-invalid", "true")
        expect(tab.get_by_label(name)).to_have_accessible_description(re.compile(words))


def test_signing_in_leads_on_to_where_one_wanted(tab: Page, ada: str) -> None:
    """A wrong password is told in words that do not tell who has an account."""
    tab.goto("/studies")
    expect(tab).to_have_url(at("/sign-in?next=%2Fstudies"))
    sign_in(tab, ada, "not the password")
    expect(tab.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    sign_in(tab, "nobody@example.org", PASSWORD)
    expect(tab.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    sign_in(tab, ada, PASSWORD)
    expect(tab).to_have_url(at("/studies"))
    tab.goto("/sign-in")
    expect(tab).to_have_url(at("/"))


@pytest.mark.parametrize("foreign", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_to_no_other_server(tab: Page, ada: str, foreign: str) -> None:
    tab.goto(f"/sign-in?next={foreign}")
    sign_in(tab, ada, PASSWORD)
    expect(tab).to_have_url(at("/"))


def test_signing_out_ends_the_session_in_all_tabs(
    signed_in: SignedIn, place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tab of the same session leaves its page by itself, and the cookie is worth nothing."""
    monkeypatch.setattr(shell, "_SECONDS_BETWEEN_CHECKS", 0.3)
    first = signed_in()
    second = first.context.new_page()
    for tab in (first, second):
        tab.goto("/")
    cookie = next(found["value"] for found in first.context.cookies() if found["name"] == "podium_session")
    first.get_by_label("Your account, Ada").click()
    first.get_by_role("button", name="Sign out").click()
    for tab in (first, second):
        expect(tab).to_have_url(at("/sign-in"))
    assert accounts.caller_by_cookie(place, cookie) is None


def test_registering_makes_an_operator(tab: Page, place: Installation) -> None:
    accounts.add_user(place, "boss@example.org", "Boss", PASSWORD, Role.admin)
    tab.goto("/sign-in")
    tab.get_by_role("link", name="Make an account").click()
    fill_account(tab)
    expect(tab.get_by_role("status")).to_have_text("If the address had no account, it has one now: sign in.")
    tab.get_by_role("link", name="Back to sign in").click()
    sign_in(tab, "ada@example.org", PASSWORD)
    expect(tab).to_have_url(at("/"))
    with place.database.reading() as session:
        assert {user.email: user.role for user in accounts.users(session)}["ada@example.org"] == "operator"


@pytest.mark.usefixtures("ada")
def test_where_mail_is_set_up_the_letter_makes_the_account(tab: Page, letters: test_mail.Letters) -> None:
    """Signing in fails until the link of the letter was confirmed by a click; it works once."""
    tab.goto("/register")
    tab.get_by_label("Name").fill("Bob")
    tab.get_by_label("E-mail").fill("bob@example.org")
    tab.get_by_label("New password").fill(NEW)
    tab.get_by_label("The same again").fill(NEW)
    tab.get_by_role("button", name="Make the account").click()
    expect(tab.get_by_role("status")).to_have_text("A letter is under way; its link makes the account.")
    link = re.search(r"http://[^/]+(/confirm\?token=\S+)", test_mail.received(letters, 1)[2])
    assert link is not None
    tab.goto("/sign-in")
    sign_in(tab, "bob@example.org", NEW)
    expect(tab.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    tab.goto(link[1])
    tab.get_by_role("button", name="Confirm").click()
    expect(tab).to_have_url(at("/sign-in"))
    sign_in(tab, "bob@example.org", NEW)
    expect(tab).to_have_url(at("/"))
    tab.goto(link[1])
    tab.get_by_role("button", name="Confirm").click()
    expect(tab.get_by_role("alert")).to_have_text("This link is no longer valid; register again, or sign in.")


@pytest.mark.usefixtures("ada")
def test_registration_that_is_off_is_not_offered(tab: Page, place: Installation) -> None:
    object.__setattr__(place.settings, "registration", False)
    tab.goto("/sign-in")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    expect(tab.get_by_role("link", name="Make an account")).to_have_count(0)
    tab.goto("/register")
    expect(tab.get_by_role("main")).to_contain_text("Registration is switched off")
    expect(tab.get_by_role("textbox")).to_have_count(0)


def test_a_lost_password_is_replaced_by_the_letters_link(tab: Page, ada: str, letters: test_mail.Letters) -> None:
    """The letter that a real mail server takes leads to a page that sets the password; its link works once."""
    tab.goto("/sign-in")
    tab.get_by_role("link", name="Lost your password?").click()
    tab.get_by_label("E-mail").fill(ada)
    tab.get_by_role("button", name="Send the letter").click()
    expect(tab.get_by_role("status")).to_have_text("If the address has an account, a letter is under way.")
    link = re.search(r"http://[^/]+(/reset-password\?token=\S+)", test_mail.received(letters, 1)[2])
    assert link is not None
    for told in (None, "This link is no longer valid; ask for a new one."):
        tab.goto(link[1])
        tab.get_by_label("New password").fill(NEW)
        tab.get_by_label("The same again").fill(NEW)
        tab.get_by_role("button", name="Set the password").click()
        if told is None:
            expect(tab).to_have_url(at("/sign-in"))
        else:
            expect(tab.get_by_role("alert")).to_have_text(told)
    tab.goto("/sign-in")
    sign_in(tab, ada, NEW)
    expect(tab).to_have_url(at("/"))


@pytest.mark.usefixtures("ada")
def test_a_server_without_mail_says_who_can_help(tab: Page) -> None:
    tab.goto("/reset-password")
    expect(tab.get_by_role("main")).to_contain_text("podium user passwd")
