"""The whole story in a browser, on a server with a worker and a mail server: from registering to the CLI's numbers.

Ada registers, confirms her address, and goes through the three steps by keyboard alone. What she downloads is what
`podium run` computes of the files of her study, and nobody else sees any of it.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from podium.client import Client, ProblemError
from service.test_mail import Letters, received, receiving
from service.test_serve import PODIUM, Server, serving
from unit.study_folders import one_home, write_files
from web.conftest import PASSWORD, at, visiting
from web.test_run_pages import read_by_keys

NEW = "another long password"
PLANTS = ("Home with PV and battery", "Shop with cooling", "Grid battery")
RUN_MS = 240_000
"""Runs of three PODs take seconds; the machine may be busy with other tests."""


@dataclass(frozen=True)
class Site:
    """A server, and the mailbox that it sends to."""

    server: Server
    letters: Letters

    def letter(self, number: int, page: str) -> str:
        """The address on this server that a letter links to."""
        found = re.search(rf"{self.server.url}(/{page}\?token=\S+)", received(self.letters, number)[2])
        assert found is not None
        return found[1]


@dataclass(frozen=True)
class Done:
    """What Ada has after the three steps."""

    tab: Page
    configuration: str
    study: str
    run: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`podium serve` in an empty folder, with mail; Boss is its admin."""
    folder = tmp_path_factory.mktemp("empty")
    with receiving() as (letters, port), pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOST": "127.0.0.1", "PORT": str(port), "ENCRYPTION": "none"}.items():
            patch.setenv(f"PODIUM_MAIL__{name}", value)
        with serving(folder) as server:
            with Client(server.url) as client:
                client.set_up("boss@example.org", "Boss", PASSWORD)
            yield Site(server, letters)


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """A browser of somebody who has not signed in."""
    with visiting(browser, site.server.url) as found:
        yield found


@pytest.fixture(scope="module")
def done(browser: Browser, site: Site) -> Iterator[Done]:
    """Ada after the three steps; no page had an error in the browser's console."""
    with visiting(browser, site.server.url) as context:
        errors: list[str] = []
        context.on("console", lambda said: errors.append(said.text) if _is_error(said) else None)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        tab = context.new_page()
        _register(tab, site)
        yield _three_steps(tab)
        assert errors == []


def _is_error(said: ConsoleMessage) -> bool:
    """Whether the console tells of an error; that an upload was refused is none, though Chromium writes it there."""
    return said.type == "error" and "status of 422" not in said.text


def _register(tab: Page, site: Site) -> None:
    before = len(site.letters.found)
    tab.goto("/sign-in")
    tab.get_by_role("link", name="Make an account").click()
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_label("E-mail").fill("ada@example.org")
    tab.get_by_label("New password").fill(PASSWORD)
    tab.get_by_label("The same again").fill(PASSWORD)
    tab.get_by_role("button", name="Make the account").click()
    tab.goto(site.letter(before + 1, "confirm"))
    tab.get_by_role("button", name="Confirm").click()
    expect(tab).to_have_url(at("/sign-in"))
    sign_in(tab, "ada@example.org", PASSWORD)
    expect(tab.get_by_role("heading", name="Home", exact=True)).to_be_visible()


def sign_in(tab: Page, email: str, password: str) -> None:
    """Fill the form of /sign-in, and send it by the key that people use."""
    tab.get_by_label("E-mail").fill(email)
    tab.get_by_label("Password").fill(password)
    tab.keyboard.press("Enter")


def _three_steps(tab: Page) -> Done:
    """Plants, profiles, optimisation: with the keys Tab, Enter and those of letters alone."""
    press(tab, tab.get_by_role("link", name="Configure", exact=True).first)
    name = tab.get_by_label("Name of the portfolio")
    expect(name).to_be_visible()
    for title in PLANTS:
        press(tab, tab.get_by_role("button", name=f"One more: {title}", exact=True))
    move_to(tab, name)
    tab.keyboard.press("Control+A")
    tab.keyboard.type("Ada's pool")
    press(tab, tab.get_by_role("button", name="Go on to profiles"))
    expect(tab.get_by_text("Everything that these days need is there.")).to_be_visible()
    expect(tab.get_by_role("table", name="Plants and their profiles").locator("tbody tr")).to_have_count(len(PLANTS))
    configuration = tab.url.split("/")[-2]
    press(tab, tab.get_by_role("button", name="Go on to optimise"))
    aggregate = tab.get_by_role("button", name="Aggregate", exact=True)
    expect(aggregate).to_be_disabled()
    study = tab.url.partition("?")[0].rpartition("/")[2]
    press(tab, tab.get_by_role("button", name="Run local optimisation"))
    expect(aggregate).to_be_enabled(timeout=RUN_MS)
    expect(tab.get_by_role("table").filter(has_text="Minimisation").locator("tbody tr")).to_have_count(len(PLANTS))
    press(tab, aggregate)
    expect(tab.get_by_role("tab", name="Methods compared")).to_be_visible(timeout=RUN_MS)
    address = tab.get_by_role("link", name="Open the run").last.get_attribute("href")
    assert address is not None
    return Done(tab, configuration, study, address.rpartition("/")[2])


