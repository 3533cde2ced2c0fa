"""From a figure to the options of Apache ECharts.

On a time axis, series hold a value per step: the script puts the times, so that they are not sent with every series,
and thins long ones to what a screen can show.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from podium.web.charts.colours import colour
from podium.web.charts.figure import Band, Figure, NameAxis, NumberAxis, Series, Stack, TimeAxis, ValueAxis
from podium.web.charts.units import Scale, rounded, scale_of

_AXIS_LINE = {"onZero": False, "lineStyle": {"color": "var(--chart-line)"}}
_AXIS_LABEL = {"color": "var(--chart-muted)", "fontSize": 11, "lineHeight": 14, "hideOverlap": True}
_BELOW = {"nameLocation": "middle", "nameGap": 26, "nameTextStyle": {"color": "var(--chart-muted)"}}
#: Numbers below bars, which stand beside each other and need room for their digits.
_FEW = {"splitNumber": 3}
_GRID_LINE = {"lineStyle": {"color": "var(--chart-grid)"}}


def chart_of(figure: Figure) -> dict[str, Any]:
    """Everything that the script needs: options, what is shown under the cursor and exported, and words."""
    scales = _scales(figure)
    series, columns = _series(figure, scales)
    return {
        "title": figure.title,
        "note": figure.note,
        "description": figure.description,
        "file_name": figure.file_name or figure.title,
        "axis": _axis_facts(figure.x),
        "columns": columns,
        "options": _options(figure, scales, series),
    }


def _scales(figure: Figure) -> tuple[Scale, Scale]:
    """Scales of the axes on the left and on the right."""
    left = scale_of(figure.y.unit, figure.rows_of(right=False), logarithmic=figure.y.logarithmic)
    unit = "" if figure.y_right is None else figure.y_right.unit
    return left, scale_of(unit, figure.rows_of(right=True))


def _options(figure: Figure, scales: tuple[Scale, Scale], series: list[dict[str, Any]]) -> dict[str, Any]:
    axes = [_value_axis(figure.y, scales[0])]
    if figure.y_right is not None:
        right = {"color": "var(--chart-muted)", "align": "right"}
        axes.append(_value_axis(figure.y_right, scales[1]) | {"splitLine": {"show": False}, "nameTextStyle": right})
    names = isinstance(figure.x, NameAxis)
    zoom = figure.zoom and isinstance(figure.x, TimeAxis)
    bottom = 30 if zoom else 26 if isinstance(figure.x, NumberAxis) else 22 if names else 6
    axis = _axis(figure.x)
    return {
        "animation": False,
        "backgroundColor": "transparent",
        "aria": {"enabled": True, "label": {"description": figure.description}},
        "grid": {
            "left": 16,
            "right": 20,
            "top": 4 if names else 26,
            "bottom": bottom,
            "containLabel": True,
        },
        "xAxis": axes[0] | _BELOW | _FEW if names else axis,
        "yAxis": axis if names else axes,
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "transitionDuration": 0,
            "axisPointer": {"type": "shadow" if names else "line", "lineStyle": {"color": "var(--chart-muted)"}},
            "backgroundColor": "var(--chart-surface)",
            "borderColor": "var(--chart-line)",
            "textStyle": {"color": "var(--chart-ink)", "fontSize": 12},
        },
        "dataZoom": _zoom(slider=zoom) if not names else [],
        "series": series,
    }


def _zoom(*, slider: bool) -> list[dict[str, Any]]:
    """Zoom by wheel with Ctrl, by drawing with the mouse, and by a slider below."""
    inside = {
        "type": "inside",
        "filterMode": "none",
        "zoomOnMouseWheel": "ctrl",
        "moveOnMouseWheel": False,
        "preventDefaultMouseMove": False,
    }
    bar = {
        "type": "slider",
        "filterMode": "none",
        "height": 14,
        "bottom": 6,
        "showDetail": False,
        "brushSelect": False,
        "borderColor": "var(--chart-grid)",
        "fillerColor": "var(--chart-filler)",
        "handleStyle": {"color": "var(--chart-surface)", "borderColor": "var(--chart-muted)"},
        "moveHandleStyle": {"color": "var(--chart-line)"},
        "dataBackground": {"lineStyle": {"opacity": 0}, "areaStyle": {"opacity": 0}},
        "selectedDataBackground": {"lineStyle": {"opacity": 0}, "areaStyle": {"opacity": 0}},
    }
    return [inside, bar] if slider else [inside]


def _axis_facts(x: TimeAxis | NumberAxis | NameAxis) -> dict[str, Any]:
    """What the script must know of the axis to name a place on it."""
    if isinstance(x, TimeAxis):
        return {
            "kind": "time",
            "start_ms": x.start_ms,
            "step_ms": x.step_minutes * 60_000,
            "steps": x.steps,
            "zone": x.zone,
            "offsets": [list(each) for each in x.offsets],
        }
    if isinstance(x, NameAxis):
        return {"kind": "names", "name": x.name, "names": list(x.names)}
    values = rounded(x.values, Scale(x.unit, 1.0, x.decimals))
    return {"kind": "numbers", "name": x.name, "unit": x.unit, "decimals": x.decimals, "values": values}


def _axis(x: TimeAxis | NumberAxis | NameAxis) -> dict[str, Any]:
    look: dict[str, Any] = {"axisLine": _AXIS_LINE, "axisTick": _AXIS_LINE}
    if isinstance(x, NameAxis):
        label = _AXIS_LABEL | {"width": 140, "overflow": "break", "hideOverlap": False}
        look["axisTick"] = {"show": False}
        return look | {"type": "category", "data": list(x.names), "inverse": True, "axisLabel": label}
    line: dict[str, Any] = {"axisLabel": dict(_AXIS_LABEL), "splitLine": {"show": False}}
    if isinstance(x, TimeAxis):
        end_ms = x.start_ms + x.steps * x.step_minutes * 60_000
        return look | line | {"type": "value", "min": x.start_ms, "max": end_ms}
    name = f"{x.name}, {x.unit}" if x.unit else x.name
    line["minInterval"] = 0 if x.decimals else 1
    return look | line | _BELOW | {"name": name} | {"type": "value", "scale": True, "min": "dataMin", "max": "dataMax"}


def _value_axis(axis: ValueAxis, scale: Scale) -> dict[str, Any]:
    unit = f", {scale.unit}" if scale.unit else ""
    return {
        "type": "log" if axis.logarithmic else "value",
        "name": f"{axis.title}{unit}",
        "nameTextStyle": {"color": "var(--chart-muted)", "align": "left"},
        "nameGap": 10,
        "scale": not axis.from_zero,
        "axisLabel": dict(_AXIS_LABEL),
        "axisLine": {"show": False, "onZero": False},
        "axisTick": {"show": False},
        "splitLine": _GRID_LINE,
    }


def _series(figure: Figure, scales: tuple[Scale, Scale]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Series of ECharts, and columns: what values are called, and which part of which series they are."""
    series: list[dict[str, Any]] = []
    columns: list[dict[str, Any]] = []
    for each in figure.shown:
        if isinstance(each, Series):
            scale = scales[each.right]
            look = "area" if each.filled or each.look == "bar" else "dashed" if each.dashed else each.look
            column = _column(each.name, each.colour, scale, len(series), "value", legend=look)
            columns.append(column | ({"asked_for": True} if each.asked_for else {}))
            series.append(_line(each, scale))
        elif isinstance(each, Band):
            columns.append(_column(f"{each.name}, from", each.colour, scales[0], len(series), "low"))
            columns.append(_column(f"{each.name}, to", each.colour, scales[0], len(series), "high"))
            columns[-2] |= {"legend": each.name, "look": "area"}
            series.append(_band(each, scales[0]))
        else:
            for band in _layers(each):
                columns.append(_column(band.name, band.colour, scales[0], len(series), "height", legend="area"))
                series.append(_band(band, scales[0]))
    if series and not isinstance(figure.x, NameAxis):
        series.append(_marks(figure.x))
    return series, columns


