"""Runs in a browser: step 3, the list, one run, one POD with its reasons, and two runs side by side."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, expect

import podium
from podium.market.coordination import Round
from podium.service import accounts, jobs, runs, studies
from podium.service.access import COOKIE_NAME
from podium.service.accounts import Caller, Role
from podium.service.installation import Installation
from podium.service.problems import details
from podium.service.rounds import round_text
from podium.service.tables import RunRow, User
from podium.service.views import RunView, RunWish
from podium.service.worker import compute
from unit.study_folders import one_home, write_files
from unit.synthetic_results import Case, write_results
from web.conftest import PASSWORD, SignedIn, at, open_tab, visiting

EMAIL = "ada@example.org"


def caller(place: Installation, email: str = EMAIL) -> Caller:
    """The user of an address."""
    with place.database.reading() as session:
        user = accounts.user_by_email(session, email)
        assert isinstance(user, User)
        return accounts.caller_of(user)


def made_study(place: Installation, email: str = EMAIL) -> UUID:
    """A study of two PODs."""
    return studies.create(place, caller(place, email), lambda folder: write_files(folder, one_home())).id


def work(place: Installation) -> None:
    """What a worker does once."""
    job = jobs.take(place)
    assert job is not None
    compute(place, job)


def made_run(place: Installation, study: UUID, **wish: object) -> RunView:
    """A run that is done."""
    started = runs.start(place, caller(place), RunWish.model_validate({"study": study, **wish}), None).run
    work(place)
    return started


def pretended(place: Installation, study: UUID, case: Case, tmp_path: Path, **wish: object) -> RunView:
    """A run that is done, with made-up results."""
    wished = RunWish.model_validate({"study": study, "again": True, **wish})
    started = runs.start(place, caller(place), wished, None).run
    job = jobs.take(place)
    assert job is not None
    folder = place.run_folder(job.run) / job.attempt
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(write_results(tmp_path / str(started.id), case), folder)
    assert jobs.end(place, job, "done", summary={"level1": {"cost_eur": 1.0}, "level2": {"profit_eur": 2.0}})
    return started


def read_by_keys(tab: Page, title: str, steps: int) -> str:
    """What a chart says when its cursor is moved by keys to a step."""
    chart = tab.locator("figure.podium-chart", has_text=title).first
    drawing = chart.locator(".podium-chart-drawing")
    expect(drawing.locator("canvas").first).to_be_visible()
    drawing.focus()
    for _ in range(steps):
        drawing.press("ArrowRight")
    spoken = chart.locator(".podium-chart-spoken")
    expect(spoken).not_to_be_empty()
    return spoken.inner_text()


def test_step_3_goes_from_each_pod_alone_to_the_portfolio(signed_in: SignedIn, place: Installation) -> None:
    """Aggregation opens once local is done; the table, a chart and its file have the numbers of the result files."""
    tab = signed_in()
    study = made_study(place)
    tab.goto(f"/optimise/{study}")
    aggregate = tab.get_by_role("button", name="Aggregate", exact=True)
    expect(aggregate).to_be_disabled()
    tab.get_by_role("button", name="Run local optimisation").click()
    expect(tab.get_by_text("Next in the queue")).to_be_visible()
    work(place)
    table = tab.get_by_role("table").filter(has_text="Minimisation")
    expect(table.locator("tbody tr")).to_have_count(2)
    local = runs_of(place)[0]
    row = pq.read_table(results(place, local) / "pod_summary.parquet").to_pandas().set_index("pod").loc["home-1"]
    cells = table.locator("tbody tr", has_text="home-1").inner_text()
    assert "1 fixed load, 1 PV, 1 battery, 1 EV charger" in cells
    assert f"{row.cost_eur:.2f} EUR" in cells
    expect(aggregate).to_be_enabled()
    aggregate.click()
    expect(tab.get_by_text("Next in the queue")).to_be_visible()
    work(place)
    expect(tab.get_by_role("tab", name="Methods compared")).to_be_visible()
    portfolio = runs_of(place)[0]
    assert (portfolio.kind, portfolio.local_run) == ("portfolio", local.id)
    steps = pq.read_table(results(place, portfolio) / "steps.parquet").to_pandas()
    spoken = read_by_keys(tab, "Flexibility bound and optimised bound", 1)
    assert f"plan {fixed(steps.position_kw[1], 3)} kW" in spoken
    assert "Mon 14 May 2018, 00:15–00:30 CEST" in spoken
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save Flexibility bound and optimised bound as CSV").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[0].split(",")[0]) == (97, "time")
    assert lines[2].split(",")[-1] == f"{steps.position_kw[1]:.4f}".rstrip("0").rstrip(".")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save Flexibility bound and optimised bound as PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def fixed(value: float, decimals: int) -> str:
    """A number as pages write it."""
    return f"{value:,.{decimals}f}".replace("-", "−")


def runs_of(place: Installation) -> list[RunView]:
    """All runs of Ada, newest first."""
    with place.database.reading() as session:
        return runs.runs_of(session, caller(place), None, 0, 100)


def results(place: Installation, run: RunView) -> Path:
    """The folder of a run's results."""
    return runs.results_folder(place, caller(place), run.id)


