"""Long tables, of which the browser holds a page: the server sorts, finds and sends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from nicegui import ui
from nicegui.events import GenericEventArguments

from podium.web import figures
from podium.web.parts import Column, empty, name_columns
from podium.web.parts.tables import HEAD
from podium.web.tags import tag, words

_SIZES = (10, 25, 50, 100, 250)
_CELL = """
<q-td :props="props">
  <a v-if="props.row[props.col.name].href" :href="props.row[props.col.name].href">
    {{ props.row[props.col.name].text }}
  </a>
  <span v-else :class="props.row[props.col.name].look">{{ props.row[props.col.name].text }}</span>
</q-td>
"""
_KEY = "paged-row"


class Paged:
    """A table with a row for each of `frame`; `searched` are the columns in which text is looked for.

    `choices` is the column of which one value can be chosen, such as a state.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        columns: Sequence[Column],
        *,
        label: str,
        searched: Sequence[str],
        choices: str = "",
        sort: str = "",
        descending: bool = False,
        page_size: int = _SIZES[1],
    ) -> None:
        self.frame, self.columns, self.searched, self.choices = frame, columns, searched, choices
        self.text, self.choice = "", ""
        self._words = _lower(frame, searched)
        with tag("div", "pd-stack pd-paged"):
            with tag("div", "pd-row pd-paged-head"):
                self._search(label)
                self._count = words("span", "", "pd-muted pd-small", role="status")
            self.shown = ui.table(
                columns=[column.heading() for column in columns],
                rows=[],
                row_key=_KEY,
                pagination={"rowsPerPage": page_size, "page": 1, "sortBy": sort or None, "descending": descending},
            ).classes("pd-data")
            self.shown.props["rows-per-page-options"] = list(_SIZES)
            self.shown.props["data-label"] = label
            self.shown.add_slot("body-cell", _CELL)
            self.shown.add_slot("header-cell", HEAD)
            name_columns(self.shown, [column.label for column in columns])
            self.shown.on("request", self._requested)
            self._nothing = empty("No row fits.")
        self.refresh()

    def _search(self, label: str) -> None:
        """A line to search by, and a choice where there is one."""
        line = ui.input(placeholder="Search", on_change=lambda event: self._found(str(event.value or "")))
        line.props("debounce=300 clearable").classes("pd-paged-search").props["aria-label"] = f"Search in {label}"
        values = sorted(str(value) for value in self.frame[self.choices].unique()) if self.choices else []
        if len(values) > 1:
            options = {"": f"Every {self.choices}"} | {value: value for value in values}
            choice = ui.select(options, value="", on_change=lambda event: self._chosen(str(event.value)))
            choice.props["aria-label"] = self.choices

    def _found(self, text: str) -> None:
        self.text = text.strip().lower()
        self.refresh(first=True)

    def _chosen(self, value: str) -> None:
        self.choice = value
        self.refresh(first=True)

    def _requested(self, event: GenericEventArguments) -> None:
        wanted = event.args["pagination"]
        self.shown.pagination.update({key: wanted.get(key) for key in ("page", "rowsPerPage", "sortBy", "descending")})
        self.refresh()

    def refresh(self, *, first: bool = False) -> None:
        """Show the page that is wanted, or the first one."""
        wanted = self.shown.pagination
        rows = chosen_rows(self.frame, self._words, self.text, (self.choices, self.choice))
        sort = wanted.get("sortBy")
        if sort:
            rows = rows.sort_values(str(sort), ascending=not wanted.get("descending"), kind="stable")
        size = int(wanted.get("rowsPerPage") or _SIZES[-1])
        pages = max(math.ceil(len(rows) / size), 1)
        page = 1 if first else min(max(int(wanted.get("page") or 1), 1), pages)
        part = rows.iloc[(page - 1) * size : page * size]
        self.shown.rows = [self._row(number, row) for number, row in enumerate(_dicts(part))]
        self.shown.pagination = dict(wanted) | {"page": page, "rowsPerPage": size, "rowsNumber": len(rows)}
        self._count.text = f"{figures.count(len(rows))} of {figures.count(len(self.frame))}"
        self.shown.set_visibility(len(rows) > 0)
        self._nothing.set_visibility(len(rows) == 0)

    def _row(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        return {_KEY: number} | {column.name: _cell(column, row) for column in self.columns}


def _dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _cell(column: Column, row: dict[str, Any]) -> dict[str, str]:
    found = {"text": column.text(row[column.name])}
    if column.href is not None:
        found["href"] = column.href(row)
    if column.classes is not None:
        found["look"] = column.classes(row)
    return found


def _lower(frame: pd.DataFrame, searched: Sequence[str]) -> pd.Series[str]:
    """What is searched in each row, in lower case."""
    joined = pd.Series("", index=frame.index)
    for name in searched:
        joined += "\n" + frame[name].fillna("").astype(str)
    return joined.str.lower()


def chosen_rows(
    frame: pd.DataFrame, lower: pd.Series[str], text: str, choice: tuple[str, str] = ("", "")
) -> pd.DataFrame:
    """Rows in which each word of `text` occurs, and in which the column of `choice` has its value."""
    kept = pd.Series(True, index=frame.index)
    for word in text.split():
        kept &= lower.str.contains(word, regex=False)
    column, value = choice
    if column and value:
        kept &= frame[column].astype(str) == value
    return frame[kept]
