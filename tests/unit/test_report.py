"""The report of a run, made from synthetic results."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from podium.errors import InputError
from podium.horizon import Horizon
from podium.report import explorer, pictures, write_report
from podium.report.clock import LocalClock
from podium.report.files import DEVICE_SERIES, POD_SERIES
from podium.report.packing import chunk_text, decode_chunk, quanta
from unit.synthetic_results import Case, write_results

PICTURES = ("flexibility.png", "profit.png", "price.png", "level1_times.png")
SECTIONS = ("flexibility", "market", "pods", "proof", "times", "failures", "notices", "promise", "detail")
CHARTS = ("flexibility", "position", "profit", "price", "rounds", "times")


class Page(HTMLParser):
    """What a report's HTML holds: open elements must match closing ones; scripts by id; ids; what it refers to."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.blocks: dict[str, str] = {}
        self.code = self.text = ""
        self.block: str | None = None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.references += [found[name] or "" for name in ("href", "src", "action", "srcset") if name in found]
        self.block = found.get("id", "code") if tag == "script" else None
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.block = None

    def handle_data(self, data: str) -> None:
        if self.block == "code":
            self.code += data if "plotly.js" not in data else ""
        elif self.block:
            self.blocks[self.block] = self.blocks.get(self.block, "") + data
        elif self.open and self.open[-1] != "style":
            self.text += data

    @property
    def portfolio(self) -> dict[str, Any]:
        return json.loads(self.blocks["portfolio"])

    @property
    def pods(self) -> dict[str, list[Any]]:
        return json.loads(zlib.decompress(b64decode(self.blocks["pod-table"])))


def report_of(folder: Path, case: Case) -> Page:
    write_report(write_results(folder, case))
    return Page(folder / "report.html")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of 130 PODs, two of which failed, with their report: three chunks of series."""
    folder = tmp_path_factory.mktemp("results")
    write_report(write_results(folder, Case(pods=130, failed=2, rounds=5)))
    return folder


@pytest.fixture(scope="module")
def page(results: Path) -> Page:
    return Page(results / "report.html")


def accents(css: str) -> list[tuple[str, str]]:
    """Accent and its soft companion, once for light and once for dark."""
    return list(zip(re.findall(r"--accent: (#\w+)", css), re.findall(r"--accent-soft: (#\w+)", css), strict=True))


def test_report_has_the_accent_of_the_app(repository: Path) -> None:
    """Page, pictures and app are seen beside each other: one colour, light and dark."""
    source = repository / "src/podium"
    page = accents((source / "report/assets/report.css").read_text(encoding="utf-8"))
    assert page == accents((source / "web/static/podium.css").read_text(encoding="utf-8"))
    assert (len(page), page[0][0]) == (2, pictures.ACCENT)


def test_report_lists_what_it_wrote(tmp_path: Path) -> None:
    """Page first, then the pictures; nothing else is left in the folder."""
    write_results(tmp_path, Case(pods=3))
    before = {path.name for path in tmp_path.iterdir()}
    written = write_report(tmp_path)
    assert [path.name for path in written] == ["report.html", *PICTURES]
    assert {path.name for path in tmp_path.iterdir()} == before | {path.name for path in written}


def test_page_is_whole_and_has_every_section(page: Page) -> None:
    """Every element is closed, ids are unique, and all sections, charts and data are there."""
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {*SECTIONS, *(f"chart-{name}" for name in CHARTS)} <= set(page.ids)
    assert set(page.blocks) == {"portfolio", "pod-table", "chunk-0", "chunk-1", "chunk-2"}


def test_page_asks_nothing_of_a_network(page: Page, results: Path) -> None:
    """Links stay within the page; own scripts and styles name no address and fetch nothing."""
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    assert "fetch(" not in page.code
    assert "XMLHttpRequest" not in page.code
    assert "import(" not in page.code
    assert not re.search(r"""["'`(]\s*https?://""", page.code)
    styles = re.findall(r"<style>(.*?)</style>", (results / "report.html").read_text(encoding="utf-8"), re.DOTALL)
    assert not any("url(" in style or "@import" in style for style in styles)


def test_head_says_what_matters(page: Page) -> None:
    """Name, day, zone, profit with bound, cost, PODs, check, undelivered energy: in the text, without any script."""
    for words in (
        "Synthetic 130", "Mon 14 May 2018, 00:00–24:00 · 96 steps of 15 min · local time, Europe/Rome (CEST)",
        "Profit of the plan", "bound", "gap 40.9600 %", "Cost at level 1", "130 PODs", "390 devices", "0 violations",
        "0.00 kWh", "2 PODs failed",
        "117.80 kWh", "33.5 % of all that is promised", "held constant over quarter-hours",
    ):  # fmt: skip
        assert words in page.text, words