def move_to(tab: Page, wanted: Locator) -> None:
    """Move the focus to an element by the key Tab."""
    expect(wanted).to_be_visible()
    for _ in range(300):
        if wanted.evaluate("found => found === document.activeElement"):
            return
        tab.keyboard.press("Tab")
    raise AssertionError(f"the key Tab does not reach {wanted}")


def press(tab: Page, wanted: Locator) -> None:
    """Move the focus to a button or link by the key Tab, and press Enter."""
    move_to(tab, wanted)
    tab.keyboard.press("Enter")


def test_charts_have_data(done: Done) -> None:
    """Each chart of the plan has lines with as many points as steps, and says its values by keys."""
    done.tab.goto(f"/runs/{done.run}")
    for title in ("Flexibility bound and optimised bound", "Profit per step", "Energy prices"):
        spoken = read_by_keys(done.tab, title, 40)
        assert "Tue 13 Mar 2018, 10:00–10:15 CET" in spoken
        assert re.search(r"\d (kW|MW|EUR|EUR/MWh)\b", spoken), spoken
    with done.tab.expect_download() as download:
        done.tab.get_by_role("button", name="Save Profit per step as CSV").click()
    assert len(rows_of(download.value.path())) == 96


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_downloads_are_what_the_command_line_computes(done: Done, tmp_path: Path) -> None:
    """`podium run` of the study's files, downloaded in the browser: the same schedule to the bit, the same summary."""
    tab = done.tab
    tab.goto(f"/studies/{done.study}")
    study = downloaded(tab, tab.get_by_role("link", name="Download", exact=True))
    with zipfile.ZipFile(study) as archive:
        archive.extractall(tmp_path / "study")
    command = [*PODIUM, "run", str(tmp_path / "study"), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=os.environ)
    assert ran.returncode == 0, ran.stderr
    expected = tmp_path / "study" / "results"
    tab.goto(f"/runs/{done.run}")
    tab.get_by_role("tab", name="Files").click()
    for table in ("schedule", "steps", "pods", "bids"):
        link = tab.get_by_role("row", name=f"{table}.parquet").get_by_role("link", name="Parquet")
        assert pq.read_table(downloaded(tab, link)).equals(pq.read_table(expected / f"{table}.parquet")), table
    rows = rows_of(downloaded(tab, tab.get_by_role("row", name="schedule.parquet").get_by_role("link", name="CSV")))
    schedule = pq.read_table(expected / "schedule.parquet")
    assert [float(row["power_kw"]) for row in rows] == schedule["power_kw"].to_pylist()
    assert [row["device"] for row in rows] == schedule["device"].to_pylist()
    summary = downloaded(tab, tab.get_by_role("row", name="summary.json").get_by_role("link", name="Download"))
    assert untimed(json.loads(summary.read_text(encoding="utf-8"))) == untimed(json.loads(ran.stdout))


def downloaded(tab: Page, link: Locator) -> Path:
    """The file that a link gives."""
    with tab.expect_download() as download:
        link.click()
    return download.value.path()


