"""What a page says: done, refused, and everything that is wrong with an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from nicegui import ui

from podium.errors import InputError, PodiumError
from podium.service.problems import SignInError, Where
from podium.web.figures import counted
from podium.web.parts.forms import EXPECTED
from podium.web.parts.tables import listing
from podium.web.tags import tag, words


def say(text: str, kind: str = "positive") -> None:
    """A word in the corner, read out too; `kind` is positive, negative, warning or info."""
    ui.notify(text, type=kind, position="bottom-right", attrs={"role": "status"})  # type: ignore[arg-type]


@contextmanager
def refusals(
    fields: Mapping[str, ui.input | ui.number | ui.select] | None = None, place: ui.element | None = None
) -> Iterator[None]:
    """Show what an action is refused for: below the field that a problem names, else in `place` or the corner.

    Who has no session any more is sent to sign in.
    """
    for known in (fields or {}).values():
        known.error = None
    try:
        yield
    except SignInError:
        ui.navigate.to("/sign-in")
    except InputError as error:
        _tell(error, fields or {}, place)
    except PodiumError as error:
        say(sentence(str(error)), "negative")


def _tell(error: InputError, fields: Mapping[str, ui.input | ui.number | ui.select], place: ui.element | None) -> None:
    rest = []
    for problem in error.problems:
        known = fields.get(problem.where)
        if known is None:
            rest.append(problem)
        else:
            known.error = known.props.get(EXPECTED) or sentence(problem.expected)
    if rest and place is not None:
        place.clear()
        with place:
            problems(InputError(rest))
    elif rest:
        say("; ".join(map(str, rest)), "negative")


def problems(found: InputError | Sequence[Where]) -> ui.element:
    """Everything wrong with an input as a table: where, what stands there, what was expected."""
    rows = found.problems if isinstance(found, InputError) else found
    with tag("div", "pd-problems", role="alert") as box:
        words("div", counted(len(rows), "problem"), "pd-problems-head")
        with listing("Problems", "Where", "Given", "Expected"):
            for row in rows:
                with tag("tr"):
                    words("td", row.where, "pd-mono pd-break")
                    words("td", row.value, "pd-break")
                    words("td", row.expected, "pd-break")
    return box


async def confirm(title: str, text: str, action: str, *, danger: bool = True) -> bool:
    """Ask before something is done; True where the answer is `action`."""
    with ui.dialog(value=True) as dialog, ui.card():
        dialog.props["aria-label"] = title
        words("h2", title)
        words("p", text)
        with tag("div", "pd-row").style("justify-content: flex-end"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).classes("pd-quiet")
            ui.button(action, on_click=lambda: dialog.submit(True)).classes("pd-danger" if danger else "")
    answer = bool(await dialog)
    dialog.delete()
    return answer


def sentence(text: str) -> str:
    """An error's words with a capital letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
