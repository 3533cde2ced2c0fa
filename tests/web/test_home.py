"""The first page, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from podium.service import jobs, runs, studies
from podium.service.accounts import Role, caller_of, user_by_email
from podium.service.installation import Installation
from web.conftest import SignedIn


def test_one_click_starts_the_demo(signed_in: SignedIn, place: Installation) -> None:
    """It makes the study of 200 PODs and its run, and goes to the run's page; a second click makes neither again."""
    tab = signed_in()
    for _ in range(2):
        tab.goto("/")
        tab.get_by_role("button", name="Run the demo study").click()
        tab.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"), timeout=120_000)
    with place.database.reading() as session:
        ada = user_by_email(session, "ada@example.org")
        assert ada is not None
        caller = caller_of(ada)
        own, started = studies.studies_of(session, caller), runs.runs_of(session, caller, None, 0, 10)
    assert [study.facts.pods for study in own] == [200]
    assert [(run.study, run.kind, run.state) for run in started] == [(own[0].id, "full", "queued")]
    assert tab.url.endswith(f"/runs/{started[0].id}")
    job = jobs.take(place)
    assert job is not None
    assert jobs.end(place, job, "done", summary={})
    tab.goto("/")
    expect(tab.get_by_role("table", name="Runs")).to_contain_text("done")
    expect(tab.get_by_role("list").get_by_role("link", name=own[0].name)).to_be_visible()


def test_a_viewer_is_told_what_to_wait_for(signed_in: SignedIn) -> None:
    """Nothing to start, and nothing that looks so."""
    tab = signed_in(role=Role.viewer)
    tab.goto("/")
    expect(tab.get_by_text("Nobody shares a study with you yet.")).to_be_visible()
    expect(tab.get_by_role("main").get_by_role("button")).to_have_count(0)