def test_series_decode_to_the_tables_numbers(page: Page, results: Path) -> None:
    """Each POD's and device's series equals the Parquet file's within half a quantum (a watt here, or 1/3000)."""
    pods = pd.read_parquet(results / "pods.parquet").set_index("pod")
    devices = pd.read_parquet(results / "schedule.parquet").set_index("device")
    seen_pods, seen_devices = [], []
    for number in range(3):
        index, series = decode_chunk(page.blocks[f"chunk-{number}"], steps=96)
        row = 0
        for pod in index["pods"]:
            for name in POD_SERIES:
                assert_within_quantum(series[row], pods.loc[pod, name].to_numpy())
                row += 1
        for place, device, kind, kept in index["devices"]:
            table = devices.loc[device]
            assert (table["pod"] == index["pods"][place]).all()
            assert (table["kind"] == kind).all()
            for column in kept:
                assert_within_quantum(series[row], table[DEVICE_SERIES[column]].to_numpy(dtype=float))
                row += 1
        assert row == len(series)
        seen_pods += index["pods"]
        seen_devices += [device for _, device, *_ in index["devices"]]
    assert seen_pods == page.pods["pod"] == pods.index.unique().tolist()
    assert sorted(seen_devices) == sorted(devices.index.unique())


def assert_within_quantum(decoded: np.ndarray, exact: np.ndarray) -> None:
    quantum = quanta(exact[None, :].astype(np.float32))[0]
    np.testing.assert_allclose(decoded, exact, rtol=1e-6, atol=0.501 * quantum)
    assert quantum <= max(1e-3, np.nanmax(np.abs(exact), initial=0.0) / 3000)


def test_table_of_pods_holds_the_summary(page: Page, results: Path) -> None:
    """Rows in the summary's order; a failed POD's missing cost is no number; the peak is the plan's."""
    summary = pd.read_parquet(results / "pod_summary.parquet")
    plan = pd.read_parquet(results / "pods.parquet").groupby("pod", observed=True)["plan_kw"]
    table = page.pods
    assert table["cost_eur"][:2] == [None, None]
    np.testing.assert_allclose(np.array(table["cost_eur"][2:]), summary["cost_eur"].iloc[2:], atol=5.1e-5)
    np.testing.assert_allclose(table["peak_kw"], plan.apply(lambda row: row.abs().max()), atol=1e-3)
    np.testing.assert_allclose(table["energy_kwh"], plan.sum() * 0.25, atol=1e-2)
    assert table["status"][:3] == ["failed", "failed", "ok"]


def test_portfolio_block_holds_the_steps(page: Page, results: Path) -> None:
    """Charts get the numbers of steps.parquet, to a watt and to a millionth of a euro, and the solvers' times."""
    steps = pd.read_parquet(results / "steps.parquet")
    for name, tolerance in (("position_kw", 5.1e-4), ("virtus_max_kw", 5.1e-4), ("profit_eur", 5.1e-7)):
        np.testing.assert_allclose(page.portfolio["steps"][name], steps[name], atol=tolerance)
    times = {each["solver"]: each["pods"] for each in page.portfolio["times"]}
    assert times == pd.read_parquet(results / "pod_summary.parquet")["solver"].value_counts().to_dict()
    assert len(page.portfolio["rounds"]) == 5


def test_pictures_are_pictures(results: Path) -> None:
    """Each PNG is wide enough to print and not one colour."""
    for name in PICTURES:
        content = (results / name).read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        assert content.startswith(b"\x89PNG")
        assert width > 1000
        assert height > 400
        assert len(content) > 15_000


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """A script in an id, a study's name or a reason is shown as text: no element and no script comes of it."""
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>{:d}"
    folder = write_results(tmp_path, Case(pods=5, failed=1, pod_id=evil))
    summary = json.loads((folder / "summary.json").read_text())
    summary["study"] = summary["notices"][0] = "<script>alert('$study ${css}')</script>"
    (folder / "summary.json").write_text(json.dumps(summary))
    write_report(folder)
    page = Page(folder / "report.html")
    clean = report_of(tmp_path / "clean", Case(pods=5, failed=1))
    assert page.open == []
    assert page.ids == clean.ids
    assert page.blocks.keys() == clean.blocks.keys()
    assert "alert(1)" not in page.code
    assert "alert('$study ${css}')" in page.text
    assert page.pods["pod"][4] == evil.format(4)


