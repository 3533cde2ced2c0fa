"""The page itself: text, data and scripts in one file that needs nothing else."""

from __future__ import annotations

import json
import math
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from podium.report import sections
from podium.report.explorer import CHUNK_PODS, Explorer, build_explorer
from podium.report.files import DEVICE_SERIES, POD_SERIES, STEP_COLUMNS, Results
from podium.report.sold import Sold, sold_data, sold_links, sold_sections
from podium.report.text import count, kind_text, level_text

SCRIPTS = (
    "format.js",
    "clock.js",
    "data.js",
    "chart.js",
    "portfolio.js",
    "sold.js",
    "detail.js",
    "pods.js",
    "start.js",
)
_DECIMALS = {"_kw": 3, "_eur": 6, "_eur_per_mwh": 4}


def write_page(results: Results, sold: Sold, path: Path) -> None:
    """Write the page to `path`."""
    explorer = build_explorer(results)
    page = Template(_asset("page.html")).substitute(_parts(results, explorer, sold))
    before, after = page.split("<!--data-->")
    with path.open("w", encoding="utf-8") as file:
        file.write(before)
        file.writelines(_data(results, explorer, sold))
        file.write(after)


def _parts(results: Results, explorer: Explorer, sold: Sold) -> dict[str, str]:
    summary = results.summary
    return {
        "study": escape(str(summary["study"])),
        "period": escape(sections.period_text(results)),
        "zone": escape(results.clock.zone_text),
        "version": escape(str(summary["podium_version"])),
        "alert": sections.alert_text(results),
        "key_numbers": sections.key_numbers(results),
        "profit": sections.profit_text(results),
        "certificate": sections.certificate_text(results),
        "promise": sections.promise_text(results),
        "failures": sections.failures_text(results),
        "notices": sections.notices_text(results),
        "times": sections.times_text(results.pods),
        "sold_links": sold_links(sold),
        "sold": sold_sections(sold),
        "detail_note": _detail_note(results, explorer),
        "css": _asset("report.css"),
        "plotly": _plotly(),
        "script": "\n".join(_asset(name) for name in SCRIPTS),
    }


def _detail_note(results: Results, explorer: Explorer) -> str:
    shown, every = len(explorer.detailed), len(results.pods)
    if shown == every:
        return ""
    note = (
        f"Time series of the {count(shown, 'POD')} that move most energy are in this page; those of the other "
        f"{every - shown:,} are in <code>pods.parquet</code> and <code>schedule.parquet</code> beside it."
    )
    return f'<p class="quiet">{note}</p>'


def _data(results: Results, explorer: Explorer, sold: Sold) -> list[str]:
    """Blocks of data: the portfolio as JSON, the table of PODs and the chunks compressed."""
    chunks = (_packed(f"chunk-{number}", text) for number, text in enumerate(explorer.chunks))
    return [
        _json_block("portfolio", portfolio(results) | {"sold": sold_data(sold)}),
        _packed("pod-table", explorer.table),
        *chunks,
    ]


def _packed(name: str, text: str) -> str:
    return f'<script type="text/plain" id="{name}">{text}</script>\n'


def _json_block(name: str, content: Any) -> str:
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f'<script type="application/json" id="{name}">{text.replace("<", chr(92) + "u003c")}</script>\n'


def portfolio(results: Results) -> dict[str, Any]:
    """What the charts of the portfolio need; numbers rounded to a watt or better."""
    clock = results.clock
    return {
        "clock": {
            "zone": str(clock.times.tz), "zone_text": clock.zone_text, "step_minutes": clock.step_minutes,
            "steps": len(clock.times), "start_ms": round(clock.times[0].timestamp() * 1000),
            "offsets": [list(run) for run in clock.offset_runs],
        },
        "pods": len(results.pods), "chunk_pods": CHUNK_PODS,
        "pod_series": POD_SERIES, "device_series": DEVICE_SERIES,
        "kinds": {kind: kind_text(kind) for kind in _kinds(results)},
        "levels": {kind: level_text(kind) for kind in _kinds(results)},
        "steps": {name: _numbers(results, name) for name in STEP_COLUMNS if name != "time"},
        "rounds": [
            {name: _number(each.get(name)) for name in ("round", "bound_eur", "profit_eur", "gap", "seconds")}
            for each in results.certificate.get("rounds") or []
        ],
        "times": sections.solver_times(results.pods),
    }  # fmt: skip


def _kinds(results: Results) -> list[str]:
    """Kinds named in the compositions ("1 battery, 2 pv")."""
    parts = {part for text in results.pods["composition"].dropna().unique() for part in str(text).split(", ")}
    return sorted({part.split(" ", 1)[-1] for part in parts if part})


def _numbers(results: Results, name: str) -> list[float | None]:
    decimals = next(digits for ending, digits in _DECIMALS.items() if name.endswith(ending))
    values = results.steps[name].to_numpy(dtype=float, na_value=np.nan)
    return [_number(value) for value in values.round(decimals).tolist()]


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _asset(name: str) -> str:
    return (files("podium.report") / "assets" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    """The charting library, which comes with the package `plotly`."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
