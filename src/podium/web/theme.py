"""How the app looks: its name, styles and scripts, which are files of its own, and how components are set up.

Colours, type and spacing are variables in `static/podium.css`, light and dark. Components are Quasar's through NiceGUI,
dense and without capitals. There is no Tailwind: pages use the classes that `podium.css` lists at its top.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import nicegui
from nicegui import ui

NAME = "Podium"
STATIC = Path(__file__).parent / "static"
FAVICON = STATIC / "favicon.svg"
#: Brand colours in light mode; podium.css has those of dark mode.
ACCENT = "#0b6578"
GOOD, WARN, BAD = "#217a3c", "#9a6200", "#b3261e"
_YEAR_SECONDS = 31_536_000


@cache
def address() -> str:
    """Where the static files are; another address for other contents, so that browsers may keep them."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(STATIC.iterdir())))
    return f"/_podium/{digest.hexdigest()[:12]}"


@cache
def prepare() -> None:
    """Set NiceGUI up, once in a process."""
    app = nicegui.app
    app.add_static_files(address(), STATIC, max_cache_age=_YEAR_SECONDS)
    app.colors(primary=ACCENT, secondary=ACCENT, accent=ACCENT, positive=GOOD, negative=BAD, warning=WARN, info=ACCENT)
    app.config.vue_config_script += "\npodium.applyTheme();"
    ui.add_head_html(
        f'<link rel="stylesheet" href="{address()}/podium.css"><script src="{address()}/podium.js"></script>',
        shared=True,
    )
    ui.button.default_props("no-caps unelevated")
    ui.input.default_props("outlined dense stack-label hide-bottom-space no-error-icon")
    ui.number.default_props("outlined dense stack-label hide-bottom-space no-error-icon")
    ui.select.default_props("outlined dense stack-label hide-bottom-space options-dense no-error-icon")
    ui.textarea.default_props("outlined dense stack-label hide-bottom-space no-error-icon")
    ui.table.default_props("flat dense")
    ui.tabs.default_props("no-caps dense align=left outside-arrows")
    ui.checkbox.default_props("dense")
