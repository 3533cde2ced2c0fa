"""Tables of data: sorted by what the numbers are, shown as people read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from podium.web.tags import tag, words

#: Whatever the column: its text, as a link where it has an address.
_CELL = """
<q-td :props="props">
  <a v-if="props.row[props.col.name + ':href']" :href="props.row[props.col.name + ':href']">
    {{ props.row[props.col.name + ':text'] }}
  </a>
  <pd-moment v-else-if="props.row[props.col.name + ':at']" :at="props.row[props.col.name + ':at']"></pd-moment>
  <span v-else :class="props.row[props.col.name + ':class']">{{ props.row[props.col.name + ':text'] }}</span>
</q-td>
"""
#: A heading sorts by click; a button inside it gives that to the keyboard.
HEAD = '<q-th :props="props"><button type="button" class="pd-sort">{{ props.col.label }}</button></q-th>'
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table: `name` is the key in the rows, by whose values it is sorted."""

    name: str
    label: str
    text: Callable[[Any], str] = str
    """How a value is shown."""
    numeric: bool = False
    href: Callable[[Row], str] | None = None
    """Address that a row's cell links to."""
    classes: Callable[[Row], str] | None = None
    """Classes of a row's cell, such as those of badges."""
    moment: bool = False
    """Whether values are moments in ISO format, to be shown in the reader's time zone."""

    def heading(self) -> dict[str, Any]:
        """The column as Quasar's tables take it."""
        side, classes = ("right", "pd-num") if self.numeric else ("left", "pd-nowrap" if self.moment else "")
        return {
            "name": self.name,
            "label": self.label,
            "field": self.name,
            "sortable": True,
            "align": side,
            "classes": classes,
        }


@contextmanager
def listing(label: str, *titles: str, numbers: Collection[str] = ()) -> Iterator[ui.element]:
    """A plain table for rows that hold more than text; yields its body, for rows. An empty title is a gap.

    `numbers` are the titles of columns whose cells are right-aligned (pd-num).
    """
    with tag("div", "pd-table-around"), tag("table", "pd-table", aria_label=label) as whole:
        name_columns(whole, titles)
        with tag("thead"), tag("tr"):
            for title in titles:
                words("th", title, "pd-num" if title in numbers else "", scope="col") if title else tag("td")
        with tag("tbody") as body:
            yield body


def table(
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    label: str,
    key: str = "id",
    page_size: int = 25,
    sort: str | None = None,
    descending: bool = False,
) -> ui.table:
    """A table with a line per row, sorted by a click on a heading; pages of `page_size` rows, all at once where 0.

    `label` says to screen readers what the table is. `key` is the column that tells rows apart.
    """
    shown = ui.table(
        columns=[column.heading() for column in columns],
        rows=[_row(row, columns, key) for row in rows],
        row_key=key,
        pagination={
            "rowsPerPage": page_size if len(rows) > page_size else 0,
            "sortBy": sort,
            "descending": descending,
        },
    )
    shown.add_slot("body-cell", _CELL)
    shown.add_slot("header-cell", HEAD)
    shown.props["data-label"] = label
    shown.props["hide-pagination"] = not len(rows) > page_size > 0
    name_columns(shown, [column.label for column in columns])
    return shown.classes("pd-data")


def name_columns(whole: ui.element, titles: Sequence[str]) -> None:
    """Hand the titles to podium.css, which writes them before the cells on phones; nothing where one is empty."""
    for number, title in enumerate(titles, 1):
        if title:
            whole.style[f"--title-{number}"] = json.dumps(title, ensure_ascii=False)


def _row(row: Row, columns: Sequence[Column], key: str) -> dict[str, Any]:
    made: dict[str, Any] = {key: row[key]}
    for column in columns:
        value = row[column.name]
        made[column.name] = value
        made[f"{column.name}:text"] = column.text(value)
        if column.moment:
            made[f"{column.name}:at"] = value
        if column.href is not None:
            made[f"{column.name}:href"] = column.href(row)
        if column.classes is not None:
            made[f"{column.name}:class"] = column.classes(row)
    return made
