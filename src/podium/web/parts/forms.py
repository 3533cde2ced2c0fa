"""Fields with their errors beside them, and forms that speak to the API without the page's server hearing passwords."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, TypeVar

from nicegui import ui
from pydantic import BaseModel, ValidationError

from podium.errors import InputError, Problem
from podium.web.figures import moment
from podium.web.tags import tag, words

Method = Literal["POST", "PUT", "PATCH"]
M = TypeVar("M", bound=BaseModel)
#: Attribute of a field: what is written below it where its content is refused.
EXPECTED = "data-expected"
_SECONDS_TO_ANSWER = 10.0


def field(label: str, value: str = "", *, expected: str = "", **given: Any) -> ui.input:
    """A line of text that the page reads; `refusals(fields={...})` writes below it what was expected."""
    line = ui.input(label, value=value, **given)
    line.props[EXPECTED] = expected
    return line


def dated_choice(
    moments: Sequence[datetime], options: Callable[[Sequence[str]], dict[str, str]], **given: Any
) -> ui.select:
    """A choice among things that have moments: `options` makes it of their texts, one for each of `moments`.

    As `when`: in the reader's time zone, and in UTC until the browser has put them there.
    """
    choice = ui.select(options([moment(at, "UTC") for at in moments]), **given)
    read = f"{json.dumps([at.isoformat() for at in moments])}.map(at => podium.momentText(at, true))"

    async def put_there() -> None:
        with suppress(TimeoutError):
            told = await ui.run_javascript(read, timeout=_SECONDS_TO_ANSWER)
            if isinstance(told, list) and len(told) == len(moments) and not choice.is_deleted:
                choice.set_options(options([str(text) for text in told]), value=choice.value)

    ui.timer(0.0, put_there, once=True)
    return choice


def action(text: str, done: Callable[[], Awaitable[None]], label: str = "") -> ui.button:
    """A small button in a row of a table; `label` says to screen readers which row it is about.

    Texts of users become attributes only so: NiceGUI would take them for code in a line of props.
    """
    button = ui.button(text, on_click=done).props("flat dense")
    button.props["aria-label"] = label or text
    return button


def checked(model: type[M], **given: object) -> M:
    """A request's content as the API takes it. Raises InputError, each problem at the name of its field."""
    try:
        return model(**given)
    except ValidationError as error:
        raise InputError(
            Problem(str(found["loc"][0]) if found["loc"] else "", repr(found["input"]), found["msg"])
            for found in error.errors()
        ) from None


class Form:
    """A form whose fields the browser sends to the API as JSON (podium.js).

    What is wrong with a field is written below it; what else is wrong, above the button. On success the browser goes to
    `then`, or `done` is shown.
    """

    def __init__(
        self, method: Method, path: str, *, button: str, label: str, csrf: str = "", then: str = "", done: str = ""
    ) -> None:
        self._button = button
        self._form = tag(
            "form",
            "pd-form",
            data_method=method,
            data_path=path,
            data_csrf=csrf,
            data_next=then,
            data_done=done,
            aria_label=label,
            novalidate="",
        )

    def __enter__(self) -> Form:
        self._form.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        words("div", "", "pd-error", data_error_of="", role="alert")
        words("div", "", "pd-done", data_done_here="", role="status")
        words("button", self._button, "pd-button", type="submit")
        self._form.__exit__()


def form_field(
    name: str,
    label: str,
    kind: str = "text",
    *,
    hint: str = "",
    expected: str = "",
    options: Mapping[str, str] | None = None,
    **attributes: str,
) -> None:
    """A field of a `Form`: the name is that of the API, `attributes` are those of the input.

    `expected` is written below it where the API refuses what stands there; without it, the API's own words.
    With `options`, value to words, one of them is chosen.
    """
    with tag("div", "pd-field"):
        title = words("label", label)
        if options is None:
            line = tag("input", "", name=name, type=kind, **attributes)
        else:
            line = _choice(name, options, attributes)
        title.props["for"] = line.html_id
        line.props[EXPECTED] = expected
        notes = [words("div", hint, "pd-hint")] if hint else []
        notes.append(words("div", "", "pd-error", data_error_of=name))
        line.props["aria-describedby"] = " ".join(note.html_id for note in notes)


def _choice(name: str, options: Mapping[str, str], attributes: Mapping[str, str]) -> ui.element:
    with tag("select", "", name=name, **attributes) as line:
        for value, text in options.items():
            words("option", text, value=value)
    return line
