"""How quickly the service answers many clients while runs compute: `python benchmarks/service_load.py`.

A server of its own in a folder that is thrown away, with two workers that compute the 200 PODs of the example over and
over; each client asks, waits for the answer, pauses, and asks again. With `--pages` and `--pods`, a browser (Chromium,
Playwright) has pages of results open meanwhile, and goes through the steps of a POD, each with its reasons.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from podium.client import API, Client, is_ready

PASSWORD = "only for this benchmark"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clients", type=int, default=50)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--pause", type=float, default=0.5, help="mean pause of a client between two requests, s")
    arguments.add_argument("--pages", type=int, default=0, help="open pages of a run's results")
    arguments.add_argument("--pods", type=int, default=0, help="open pages of a POD, gone through step by step")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        variables = os.environ | {"PODIUM_PORT": str(port), "PODIUM_WORKERS": "2", "PODIUM_CORES_PER_RUN": "1"}
        with (Path(folder) / "log").open("w") as log:
            command = [sys.executable, "-c", "from podium.cli import main; main()", "serve"]
            server = subprocess.Popen(command, cwd=folder, env=variables, stderr=log)
        try:
            measure(f"http://127.0.0.1:{port}", chosen)
        finally:
            server.terminate()
            server.wait()


def measure(url: str, chosen: argparse.Namespace) -> None:
    while not is_ready(url):
        time.sleep(0.2)
    with Client(url) as owner:
        owner.set_up("load@example.org", "Load", PASSWORD)
        study = owner.make_example("it-north-200").id
        runs = [owner.start_run(study, again=True).id for _ in range(20)]
        token = owner.make_token("load", ["studies:read", "runs:read"]).token
        looked_at = chosen.pages + chosen.pods > 0
        while owner.run(runs[0]).state != ("done" if looked_at else "running"):
            time.sleep(0.2)
        taken: list[float] = []
        failed: list[str] = []
        told: list[float] = []
        opened = threading.Event()
        threads = []
        if looked_at:
            cookie = owner.http.cookies["podium_session"]
            viewer = threading.Thread(target=look, args=(url, cookie, runs[0], chosen, opened, told))
            viewer.start()
            threads.append(viewer)
            opened.wait()
        until = time.monotonic() + chosen.seconds
        for _ in range(chosen.clients):
            asking = (url, token, study, runs, until, chosen.pause, taken, failed)
            threads.append(threading.Thread(target=ask, args=asking))
            threads[-1].start()
        for thread in threads:
            thread.join()
        done = sum(run.state == "done" for run in owner.runs())
    times = np.array(taken) * 1000
    print(
        f"{len(times)} requests of {chosen.clients} clients in {chosen.seconds:g} s, {len(failed)} failed {failed[:3]}"
    )
    print(f"p50 {np.quantile(times, 0.5):.0f} ms, p95 {np.quantile(times, 0.95):.0f} ms, max {times.max():.0f} ms")
    if told:
        reasons = np.array(told) * 1000
        print(f"{len(told)} steps explained: p50 {np.median(reasons):.0f} ms, max {reasons.max():.0f} ms until shown")
    print(f"meanwhile {done} runs of 200 PODs were done; load of the machine {os.getloadavg()[0]:.1f}")


def ask(
    url: str,
    token: str,
    study: UUID,
    runs: list[UUID],
    until: float,
    pause: float,
    taken: list[float],
    failed: list[str],
) -> None:
    random.seed()
    paths = ["/studies", f"/studies/{study}", f"/studies/{study}/tables/pods", "/runs?limit=10"]
    paths += [f"/runs/{run}" for run in runs[:4]]
    with httpx.Client(base_url=url + API, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        while time.monotonic() < until:
            begun = time.perf_counter()
            response = http.get(random.choice(paths))
            taken.append(time.perf_counter() - begun)
            if response.status_code != httpx.codes.OK:
                failed.append(response.text[:200])
            time.sleep(random.expovariate(1 / pause) if pause else 0)


def look(
    url: str, cookie: str, run: UUID, chosen: argparse.Namespace, opened: threading.Event, told: list[float]
) -> None:
    """Open pages of a run; go through the steps of its PODs until the time is over."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(base_url=url)
        context.add_cookies([{"name": "podium_session", "value": cookie, "url": url}])
        for _ in range(chosen.pages):
            results = context.new_page()
            results.goto(f"/runs/{run}")
            expect(results.locator(".podium-chart-drawing canvas").first).to_be_visible(timeout=60_000)
        pods = [context.new_page() for _ in range(chosen.pods)]
        results = context.new_page()
        results.goto(f"/runs/{run}")
        results.get_by_role("tab", name="PODs").click()
        links = results.locator("td a[href*='/pods/']")
        expect(links.first).to_be_visible(timeout=60_000)
        addresses = [link.get_attribute("href") for link in links.all()]
        results.close()
        for page, address in zip(pods, addresses, strict=False):
            page.goto(str(address))
            expect(page.locator(".pd-why h3").first).to_be_visible(timeout=60_000)
        opened.set()
        until = time.monotonic() + chosen.seconds
        while time.monotonic() < until:
            told += [step(page) for page in pods]
            time.sleep(0.5)
        browser.close()


def step(page: Page) -> float:
    """Go to the next step of a POD; returns the seconds until its reasons are there."""
    before = page.locator(".pd-why h3").first.inner_text()
    backwards = "24:00" in before
    begun = time.perf_counter()
    page.get_by_role("button", name="Earlier" if backwards else "Later").click()
    expect(page.locator(".pd-why h3").first).not_to_have_text(re.compile(re.escape(before)), timeout=60_000)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
