"""The three steps from plants to a plan, at the top of the pages that are one of them."""

from __future__ import annotations

from uuid import UUID

from nicegui import ui

from podium.web import theme
from podium.web.tags import icon, link, tag, words

STEPS = ("Configure", "Profiles", "Optimise")
CONFIGURE, PROFILES, OPTIMISE = 1, 2, 3


def steps(active: int, study: UUID | None, configuration: UUID | None = None) -> None:
    """Where one is, from 1 to 3, and links to the steps that can be gone to.

    `study` is what is optimised, where there is one already; `configuration` what it is composed of, where it is kept.
    """
    ui.add_head_html(f'<link rel="stylesheet" href="{theme.address()}/steps.css">')
    with tag("nav", "pd-steps", aria_label="Steps"), tag("ol"):
        for number, (name, address) in enumerate(zip(STEPS, _addresses(study, configuration), strict=True), 1):
            state = "pd-step-now" if number == active else "pd-step-done" if number < active else ""
            with tag("li", f"pd-step {state}"):
                _mark(number, done=number < active)
                if number == active:
                    words("span", name, aria_current="step")
                elif address is None:
                    words("span", name)
                else:
                    link(name, address)


def _addresses(study: UUID | None, configuration: UUID | None) -> tuple[str, str | None, str | None]:
    """Addresses of the steps; None where one cannot be gone to yet."""
    optimise = None if study is None else f"/optimise/{study}"
    if configuration is not None:
        return f"/configure/{configuration}", f"/configure/{configuration}/profiles", optimise
    return "/configure", None if study is None else f"/profiles/{study}", optimise


def _mark(number: int, *, done: bool) -> None:
    with tag("span", "pd-step-mark", aria_hidden="true"):
        if done:
            icon("check")
        else:
            words("span", str(number))
