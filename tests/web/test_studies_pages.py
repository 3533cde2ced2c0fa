"""Studies on the site: uploaded, looked at, shared, deleted; and what is wrong with an upload."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from podium.service import accounts, studies
from podium.service.accounts import Caller, Role, caller_of
from podium.service.installation import Installation
from podium.service.routes.studies import from_example
from podium.service.views import StudyView
from unit.study_folders import one_home, write_files
from web.conftest import PASSWORD, SignedIn, at

SECRET = "the-name-of-a-private-study"


def choose(tab: Page, files: list[Path]) -> None:
    """Choose files in the box of uploads."""
    tab.get_by_label("Files of the study").set_input_files(files)


@pytest.fixture
def bob(place: Installation) -> Caller:
    """Another user."""
    return caller_of(accounts.add_user(place, "bob@example.org", "Bob", PASSWORD, Role.operator))


def study_of(place: Installation, caller: Caller, name: str = SECRET) -> StudyView:
    """A study of a user."""
    return studies.create(place, caller, from_example("one-home"), name)


def test_a_wrong_upload_shows_every_reason(signed_in: SignedIn, tmp_path: Path, place: Installation) -> None:
    """Where, what stands there, what was expected: of all that is wrong at once; nothing is kept."""
    files = one_home()
    files["battery.csv"] = files["battery.csv"].replace("0.92", "1.5")
    files["study.yaml"] = files["study.yaml"].replace("days: 1", "days: none")
    folder = write_files(tmp_path / "wrong", files)
    tab = signed_in()
    tab.goto("/studies")
    choose(tab, sorted(folder.iterdir()))
    expect(tab.locator(".pd-drop")).to_contain_text("battery.csv")
    tab.get_by_role("button", name="Upload", exact=True).click()
    rows = tab.get_by_role("table", name="Problems").get_by_role("row")
    expect(rows.filter(has_text="days")).to_contain_text("none")
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
        assert ada is not None
        assert studies.studies_of(session, caller_of(ada)) == []


def test_what_is_no_study_is_refused_in_words(signed_in: SignedIn, tmp_path: Path) -> None:
    (tmp_path / "notes.zip").write_text("not a zip archive")
    tab = signed_in()
    tab.goto("/studies")
    choose(tab, [tmp_path / "notes.zip"])
    tab.get_by_role("button", name="Only check").click()
    expect(tab.get_by_role("table", name="Problems")).to_contain_text("a zip archive")


def test_an_upload_that_is_too_large_is_refused_in_words(
    signed_in: SignedIn, tmp_path: Path, place: Installation
) -> None:
    object.__setattr__(place.settings.upload, "bytes_max", 10_000)
    (tmp_path / "study.zip").write_bytes(b"x" * 20_000)
    tab = signed_in()
    tab.goto("/studies")
    choose(tab, [tmp_path / "study.zip"])
    tab.get_by_role("button", name="Upload", exact=True).click()
    expect(tab.get_by_role("alert")).to_have_text("The request is larger than 10,000 bytes.")


def test_a_zip_archive_is_checked_and_kept(signed_in: SignedIn, tmp_path: Path) -> None:
    """Only checked, nothing is kept; uploaded, its page opens with what it is about and its tables."""
    with zipfile.ZipFile(tmp_path / "home.zip", "w") as packed:
        for name, text in one_home().items():
            packed.writestr(f"home/{name}", text)
    tab = signed_in()
    tab.goto("/studies")
    choose(tab, [tmp_path / "home.zip"])
    tab.get_by_role("button", name="Only check").click()
    expect(tab.get_by_role("status").filter(has_text="Nothing is wrong")).to_contain_text("2 PODs")
    tab.get_by_role("button", name="Upload", exact=True).click()
    expect(tab).to_have_url(re.compile(r"/studies/[0-9a-f-]{36}$"))
    expect(tab.get_by_role("heading", name="One home")).to_be_visible()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="pods as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith('"pod","name"')
    assert len(lines) == 3


def test_a_study_is_renamed_copied_and_deleted(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in()
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
    assert ada is not None
    study = study_of(place, caller_of(ada), "Old name")
    tab.goto(f"/studies/{study.id}")
    name = tab.get_by_label("Name")
    name.fill("")
    tab.get_by_role("button", name="Rename").click()
    expect(tab.get_by_text("A name.")).to_be_visible()
    name.fill("New name")
    tab.get_by_role("button", name="Rename").click()
    expect(tab.get_by_role("heading", name="New name")).to_be_visible()
    tab.get_by_label("Name").fill("The copy")
    tab.get_by_role("button", name="Copy under this name").click()
    expect(tab.get_by_role("heading", name="The copy")).to_be_visible()
    tab.get_by_role("button", name="Delete").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone.")
    dialog.get_by_role("button", name="Delete").click()
    expect(tab).to_have_url(at("/studies"))
    expect(tab.get_by_role("link", name="New name")).to_be_visible()
    expect(tab.get_by_role("link", name="The copy")).to_have_count(0)


def test_a_study_of_another_is_not_there_until_it_is_shared(
    signed_in: SignedIn, place: Installation, bob: Caller
) -> None:
    """Not on the list, not by its address; shared, it may be read and copied, and not be renamed or shared on."""
    study = study_of(place, bob)
    tab = signed_in()
    for path in ("/studies", "/", f"/studies/{study.id}"):
        response = tab.goto(path)
        assert response is not None
        assert response.status == (404 if str(study.id) in path else 200)
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        assert SECRET not in tab.content()
    studies.share(place, bob, study.id, "ada@example.org")
    tab.goto("/studies")
    tab.get_by_role("table", name="Studies shared with you").get_by_role("link", name=SECRET).click()
    expect(tab.get_by_text("Shared with you by bob@example.org")).to_be_visible()
    expect(tab.get_by_role("button", name="Copy under this name")).to_be_visible()
    for button in ("Rename", "Delete", "Share"):
        expect(tab.get_by_role("button", name=button, exact=True)).to_have_count(0)


def test_a_study_is_shared_and_no_more(signed_in: SignedIn, place: Installation, bob: Caller) -> None:
    tab = signed_in()
    with place.database.reading() as session:
        ada = accounts.user_by_email(session, "ada@example.org")
    assert ada is not None
    study = study_of(place, caller_of(ada))
    tab.goto(f"/studies/{study.id}")
    tab.get_by_label("E-mail").fill("bob@example.org")
    tab.get_by_role("button", name="Share", exact=True).click()
    expect(tab.get_by_role("button", name="End sharing with bob@example.org")).to_be_visible()
    with place.database.reading() as session:
        assert [found.id for found in studies.studies_of(session, bob)] == [study.id]
    tab.get_by_role("button", name="End sharing with bob@example.org").click()
    expect(tab.get_by_role("button", name="End sharing with bob@example.org")).to_have_count(0)
    with place.database.reading() as session:
        assert studies.studies_of(session, bob) == []


def test_a_viewer_reads_and_changes_nothing(signed_in: SignedIn, place: Installation, bob: Caller) -> None:
    study = study_of(place, bob)
    tab = signed_in("eve@example.org", role=Role.viewer)
    studies.share(place, bob, study.id, "eve@example.org")
    for path in ("/studies", f"/studies/{study.id}"):
        tab.goto(path)
        expect(tab.get_by_role("main").get_by_text(SECRET).first).to_be_visible()
        expect(tab.locator("#main button:not(.pd-sort)")).to_have_count(0)


def test_a_name_with_markup_is_text(signed_in: SignedIn, place: Installation, bob: Caller) -> None:
    """Names of others are shown as they are, and run nothing."""
    name = "<img src=x onerror=\"document.title='taken'\">{{ 7 * 7 }}</script><script>document.title='taken'</script>"
    study = study_of(place, bob, name)
    tab = signed_in()
    studies.share(place, bob, study.id, "ada@example.org")
    for path in ("/", "/studies", f"/studies/{study.id}"):
        tab.goto(path)
        expect(tab.get_by_role("main").get_by_text("{{ 7 * 7 }}").first).to_be_visible()
        assert tab.title() != "taken"
