"""One's own account, in a browser."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import expect

from podium.service import accounts, configurations
from podium.service.accounts import Role, Scope, caller_of
from podium.service.composition_views import NewConfiguration
from podium.service.installation import Installation
from podium.study.composition import composition_of, parse_plants
from processes import PATIENCE_SECONDS
from web.conftest import PASSWORD, SignedIn, at
from web.test_configure import keep

NEW = "another long password"


def test_a_token_is_shown_once_and_works_until_it_is_revoked(signed_in: SignedIn, url: str) -> None:
    """It may do what was ticked; after a reload nothing shows its text."""
    tab = signed_in()
    tab.goto("/profile")
    tab.get_by_label("Name").last.fill("nightly import")
    tab.get_by_role("checkbox", name="read runs and their results").click()
    tab.get_by_role("button", name="Make a token").click()
    text = tab.locator("#pd-token").inner_text()
    assert text.startswith("podium_")
    expect(tab.get_by_role("table", name="API tokens").get_by_role("row")).to_have_count(2)
    bearer = {"Authorization": f"Bearer {text}"}
    with httpx.Client(base_url=url, headers=bearer, timeout=PATIENCE_SECONDS, trust_env=False) as program:
        assert program.get("/api/v1/studies").status_code == 200
        assert program.get("/api/v1/runs").status_code == 403
        tab.reload()
        expect(tab.get_by_role("cell", name="nightly import", exact=True)).to_be_visible()
        assert text not in tab.content()
        tab.get_by_role("button", name="Revoke nightly import").click()
        tab.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(tab.get_by_text("No tokens yet.")).to_be_visible()
        assert program.get("/api/v1/studies").status_code == 401


def test_a_token_without_name_or_right_is_refused_beside_the_field(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in()
    tab.goto("/profile")
    expect(tab.get_by_role("checkbox")).to_have_count(len(Scope))
    for box in tab.get_by_role("checkbox").all():
        if box.is_checked():
            box.click()
    tab.get_by_role("button", name="Make a token").click()
    expect(tab.get_by_role("group", name="A new token")).to_contain_text("A name.")
    expect(tab.get_by_role("alert").filter(has_text="scopes")).to_be_visible()
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
        assert ada is not None
        assert accounts.tokens(session, ada.id) == []


def test_a_new_password_ends_all_other_sessions(signed_in: SignedIn, place: Installation) -> None:
    """A wrong old one is told and changes nothing."""
    tab = signed_in()
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
    assert ada is not None
    other = accounts.open_login(place, ada.id)
    tab.goto("/profile")
    for old, told in (("wrong", "The old password is wrong."), (PASSWORD, "The password is changed")):
        tab.get_by_label("Old password").fill(old)
        tab.get_by_label("New password").fill(NEW)
        tab.get_by_label("The same again").fill(NEW)
        tab.get_by_role("button", name="Change the password").click()
        expect(tab.get_by_role("form", name="Password")).to_contain_text(told)
    assert accounts.caller_by_cookie(place, other) is None
    assert accounts.checked_user(place, "ada@example.org", NEW).id == ada.id
    tab.reload()
    expect(tab.get_by_role("heading", name="Profile")).to_be_visible()


def test_other_sessions_are_listed_and_ended(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in()
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
    assert ada is not None
    other = accounts.open_login(place, ada.id)
    tab.goto("/profile")
    rows = tab.get_by_role("table", name="Sessions").get_by_role("row")
    expect(rows).to_have_count(3)
    rows.get_by_role("button", name="End").click()
    expect(rows).to_have_count(2)
    assert accounts.caller_by_cookie(place, other) is None


def test_a_name_is_changed(signed_in: SignedIn) -> None:
    tab = signed_in()
    tab.goto("/profile")
    tab.get_by_role("form", name="Name").get_by_label("Name").fill("Countess Lovelace")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_label("Your account, Countess Lovelace")).to_be_visible()
    expect(tab).to_have_url(at("/profile"))


def test_all_scopes_are_offered(signed_in: SignedIn) -> None:
    tab = signed_in()
    tab.goto("/profile")
    expect(tab.get_by_role("checkbox")).to_have_count(len(Scope))


def test_saved_configurations_are_renamed_opened_and_deleted(signed_in: SignedIn, place: Installation) -> None:
    """One's own ones; a name with quotes stays a name."""
    bob = caller_of(accounts.add_user(place, "bob@example.org", "Bob", PASSWORD, Role.operator))
    composition = composition_of({"name": "x", "start": "2018-05-14", "plants": parse_plants("1 x home")})
    configurations.keep(place, bob, NewConfiguration(name="of another user", composition=composition))
    tab = signed_in()
    keep(place, "1 x home", "2018-05-14")
    tab.goto("/profile")
    name = "Pool\" :title='1' '"
    tab.get_by_role("button", name="Rename Pool").click()
    tab.get_by_role("dialog").get_by_label("Name").fill(name)
    tab.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(tab.get_by_role("link", name=name)).to_be_visible()
    assert "of another user" not in tab.content()
    tab.goto("/")
    tab.get_by_role("link", name=name).click()
    expect(tab).to_have_url(re.compile("/configure/"))
    tab.goto("/profile")
    tab.get_by_role("button", name=f"Delete {name}").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_text("Nothing is saved yet.")).to_be_visible()
    with place.database.reading() as session:
        assert len(configurations.configurations_of(session, bob)) == 1