def test_a_run_under_way_shows_phases_pods_and_rounds(signed_in: SignedIn, place: Installation) -> None:
    """What the worker tells is seen without a reload; the rounds as a chart of bound and profit."""
    tab = signed_in()
    run = runs.start(place, caller(place), RunWish(study=made_study(place)), None).run
    tab.goto(f"/runs/{run.id}")
    expect(tab.get_by_text("Next in the queue")).to_be_visible()
    job = jobs.take(place)
    assert job is not None
    jobs.tell(place, job, "level 1", 1, [("phase", "level 1")])
    expect(tab.get_by_text("Level 1: 1 of 2 PODs")).to_be_visible()
    expect(tab.get_by_text("waiting", exact=True)).to_have_count(0)
    log = tab.get_by_role("table", name="Log").locator("tbody tr")
    expect(log.last).to_contain_text("phase")
    expect(log.last).to_contain_text("level 1")
    rounds = [Round(1, 110.0, 60.0, 0.1), Round(2, 105.0, 99.0, 0.2), Round(3, 102.0, 101.0, 0.3)]
    jobs.tell(place, job, "level 2", 0, [("phase", "level 2"), *(("round", round_text(each)) for each in rounds)])
    expect(tab.get_by_text("Level 2, round 4, gap 0.99 %")).to_be_visible()
    spoken = read_by_keys(tab, "Bound and profit by round", 3)
    assert "Round 3" in spoken
    assert "(bound) 102.0" in spoken
    assert "(profit) 101.0" in spoken
    tab.get_by_role("button", name="Cancel", exact=True).click()
    expect(tab.get_by_text("Cancelling")).to_be_visible()
    assert not jobs.keep(place, job), "the worker hears of it"


def test_options_are_refused_beside_their_fields(signed_in: SignedIn, place: Installation) -> None:
    """A gap of 300 % is told where it stands, and nothing is started."""
    tab = signed_in()
    study = made_study(place)
    made_run(place, study, kind="local")
    tab.goto(f"/optimise/{study}")
    tab.get_by_label("Stop at a gap of, %").fill("300")
    tab.get_by_role("button", name="Aggregate", exact=True).click()
    expect(tab.get_by_text("A percentage from 0 to 100.")).to_be_visible()
    assert len(runs_of(place)) == 1


def test_a_pod_says_why_its_devices_do_what_they_do(signed_in: SignedIn, place: Installation) -> None:
    """The reasons are those of `podium explain`, for the step that is chosen by keys."""
    tab = signed_in()
    study = made_study(place)
    run = made_run(place, study)
    tab.goto(f"/runs/{run.id}")
    tab.get_by_role("tab", name="PODs").click()
    tab.get_by_role("link", name="home-1 · One").click()
    why = tab.get_by_role("complementary", name="Why")
    expect(why.get_by_role("heading", name="battery-1 (battery)")).to_be_visible()
    loaded = podium.load_study(place.study_folder(study) / "input")
    at = loaded.horizon.times[40].isoformat()
    drawing = tab.locator("figure.podium-chart", has_text="Net power").first.locator(".podium-chart-drawing")
    expect(drawing.locator("canvas").first).to_be_visible()
    drawing.focus()
    for _ in range(40):
        drawing.press("ArrowRight")
    drawing.press("Enter")
    expect(why.get_by_role("heading", name="10:00–10:15 CEST")).to_be_visible()
    for line in podium.explain(loaded, results(place, run), pod="home-1", at=at).lines[1:]:
        expect(why).to_contain_text(" ".join(line.split()), use_inner_text=True)
    expect(tab.get_by_text("battery-1: state of charge")).to_be_visible()
    tab.get_by_role("button", name="Later").click()
    expect(why.get_by_role("heading", name="10:15–10:30 CEST")).to_be_visible()


