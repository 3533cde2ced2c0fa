"""What shows a little: tiles, panels, badges, and what stands where there is nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from nicegui import ui

from podium.web.figures import ABSENT, moment
from podium.web.tags import link, tag, words

#: State -> class of its badge.
_LOOKS = {
    "done": "pd-good",
    "failed": "pd-bad",
    "cancelled": "pd-warn",
    "running": "pd-busy",
    "queued": "",
}


def stats() -> ui.element:
    """A row of tiles, to be filled by `stat`."""
    return tag("dl", "pd-stats")


def stat(label: str, value: str, note: str = "") -> ui.element:
    """A tile: what, how much, and a note in small letters."""
    with tag("div", "pd-stat") as tile:
        words("dt", label)
        words("dd", value)
        if note:
            words("dd", note, "pd-note")
    return tile


@contextmanager
def panel(title: str, *, flush: bool = False) -> Iterator[ui.element]:
    """A box with a heading; yields the place right of it, for buttons. `flush` for a table that fills the box."""
    with tag("section", "pd-panel"):
        with tag("div", "pd-panel-head"):
            words("h2", title)
            actions = tag("div", "pd-row")
        with tag("div", "pd-panel-body" + (" pd-flush" if flush else "")):
            yield actions


def badge(text: str, look: str | None = None) -> ui.element:
    """A state in a word; `look` is pd-good, pd-warn, pd-bad or pd-busy, and that of runs by itself."""
    return words("span", text, badge_classes(text) if look is None else f"pd-badge {look}")


def badge_classes(state: str) -> str:
    """The classes of a run's state, for cells of tables."""
    return f"pd-badge {_LOOKS.get(state, '')}"


def empty(text: str, action: tuple[str, str] | None = None) -> ui.element:
    """What stands where there is nothing yet, and the words and address of what to do about it."""
    with tag("div", "pd-empty") as place:
        words("p", text)
        if action is not None:
            link(action[0], action[1], "pd-button")
    return place


def when(at: datetime | None, *, seconds: bool = False) -> ui.element:
    """A moment in the reader's time zone; in UTC until the browser has put it there. With its seconds on demand."""
    if at is None:
        return words("span", ABSENT)
    precise = {"seconds": ""} if seconds else {}
    return words("pd-moment", moment(at, "UTC"), at=at.isoformat(), **precise)
