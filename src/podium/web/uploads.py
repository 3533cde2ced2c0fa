"""A box for the files of a study, which the browser sends to the API: its limits hold there, and progress is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from podium.service.problems import Where
from podium.service.views import StudyFacts, StudyView, Validation
from podium.web import figures, parts
from podium.web.tags import tag, words
from podium.web.visitor import Visitor

KEEP, CHECK = "/studies", "/studies/validation"
Done = Callable[[StudyView], Awaitable[None]]


def upload_box(visitor: Visitor, done: Done) -> None:
    """Take a zip archive, single files or a folder; everything wrong with them is listed below.

    `done` gets the study that was kept.
    """

    async def uploaded(event: GenericEventArguments) -> None:
        told.clear()
        answer = event.args["detail"]
        with told:
            if answer["status"] == HTTPStatus.CREATED:
                await done(StudyView.model_validate(answer["content"]))
            elif answer["status"] == HTTPStatus.OK:
                _tell_checked(Validation.model_validate(answer["content"]))
            else:
                tell_refused(answer["content"] or {})

    with tag("div", "pd-upload pd-stack", data_upload="", data_csrf=visitor.csrf) as box:
        with tag("div", "pd-drop"):
            words("p", "Drop a zip archive here, or study.yaml and its tables", "pd-strong")
            with tag("div", "pd-row"):
                _chooser("Choose files", "data-one")
                _chooser("Choose a folder", "data-folder")
            tag("input", type="file", multiple="", hidden="", data_one="", aria_label="Files of the study")
            tag("input", type="file", webkitdirectory="", hidden="", data_folder="", aria_label="Folder of the study")
            words("p", "", "pd-muted pd-break", data_files="", role="status")
        with tag("div", "pd-row"):
            words("button", "Upload", "pd-button", type="button", data_send=KEEP, disabled="")
            words("button", "Only check", "pd-button pd-quiet", type="button", data_send=CHECK, disabled="")
        tag("progress", max="1", value="0", hidden="", aria_label="Upload")
        told = tag("div", "pd-stack")
    box.on("podium-uploaded", uploaded, args=["detail"])


def _chooser(text: str, which: str) -> None:
    words("button", text, "pd-button pd-quiet", type="button", data_choose=f"input[{which}]")


def _tell_checked(found: Validation) -> None:
    if found.facts is None:
        parts.problems(found.problems)
        return
    with tag("div", "pd-notice pd-good", role="status"):
        words("p", f"Nothing is wrong: {summary(found.facts)}.")


def tell_refused(content: dict[str, Any]) -> None:
    """Show why the API refuses what was sent: everything wrong with it, or its words."""
    problems = [Where.model_validate(row) for row in content.get("problems", [])]
    if problems:
        parts.problems(problems)
        return
    with tag("div", "pd-notice pd-bad", role="alert"):
        words("p", parts.sentence(str(content.get("detail", "the server refuses the upload"))))


def summary(facts: StudyFacts) -> str:
    """What a study is about, in a line."""
    sizes = [figures.counted(facts.pods, "POD"), figures.counted(facts.devices, "device")]
    steps = f"{figures.counted(facts.steps, 'step')} of {facts.step_minutes} min"
    return ", ".join([*sizes, f"{steps} from {figures.moment(facts.start, facts.time_zone)}"])


async def open_kept(study: StudyView) -> None:
    """What most pages do with a study that was kept: open its page."""
    go_to(study)


def go_to(study: StudyView) -> None:
    """Open the page of a study."""
    ui.navigate.to(f"/studies/{study.id}")
