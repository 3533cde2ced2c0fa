"""Fields with their errors beside them, and forms that speak to the API without the page's server hearing passwords."""

from __future__ import annotations

from typing import Any, Literal

from nicegui import ui

from podium.web.tags import tag, words

Method = Literal["POST", "PUT", "PATCH"]


def field(label: str, value: str = "", **given: Any) -> ui.input:
    """A line of text that the page reads; `refusals(fields={...})` writes errors below it."""
    return ui.input(label, value=value, **given).props(f'aria-label="{label}"').classes("w-full")


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
        words("div", "", "pd-done", data_done="", role="status")
        words("button", self._button, "pd-button", type="submit")
        self._form.__exit__()


def form_field(name: str, label: str, kind: str = "text", *, hint: str = "", **attributes: str) -> None:
    """A field of a `Form`: the name is that of the API, `attributes` are those of the input."""
    with tag("div", "pd-field"):
        words("label", label, for_=f"field-{name}")
        described = f"error-{name}" + (f" hint-{name}" if hint else "")
        tag("input", id=f"field-{name}", name=name, type=kind, aria_describedby=described, **attributes)
        if hint:
            words("div", hint, "pd-hint", id=f"hint-{name}")
        words("div", "", "pd-error", id=f"error-{name}", data_error_of=name)