def untimed(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary without the times that it took, which no two runs share."""
    return {
        key: untimed(value) if isinstance(value, dict) else value
        for key, value in summary.items()
        if not key.endswith("seconds")
    }


def test_every_page_opens_without_an_error(done: Done) -> None:
    """The console stays empty, which the fixture asserts at its end; no request leaves the server, as in all tests."""
    pods = pq_pods(done)
    for address in (
        "/",
        "/configure",
        f"/configure/{done.configuration}",
        f"/configure/{done.configuration}/profiles",
        f"/profiles/{done.study}",
        f"/optimise/{done.study}",
        "/studies",
        f"/studies/{done.study}",
        "/runs",
        f"/runs/{done.run}",
        f"/runs/{done.run}/pods/{pods[0]}",
        f"/compare?a={done.run}&b={done.run}",
        "/profile",
    ):
        answer = done.tab.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        expect(done.tab.get_by_role("heading", level=1)).to_be_visible()
        done.tab.wait_for_load_state("networkidle")


def pq_pods(done: Done) -> list[str]:
    """The PODs of Ada's run, as the API tells her browser."""
    page = done.tab.request.get(f"/api/v1/runs/{done.run}/results/tables/pod_summary").json()
    return [row[page["columns"].index("pod")] for row in page["rows"]]


def test_a_second_user_sees_nothing_of_it(done: Done, site: Site, context: BrowserContext) -> None:
    """Lists are empty, all addresses of Ada's things answer that there is nothing; the admin's too, and the API's."""
    with Client(site.server.url) as boss:
        boss.sign_in("boss@example.org", PASSWORD)
        boss.send("POST", "/users", json={"email": "eve@example.org", "name": "Eve", "password": PASSWORD})
    for email in ("eve@example.org", "boss@example.org"):
        _sees_nothing(done, site, context, email)
        context.clear_cookies()


def _sees_nothing(done: Done, site: Site, context: BrowserContext, email: str) -> None:
    tab = context.new_page()
    tab.goto("/sign-in")
    sign_in(tab, email, PASSWORD)
    expect(tab.get_by_text("No runs yet.")).to_be_visible()
    expect(tab.get_by_text("No studies yet.")).to_be_visible()
    pod = pq_pods(done)[0]
    for address in (
        f"/configure/{done.configuration}",
        f"/configure/{done.configuration}/profiles",
        f"/profiles/{done.study}",
        f"/optimise/{done.study}",
        f"/studies/{done.study}",
        f"/runs/{done.run}",
        f"/runs/{done.run}/pods/{pod}",
        f"/compare?a={done.run}&b={done.run}",
    ):
        answer = tab.goto(address)
        assert answer is not None
        assert answer.status == 404, address
        expect(tab.get_by_role("heading", name="Nothing here")).to_be_visible()
        assert "pool" not in tab.content(), address
    for address, told in {
        "/studies": "No studies yet: upload one, or configure a portfolio.",
        "/runs": "You have no runs yet.",
        "/configure": "Nothing is saved yet.",
    }.items():
        tab.goto(address)
        expect(tab.get_by_text(told)).to_be_visible()
    with Client(site.server.url) as client:
        client.sign_in(email, PASSWORD)
        assert (client.studies(), client.runs(), client.configurations()) == ([], [], [])
        for path in (
            f"/studies/{done.study}",
            f"/studies/{done.study}/archive",
            f"/studies/{done.study}/tables/pods",
            f"/runs/{done.run}",
            f"/runs/{done.run}/log",
            f"/runs/{done.run}/results",
            f"/runs/{done.run}/results/tables/schedule/csv",
            f"/configurations/{done.configuration}",
        ):
            with pytest.raises(ProblemError, match="not-found"):
                client.send("GET", path)
    tab.close()


def test_a_wrong_file_shows_the_reason_beside_its_field(done: Done, tmp_path: Path) -> None:
    """File, line, value and what was expected: of profiles in step 2, and of a study in step 1, all at once."""
    tab = done.tab
    wrong = tmp_path / "wrong.csv"
    hours = [f"2018-03-13T{hour:02}:00+01:00,{'much' if hour == 2 else 0.5}" for hour in range(24)]
    wrong.write_text("\n".join(["time,H0-A", *hours]), encoding="utf-8")
    tab.goto(f"/configure/{done.configuration}/profiles")
    tab.get_by_label("File of profiles").set_input_files(wrong)
    tab.get_by_role("button", name="Upload").click()
    told = box(tab, "Profiles of your own").get_by_role("alert").locator("tbody td")
    expect(told).to_have_text([re.compile("wrong.csv, line 4"), re.compile("much"), re.compile("number")])
    files = one_home()
    files["battery.csv"] = files["battery.csv"].replace("0.92", "1.5")
    files["pv.csv"] = files["pv.csv"].replace("home-1", "home-9")
    folder = write_files(tmp_path / "study", files)
    tab.goto("/configure")
    tab.get_by_role("tab", name="Upload a study").click()
    tab.get_by_label("Files of the study").set_input_files(sorted(folder.iterdir()))
    tab.get_by_role("button", name="Upload", exact=True).click()
    rows = box(tab, "Upload a study").get_by_role("alert").locator("tbody tr")
    expect(rows.filter(has_text="battery.csv, line 2")).to_contain_text("1.5")
    expect(rows.filter(has_text="pv.csv, line 2")).to_contain_text("home-9")
    expect(tab).to_have_url(at("/configure"))


def box(tab: Page, title: str) -> Locator:
    """The panel of a title."""
    return tab.locator("section", has=tab.get_by_role("heading", name=title, exact=True))


def test_a_lost_password_is_replaced_by_the_letters_link(site: Site, context: BrowserContext) -> None:
    """The old one is refused from then on, the new one opens."""
    with Client(site.server.url) as boss:
        boss.sign_in("boss@example.org", PASSWORD)
        boss.send("POST", "/users", json={"email": "carl@example.org", "name": "Carl", "password": PASSWORD})
    before = len(site.letters.found)
    tab = context.new_page()
    tab.goto("/sign-in")
    tab.get_by_role("link", name="Lost your password?").click()
    tab.get_by_label("E-mail").fill("carl@example.org")
    tab.get_by_role("button", name="Send the letter").click()
    expect(tab.get_by_role("status")).to_have_text("If the address has an account, a letter is under way.")
    assert received(site.letters, before + 1)[0] == "carl@example.org"
    tab.goto(site.letter(before + 1, "reset-password"))
    tab.get_by_label("New password").fill(NEW)
    tab.get_by_label("The same again").fill(NEW)
    tab.get_by_role("button", name="Set the password").click()
    expect(tab).to_have_url(at("/sign-in"))
    sign_in(tab, "carl@example.org", PASSWORD)
    expect(tab.get_by_role("alert")).to_contain_text("wrong")
    sign_in(tab, "carl@example.org", NEW)
    expect(tab).to_have_url(at("/"))
