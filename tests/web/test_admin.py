"""The admin's page, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect
from pydantic import SecretStr

from podium.service import accounts, jobs, runs, studies
from podium.service.accounts import Role, caller_of
from podium.service.installation import Installation
from podium.service.routes.studies import from_example
from podium.service.views import RunWish
from web.conftest import PASSWORD, SignedIn


def test_an_admin_gives_roles_and_locks(signed_in: SignedIn, place: Installation) -> None:
    """What is chosen on the page is in the database; a locked user's sessions are over."""
    bob = accounts.add_user(place, "bob@example.org", "Bob", PASSWORD, Role.operator)
    cookie = accounts.open_login(place, bob.id)
    tab = signed_in(role=Role.admin)
    tab.goto("/admin")
    tab.get_by_label("Role of bob@example.org").select_option("viewer")
    expect(tab.get_by_text("bob@example.org is changed.")).to_be_visible()
    found = accounts.caller_by_cookie(place, cookie)
    assert found is not None
    assert found.role == Role.viewer
    tab.get_by_role("button", name="Lock bob@example.org").click()
    expect(tab.get_by_role("button", name="Unlock bob@example.org")).to_be_visible()
    assert accounts.caller_by_cookie(place, cookie) is None


def test_the_last_admin_stays_one(signed_in: SignedIn, place: Installation) -> None:
    """The refusal is told, and the page shows the role as it is."""
    tab = signed_in(role=Role.admin)
    tab.goto("/admin")
    tab.get_by_label("Role of ada@example.org").select_option("viewer")
    expect(tab.get_by_text("The last admin must stay one.")).to_be_visible()
    expect(tab.get_by_label("Role of ada@example.org")).to_have_value("admin")
    with place.database.reading() as session:
        assert [user.role for user in accounts.users(session)] == ["admin"]


def test_an_admin_adds_a_user(signed_in: SignedIn, place: Installation) -> None:
    """An address that has an account is refused in words."""
    tab = signed_in(role=Role.admin)
    tab.goto("/admin")
    form = tab.get_by_role("form", name="Add a user")
    form.get_by_label("Name").fill("Bob")
    form.get_by_label("E-mail").fill("ada@example.org")
    form.get_by_label("First password").fill(PASSWORD)
    form.get_by_label("Role").select_option("operator")
    form.get_by_role("button", name="Add").click()
    expect(form).to_contain_text("Ada@example.org has an account already.")
    form.get_by_label("E-mail").fill("bob@example.org")
    form.get_by_role("button", name="Add").click()
    expect(tab.get_by_label("Role of bob@example.org")).to_have_value("operator")
    assert accounts.checked_user(place, "bob@example.org", PASSWORD).name == "Bob"


def test_the_queue_shows_who_waits_and_what_runs(signed_in: SignedIn, place: Installation) -> None:
    bob = caller_of(accounts.add_user(place, "bob@example.org", "Bob", PASSWORD, Role.operator))
    study = studies.create(place, bob, from_example("one-home"))
    for _ in range(3):
        runs.start(place, bob, RunWish(study=study.id, again=True), None)
    assert jobs.take(place) is not None
    tab = signed_in(role=Role.admin)
    tab.goto("/admin")
    row = tab.get_by_role("table", name="Runs of users").get_by_role("row").last
    expect(row.get_by_role("cell")).to_have_text(["bob@example.org", "1", "2"])


def test_settings_in_force_show_no_secret(signed_in: SignedIn, place: Installation) -> None:
    object.__setattr__(place.settings, "metrics_token", SecretStr("a-metrics-token"))
    tab = signed_in(role=Role.admin)
    tab.goto("/admin")
    expect(tab.get_by_role("row").filter(has_text="PODIUM_QUEUE_MAX")).to_contain_text("50")
    expect(tab.get_by_role("row").filter(has_text="PODIUM_UPLOAD__BYTES_MAX")).to_contain_text("268.4 MB")
    expect(tab.get_by_role("row").filter(has_text="PODIUM_METRICS_TOKEN")).to_contain_text("set")
    assert "a-metrics-token" not in tab.content()