@pytest.mark.parametrize(("start", "steps", "runs"), [
    ("2018-10-28", 100, [[0, 120, "CEST"], [12, 60, "CET"]]),
    ("2018-03-25", 92, [[0, 60, "CET"], [8, 120, "CEST"]]),
])  # fmt: skip
def test_days_with_a_change_of_clocks(tmp_path: Path, start: str, steps: int, runs: list[list[Any]]) -> None:
    """100 and 92 quarter-hours, with the offset from UTC of each so that the labels are the wall clock's."""
    page = report_of(tmp_path, Case(pods=2, start=start))
    assert page.portfolio["clock"]["steps"] == steps
    assert page.portfolio["clock"]["offsets"] == runs
    assert len(page.portfolio["steps"]["position_kw"]) == steps
    assert f"{steps} steps of 15 min · local time, Europe/Rome ({runs[0][2]}, then {runs[1][2]})" in page.text


def test_ticks_tell_both_two_oclocks_apart() -> None:
    """On the October day, 02:00 comes at edge 8 and again at edge 12, each with its name; the day ends at 24:00."""
    clock = LocalClock(Horizon.days("2018-10-28", 1, 15, "Europe/Rome").times, 15)
    at, labels = clock.ticks(25)
    assert dict(zip(at, labels, strict=True))[8] == "02:00\nCEST"
    assert dict(zip(at, labels, strict=True))[12] == "02:00\nCET"
    assert (labels[0], labels[-1], at[-1]) == ("00:00\nSun 28 Oct", "24:00", 100)
    assert clock.changes == [(12, "clocks back 60 min")]


def test_one_pod_of_hours_over_days(tmp_path: Path) -> None:
    """One POD, 60-minute steps, two days: energies count hours, and the period names both days."""
    page = report_of(tmp_path, Case(pods=1, days=2, step_minutes=60))
    plan = pd.read_parquet(tmp_path / "pods.parquet")["plan_kw"]
    assert "Mon 14 May 2018 – Tue 15 May 2018, 00:00–24:00 · 48 steps of 60 min" in page.text
    assert page.pods["energy_kwh"] == [pytest.approx(plan.sum(), abs=1e-2)]
    assert "1 POD" in page.text


def test_every_pod_failed(tmp_path: Path) -> None:
    """Failed PODs have no bounds and no cost; the report still comes, says so, and gives the reasons."""
    page = report_of(tmp_path, Case(pods=4, failed=4))
    assert "4 PODs failed" in page.text
    assert "needs 12.5 kWh at 07:00 but can charge 4.0 kWh until then; <b>no</b> way" in page.text
    _, series = decode_chunk(page.blocks["chunk-0"], steps=96)
    assert np.isnan(series[POD_SERIES.index("min_kw")]).all()


def test_results_without_the_reference_method(tmp_path: Path) -> None:
    """Empty columns of the reference method are drawn as nothing, and the page says that it was not run."""
    folder = write_results(tmp_path, Case(pods=3))
    steps = pd.read_parquet(folder / "steps.parquet")
    steps[["virtus_max_kw", "virtus_min_kw", "virtus_sum_max_kw", "virtus_sum_min_kw", "virtus_profit_eur"]] = np.nan
    steps.to_parquet(folder / "steps.parquet")
    summary = json.loads((folder / "summary.json").read_text())
    del summary["virtus"]
    (folder / "summary.json").write_text(json.dumps(summary))
    write_report(folder)
    page = Page(folder / "report.html")
    assert "The reference method was not run." in page.text
    assert set(page.portfolio["steps"]["virtus_max_kw"]) == {None}


def test_profit_and_market_are_told_apart(tmp_path: Path) -> None:
    """Where device costs take 100 EUR of the market's money, the page says how both belong together."""
    folder = write_results(tmp_path, Case(pods=3))
    summary = json.loads((folder / "summary.json").read_text())
    on_market = summary["level2"]["profit_eur"]
    summary["level2"]["profit_eur"] = on_market - 100.0
    (folder / "summary.json").write_text(json.dumps(summary))
    write_report(folder)
    page = Page(folder / "report.html")
    assert f"money on the market: {on_market:,.2f} EUR in all.".replace("-", "−") in page.text
    assert "come to −100.00 EUR" in page.text


