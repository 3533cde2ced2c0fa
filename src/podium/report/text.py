"""Numbers and words of the page, written one way throughout."""

from __future__ import annotations

import math

MINUS = "−"
ABSENT = "–"

_ABBREVIATIONS = {"pv": "PV", "chp": "CHP", "ev": "EV"}
_LEVELS = {
    "battery": "State of charge",
    "ev_charger": "State of charge",
    "chp": "Heat stored",
    "heat_pump": "Heat stored",
    "curtailable_load": "Allowance left",
    "shiftable_load": "Taken beyond the load",
}


def fixed(value: float | None, decimals: int) -> str:
    """A number with thousands separators and fixed decimals.

    >>> fixed(-1234567.891, 2), fixed(-0.001, 2), fixed(None, 2)
    ('−1,234,567.89', '0.00', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{abs(value):,.{decimals}f}"
    return MINUS + text if value < 0 and text.strip("0.,") else text


def eur(value: float | None) -> str:
    """Money: euros with cents."""
    return ABSENT if value is None else f"{fixed(value, 2)} EUR"


def large_eur(value: float | None) -> str:
    """Money as HTML, with the unit in smaller letters."""
    return ABSENT if value is None else f"{fixed(value, 2)} <small>EUR</small>"


def percent(fraction: float | None) -> str:
    """A fraction as a percentage; a certificate's gap is often tiny, so with four decimals."""
    return ABSENT if fraction is None else f"{fixed(100.0 * fraction, 4)} %"


def seconds(value: float | None) -> str:
    """Time spent, s."""
    return f"{fixed(value, 2)} s"


def energy(kwh: float | None) -> str:
    """Energy as an element whose unit the page's switch changes."""
    if kwh is None or not math.isfinite(kwh):
        return ABSENT
    return f'<span data-kwh="{kwh!r}">{fixed(kwh, 2)} kWh</span>'


def count(number: int, one: str, many: str | None = None) -> str:
    """A number of things.

    >>> count(1, "POD"), count(2400, "POD")
    ('1 POD', '2,400 PODs')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def kind_text(kind: str) -> str:
    """A kind of device as people write it.

    >>> kind_text("ev_charger"), kind_text("pv")
    ('EV charger', 'PV')
    """
    return " ".join(_ABBREVIATIONS.get(word, word) for word in kind.split("_"))


def level_text(kind: str) -> str:
    """What the energy of a device's store is, in words.

    >>> level_text("chp"), level_text("flywheel")
    ('Heat stored', 'Level')
    """
    return _LEVELS.get(kind, "Level")


def tag(name: str, content: str, css: str = "") -> str:
    """An element around content that is HTML already."""
    return f'<{name} class="{css}">{content}</{name}>' if css else f"<{name}>{content}</{name}>"


def table(head: list[str], rows: list[list[str]], numeric: set[int]) -> str:
    """A table of HTML cells; columns in `numeric` stand to the right."""

    def row(cells: list[str], cell: str) -> str:
        return tag("tr", "".join(tag(cell, text, "num" if i in numeric else "") for i, text in enumerate(cells)))

    body = "".join(row(cells, "td") for cells in rows)
    return tag("div", tag("table", tag("thead", row(head, "th")) + tag("tbody", body)), "scroll")
