"""The element that draws a figure on a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.echart import EChart
from nicegui.events import GenericEventArguments

from podium.web import theme
from podium.web.charts.figure import Figure, NameAxis
from podium.web.charts.options import chart_of

#: The page's script takes ECharts from NiceGUI, which ships it with the element named here.
DRAWN_BY = EChart
_SCRIPTS = Path(__file__).parent / "scripts"
_NAME_PX = 30
_NAMES_PX = 70


ui.add_head_html(f'<link rel="stylesheet" href="{theme.address()}/charts.css">', shared=True)


class Chart(Element, component="podium_chart.js", esm={"podium-charts": str(_SCRIPTS)}):
    """A figure with zoom, values under the cursor, and files of it; it follows the mode of the page.

    Charts of the same `group` share zoom and cursor. `on_step` hears of the step that is chosen by click or Enter.
    """

    def __init__(
        self,
        figure: Figure,
        *,
        height_px: int = 260,
        group: str = "",
        on_step: Callable[[int], Any] | None = None,
        cursor: int | None = None,
    ) -> None:
        super().__init__()
        names = figure.x.names if isinstance(figure.x, NameAxis) else ()
        self._props["chart"] = chart_of(figure)
        self._props["height"] = _NAMES_PX + _NAME_PX * len(names) if names else height_px
        self._props["group"] = group
        self._props["cursor"] = cursor
        self.classes("podium-chart-place")
        if on_step is not None:
            told = on_step

            def chosen(event: GenericEventArguments) -> Any:
                return told(int(event.args))

            self.on("step", chosen)

    def show(self, figure: Figure) -> None:
        """Draw another figure in the place of this."""
        self._props["chart"] = chart_of(figure)
        self.update()

    def point_at(self, step: int | None) -> None:
        """Mark a step of the time axis, or none."""
        self._props["cursor"] = step  # for browsers that build the page anew
        self.run_method("mark", step)