def test_study_without_market(tmp_path: Path) -> None:
    """Without prices there is no profit, bound or method: baselines are shown, and what is missing is a dash."""
    folder = write_results(tmp_path, Case(pods=3))
    steps = pd.read_parquet(folder / "steps.parquet")
    of_market = [name for name in steps if "eur" in name or "virtus" in name]
    steps[of_market] = np.nan
    steps.to_parquet(folder / "steps.parquet")
    summary = json.loads((folder / "summary.json").read_text())
    nothing = {"method": None, "profit_eur": None, "bound_eur": None, "gap": None}
    summary |= {"virtus": None, "level2": nothing | {"seconds": 0.0}}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "certificate.json").write_text(json.dumps(nothing | {"rounds": []}))
    write_report(folder)
    page = Page(folder / "report.html")
    assert "a study without market prices" in page.text
    assert "bound – · gap –" in page.text
    assert (folder / "price.png").stat().st_size > 5_000


def test_large_portfolio_shows_its_largest_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, the PODs that move most energy keep their series, all keep their row, and the page says so."""
    monkeypatch.setattr(explorer, "DETAILED_PODS", 3)
    page = report_of(tmp_path, Case(pods=8))
    index, _ = decode_chunk(page.blocks["chunk-0"], steps=96)
    plan = pd.read_parquet(tmp_path / "pods.parquet").groupby("pod", observed=True)["plan_kw"]
    largest = plan.apply(lambda row: row.abs().sum()).nlargest(3)
    assert sorted(index["pods"]) == sorted(largest.index)
    assert [chunk >= 0 for chunk in page.pods["chunk"]].count(True) == 3
    assert "series of the 3 PODs that move most energy" in page.text
    assert "schedule.parquet" in page.text


def test_what_is_sold_has_sections_where_there_are_files(tmp_path: Path) -> None:
    """Offers, what backs them by kind, curves, worth and shares: in the page and as pictures, numbers as in the files.

    Of 8 PODs, 4 have a battery and 2 a CHP, each backs 2.5 kW; the 2nd block earns 0.008 MW x 12.5 EUR/MW/h x 12 h.
    """
    page = report_of(tmp_path, Case(pods=8, rounds=12, sold=True))
    assert page.open == []
    assert {"reserve", "bids", "worth", "shares", "chart-reserve-0", "chart-curve", "chart-worth"} <= set(page.ids)
    sold = page.portfolio["sold"]
    (side,) = sold["reserve"]
    assert {kind: set(kw) for kind, kw in side["kinds"]} == {"battery": {10.0}, "chp": {5.0}}
    assert (side["offer_kw"][:48], side["offer_kw"][48:]) == ([5.0] * 48, [8.0] * 48)
    assert len(sold["curves"]) == 96
    assert sold["curves"][95] == {"span": "23:45–24:00", "price": [30.0, 60.0], "quantity": [0.4, -0.2]}
    for words in (
        "12:00–24:00",
        "12.50",
        "1.20",
        "155.50 EUR",
        "Each POD alone, at its tariff",
        "All PODs",
        "24.00",
        "No plan earns them",
    ):
        assert words in page.text, words
    for name in ("reserve.png", "certificate.png"):
        assert len((tmp_path / name).read_bytes()) > 15_000
    assert page.portfolio["rounds"][3]["seconds"] == 1.5


def test_what_is_not_sold_has_no_section(page: Page, results: Path) -> None:
    """Without the files, neither sections nor links nor pictures of what is sold."""
    assert not {"reserve", "bids", "worth", "shares"} & set(page.ids)
    assert not {"#reserve", "#bids", "#worth", "#shares"} & set(page.references)
    assert page.portfolio["sold"] == {"reserve": [], "curves": [], "more_curves": 0, "worth": []}
    assert not (results / "reserve.png").exists()


@pytest.mark.parametrize("missing", ["bids", "reserve", "shares"])
def test_each_section_stands_by_itself(tmp_path: Path, missing: str) -> None:
    """One file less is one section less; reserve without bids is shown as it is backed."""
    folder = write_results(tmp_path, Case(pods=8, sold=True))
    (folder / f"{missing}.parquet").unlink()
    write_report(folder)
    page = Page(folder / "report.html")
    assert {"bids", "reserve", "shares"} & set(page.ids) == {"bids", "reserve", "shares"} - {missing}
    if missing == "bids":
        assert page.portfolio["sold"]["reserve"][0]["offer_kw"] is None


def test_parts_of_the_profit_are_told(tmp_path: Path) -> None:
    """Where the run tells reserve, bills and use of devices, the line under the profit does, too."""
    folder = write_results(tmp_path, Case(pods=3))
    summary = json.loads((folder / "summary.json").read_text())
    summary["level2"] |= {
        "profit_eur": 7.25,
        "reserve_eur": 12.5,
        "retail_eur": 0.0,
        "device_eur": 3.0,
        "peak_eur": 1.0,
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    write_report(folder)
    text = Page(folder / "report.html").text
    assert "With reserve 12.50 EUR, use of devices −3.00 EUR, peak charge of the portfolio −1.00 EUR" in text
    assert "the plan’s profit is 7.25 EUR." in text


def test_missing_results_are_named(tmp_path: Path) -> None:
    """A folder without results, and a table without a column, are errors that name the file and what to do."""
    with pytest.raises(InputError, match=r"summary\.json: no such file; expected the results of a run"):
        write_report(tmp_path)
    folder = write_results(tmp_path, Case(pods=2))
    pd.read_parquet(folder / "pods.parquet").drop(columns="up_kw").to_parquet(folder / "pods.parquet")
    with pytest.raises(InputError, match=r"pods\.parquet: no column 'up_kw'"):
        write_report(folder)


def test_interrupted_report_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails half-way, the report from before stays and no part of the new one does."""
    folder = write_results(tmp_path, Case(pods=2))
    write_report(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("podium.report.page._data", lambda *_: iter([1]))
    with pytest.raises(TypeError):
        write_report(folder)
    assert {path.name for path in folder.iterdir()} == before.keys()
    assert (folder / "report.html").read_bytes() == before["report.html"]


def test_report_of_the_demo_size_is_small(tmp_path: Path) -> None:
    """200 PODs with 3 devices each: below 8 MB, most of it the charting library."""
    write_report(write_results(tmp_path, Case(pods=200)))
    assert (tmp_path / "report.html").stat().st_size < 8e6


def test_chunks_keep_values_of_any_size() -> None:
    """Watts and gigawatts, gaps, zeros and single steps come back with at least three digits."""
    values = np.array(
        [[0.004, np.nan, -0.0101], [4e6, -3.9e6, 0.0], [0.0, 0.0, 0.0], [32.767, -32.767, 1.0]], dtype=np.float32
    )
    index, decoded = decode_chunk(chunk_text({"é": 1}, values), steps=3)
    assert index == {"é": 1}
    np.testing.assert_allclose(decoded, values, rtol=1e-6, atol=1e-5 * 4e6)
    np.testing.assert_allclose(decoded[[0, 2, 3]], values[[0, 2, 3]], rtol=1e-6, atol=5.1e-4)
    np.testing.assert_allclose(decoded[0], [0.004, np.nan, -0.0101], atol=5.1e-6)


def test_page_works_in_a_browser(results: Path, tmp_path: Path) -> None:
    """In Chromium the charts are drawn, the table is filled, and the POD named in the address is open."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    dom = dumped_dom(browser, f"{(results / 'report.html').as_uri()}#pod=pod-00077", tmp_path)
    assert re.search(r'id="trouble" hidden', dom)
    assert dom.count('class="main-svg"') >= 3 * 6
    assert "1–25 of 130" in dom or "76–100 of 130" in dom
    detail = dom[dom.index('id="detail-title"') :]
    assert "pod-00077 · Household 77" in detail
    assert "pod-00077.ev_charger · EV charger" in detail
    assert "NaN" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)


def test_charts_of_what_is_sold_work_in_a_browser(tmp_path: Path) -> None:
    """Reserve, curve, worth and rounds are drawn, and no part of the page complains."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    write_report(write_results(tmp_path / "results", Case(pods=8, rounds=12, sold=True)))
    dom = dumped_dom(browser, (tmp_path / "results" / "report.html").as_uri(), tmp_path)
    assert re.search(r'id="trouble" hidden', dom)
    for name in ("reserve-0", "curve", "worth", "rounds"):
        part = dom[dom.index(f'id="chart-{name}"') :]
        assert 'class="main-svg"' in part[: part.index("</figure>")], name


def dumped_dom(browser: str, address: str, folder: Path) -> str:
    """The page's elements as HTML after its scripts have run."""
    flags = (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--window-size=1440,900",
        "--virtual-time-budget=8000", f"--user-data-dir={folder / 'profile'}", "--dump-dom",
    )  # fmt: skip
    command = [browser, *flags, address]
    env = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=env)
    return done.stdout