def test_runs_are_filtered_compared_cancelled_and_deleted(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in()
    study = made_study(place)
    local = made_run(place, study, kind="local")
    exact = made_run(place, study, kind="portfolio", local_run=local.id)
    virtus = made_run(place, study, kind="portfolio", local_run=local.id, options={"method": "virtus"})
    waiting = runs.start(place, caller(place), RunWish(study=study), None).run
    tab.goto("/runs?kind=portfolio")
    rows = tab.get_by_role("table", name="Runs").locator("tbody tr")
    expect(rows).to_have_count(2)
    boxes = rows.get_by_role("checkbox")
    boxes.nth(0).click()
    expect(tab.get_by_role("button", name="Compare")).to_be_disabled()
    boxes.nth(1).click()
    tab.get_by_role("button", name="Compare").click()
    expect(tab).to_have_url(at(f"/compare?a={virtus.id}&b={exact.id}"))
    profits = [summary_of(place, run)["level2"]["profit_eur"] for run in (virtus, exact)]
    row = tab.locator("tr", has=tab.get_by_text("Profit of the plan", exact=True))
    expect(row).to_contain_text(f"{fixed(profits[0], 2)} EUR")
    expect(row).to_contain_text(f"+{fixed(profits[1] - profits[0], 2)} EUR")
    expect(tab.locator("figure.podium-chart").first).to_contain_text("Position of the plan")
    tab.goto(f"/runs/{waiting.id}")
    tab.get_by_role("button", name="Cancel", exact=True).click()
    expect(tab.get_by_text("This run was cancelled")).to_be_visible()
    tab.get_by_role("button", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    tab.wait_for_url("**/runs")
    assert {run.id for run in runs_of(place)} == {local.id, exact.id, virtus.id}


def test_runs_are_told_apart_by_the_readers_clock(
    browser: Browser, url: str, place: Installation, tmp_path: Path
) -> None:
    """As everywhere else, and not by UTC: where two are compared (searched too), and where one aggregation is shown."""
    user = accounts.add_user(place, EMAIL, "Ada", PASSWORD, Role.operator)
    study = made_study(place)
    local = pretended(place, study, Case(pods=2), tmp_path, kind="local")
    wish = {"kind": "portfolio", "local_run": local.id}
    plans = [pretended(place, study, Case(pods=2), tmp_path, **wish) for _ in range(2)]
    asked = datetime(2018, 7, 17, 12, 15, 4, tzinfo=UTC)
    with place.database.writing() as session:
        for number, plan in enumerate(plans):
            row = session.get_one(RunRow, plan.id)
            row.created_at = asked + timedelta(hours=number)
    with visiting(browser, url, "Europe/Athens") as context:
        context.add_cookies([{"name": COOKIE_NAME, "value": accounts.open_login(place, user.id), "url": url}])
        tab = context.new_page()
        tab.goto("/runs?kind=portfolio")
        first, second = tab.get_by_role("table", name="Runs").locator("pd-moment").all_inner_texts()
        assert (first, second) == ("2018-07-17 16:15 EEST", "2018-07-17 15:15 EEST")
        tab.goto(f"/compare?a={plans[0].id}&b={plans[1].id}")
        expect(tab.get_by_label("Run A")).to_have_value("One home · Aggregate · 2018-07-17 15:15:04 EEST")
        expect(tab.get_by_label("Run B")).to_have_value("One home · Aggregate · 2018-07-17 16:15:04 EEST")
        tab.get_by_label("Run B").fill("15:15")
        expect(tab.get_by_role("option")).to_have_count(1)
        expect(tab.get_by_role("option")).to_contain_text("15:15:04 EEST")
        tab.goto(f"/optimise/{study}")
        expect(tab.get_by_label("Aggregation")).to_have_value(re.compile("^2018-07-17 16:15:04 EEST, options of the"))


def summary_of(place: Installation, run: RunView) -> dict[str, dict[str, float]]:
    """The summary of a run that is done."""
    with place.database.reading() as session:
        found = runs.view(session, runs.owned_run(session, caller(place), run.id)).summary
    assert found is not None
    return found


def test_a_failed_run_says_why_and_can_be_run_again(signed_in: SignedIn, place: Installation) -> None:
    """Where, what stands there, and what was expected; the new run has the same options."""
    tab = signed_in()
    study = made_study(place)
    run = runs.start(place, caller(place), RunWish.model_validate({"study": study, "options": {"gap": 0.02}}), None).run
    job = jobs.take(place)
    assert job is not None
    problem = details(422, "input", "1 problem", [podium.Problem("pv.csv, line 3", "-2", "at least 0")])
    jobs.end(place, job, "failed", problem=problem)
    tab.goto(f"/runs/{run.id}")
    expect(tab.get_by_role("row", name="pv.csv, line 3 -2 at least 0")).to_be_visible()
    tab.get_by_role("button", name="Run again").click()
    tab.wait_for_url(lambda address: str(run.id) not in address)
    assert (runs_of(place)[0].state, runs_of(place)[0].options) == ("queued", {"gap": 0.02})


@pytest.mark.parametrize(
    "page", ["/runs/{run}", "/runs/{run}/pods/home-1", "/compare?a={run}&b={run}", "/optimise/{study}"]
)
def test_another_user_sees_nothing_of_a_run(
    signed_in: SignedIn, place: Installation, page: str, tmp_path: Path
) -> None:
    accounts.add_user(place, EMAIL, "Ada", "correct horse battery", Role.operator)
    study = made_study(place)
    run = pretended(place, study, Case(pods=2), tmp_path)
    tab = signed_in("bob@example.org")
    answer = tab.goto(page.format(run=run.id, study=study))
    assert answer is not None
    assert answer.status == 404
    expect(tab.get_by_role("heading", name="Nothing here")).to_be_visible()
    expect(tab.get_by_text("One home")).to_have_count(0)


def test_a_viewer_may_look_and_not_start(signed_in: SignedIn, place: Installation) -> None:
    accounts.add_user(place, EMAIL, "Ada", "correct horse battery", Role.operator)
    study = made_study(place)
    tab = signed_in("eve@example.org", Role.viewer)
    studies.share(place, caller(place), study, "eve@example.org")
    tab.goto(f"/optimise/{study}")
    expect(tab.get_by_text("Your role may look at runs, but not start any.")).to_be_visible()
    expect(tab.get_by_role("button", name="Run local optimisation")).to_have_count(0)


def test_a_session_that_ended_elsewhere_starts_nothing(signed_in: SignedIn, place: Installation) -> None:
    tab = signed_in()
    study = made_study(place)
    tab.goto(f"/optimise/{study}")
    button = tab.get_by_role("button", name="Run local optimisation")
    expect(button).to_be_visible()
    accounts.set_password(place, caller(place).user_id, "another long password")  # ends all sessions
    button.click()
    tab.wait_for_url("**/sign-in*")
    assert runs_of(place) == []


def test_ten_thousand_pods_are_found_sorted_and_paged(signed_in: SignedIn, place: Installation, tmp_path: Path) -> None:
    """The server keeps the table; the browser has one page of it."""
    tab = signed_in()
    run = pretended(place, made_study(place), Case(pods=10_000, step_minutes=60), tmp_path)
    tab.goto(f"/runs/{run.id}")
    tab.get_by_role("tab", name="PODs").click()
    rows = tab.get_by_role("tabpanel").locator("tbody tr").filter(has_text="pod-")
    expect(rows).to_have_count(25)
    expect(tab.get_by_text("10,000 of 10,000")).to_be_visible()
    tab.get_by_label("Search in PODs").fill("heat 0123")
    expect(tab.get_by_text("3 of 10,000")).to_be_visible()
    heading = tab.get_by_role("columnheader", name="POD")
    heading.click()
    expect(heading).to_have_class(re.compile("sorted"))
    heading.get_by_role("button").press("Enter")
    expect(rows.first).to_contain_text("pod-01238")


def test_a_year_of_quarter_hours_is_drawn_and_zoomed(signed_in: SignedIn, place: Installation, tmp_path: Path) -> None:
    """35,040 steps: values are read within the part that is zoomed to, with the study's own time."""
    tab = signed_in()
    run = pretended(place, made_study(place), Case(pods=3, start="2018-01-01", days=365), tmp_path)
    tab.goto(f"/runs/{run.id}")
    chart = tab.locator("figure.podium-chart").first
    drawing = chart.locator(".podium-chart-drawing")
    expect(drawing.locator("canvas").first).to_be_visible()
    drawing.focus()
    drawing.press("End")
    expect(chart.locator(".podium-chart-spoken")).to_contain_text("Mon 31 Dec 2018, 23:45–24:00 CET")
    for _ in range(12):
        drawing.press("+")
    drawing.press("ArrowLeft")
    expect(chart.locator(".podium-chart-spoken")).to_contain_text("Mon 31 Dec 2018, 23:30–23:45 CET")


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_pages_fit_their_width(signed_in: SignedIn, place: Installation, tmp_path: Path, width: int) -> None:
    """Nothing makes a page scroll sideways, on phones neither."""
    tab = signed_in()
    study = made_study(place)
    run = pretended(place, study, Case(pods=40, sold=True, rounds=12), tmp_path)
    tab.set_viewport_size({"width": width, "height": 900})
    for page in ("/runs", f"/runs/{run.id}", f"/compare?a={run.id}&b={run.id}", f"/optimise/{study}"):
        tab.goto(page)
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        for chosen in tab.get_by_role("tab").all():
            open_tab(chosen)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, (page, chosen.inner_text())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, page
