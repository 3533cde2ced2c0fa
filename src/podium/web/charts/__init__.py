"""Charts: figures as data, their options for Apache ECharts, and the element that draws them."""

from podium.web.charts.chart import Chart
from podium.web.charts.figure import Band, Figure, NameAxis, NumberAxis, Series, Stack, TimeAxis, ValueAxis

__all__ = ["Band", "Chart", "Figure", "NameAxis", "NumberAxis", "Series", "Stack", "TimeAxis", "ValueAxis"]