def _column(name: str, hue: str, scale: Scale, of: int, part: str, legend: str = "") -> dict[str, Any]:
    found = {
        "name": name,
        "unit": scale.unit,
        "decimals": scale.decimals,
        "colour": colour(hue),
        "of": of,
        "part": part,
    }
    return found | ({"legend": name, "look": legend} if legend else {})


def _line(each: Series, scale: Scale) -> dict[str, Any]:
    """A series of ECharts."""
    hue = colour(each.colour)
    found: dict[str, Any] = {
        "name": each.name,
        "type": {"bar": "bar", "point": "scatter"}.get(each.look, "line"),
        "data": rounded(each.values, scale),
        "yAxisIndex": int(each.right),
        "itemStyle": {"color": hue},
        "emphasis": {"disabled": True},
        "z": 3,
    }
    if found["type"] == "bar":
        return found | {"barMaxWidth": 22}
    if found["type"] == "scatter":
        return found | {"symbolSize": 5, "large": True}
    found |= {
        "symbol": "none",
        "lineStyle": {"color": hue, "width": each.width, "type": "dashed" if each.dashed else "solid"},
    }
    if each.look == "step":
        found["step"] = "end"
    if each.filled:
        found["areaStyle"] = {"color": hue, "opacity": 0.18}
    return found


def _band(each: Band, scale: Scale) -> dict[str, Any]:
    """Two rows of values; the script fills what lies between them."""
    rows = {"low": rounded(each.low, scale), "high": rounded(each.high, scale)}
    return {"name": each.name, "type": "custom", "itemStyle": {"color": colour(each.colour)}, "z": 1, **rows}


def _layers(stack: Stack) -> list[Band]:
    """The parts of a stack as bands, from the bottom to the top."""
    found, low = [], 0.0 * np.nan_to_num(stack.parts[0][1]) if stack.parts else np.zeros(0)
    for name, values, hue in stack.parts:
        found.append(Band(name, low, low + np.nan_to_num(values), hue))
        low = found[-1].high
    return found


def _marks(x: TimeAxis | NumberAxis) -> dict[str, Any]:
    """A line at zero, and lines where the clocks change."""
    words = {"color": "var(--chart-muted)", "fontSize": 10, "position": "end", "rotate": 0, "distance": 3}
    changes = x.changes if isinstance(x, TimeAxis) else ()
    dotted = {"color": "var(--chart-muted)", "type": "dotted", "width": 1}
    lines = [{"xAxis": at, "label": {"formatter": text}, "lineStyle": dotted} for at, text in changes]
    zero = {"yAxis": 0, "label": {"show": False}, "lineStyle": {"color": "var(--chart-line)", "type": "solid"}}
    shown = {"silent": True, "symbol": "none", "label": words, "data": [zero, *lines]}
    return {"id": "marks", "type": "line", "data": [], "markLine": shown, "z": 2}
