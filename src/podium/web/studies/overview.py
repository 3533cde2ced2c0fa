"""All studies that one may read, and the box by which one gets more."""

from __future__ import annotations

from podium.service import studies
from podium.service.accounts import Role
from podium.service.views import StudyView
from podium.web import figures, parts, shell, uploads
from podium.web.tags import tag, words
from podium.web.visitor import Visitor, page

_COLUMNS = (
    parts.Column("name", "Name", href=lambda row: f"/studies/{row['id']}"),
    parts.Column("pods", "PODs", text=figures.count, numeric=True),
    parts.Column("devices", "Devices", text=figures.count, numeric=True),
    parts.Column("start", "From", classes=lambda _: "pd-nowrap"),
    parts.Column("steps", "Steps", text=figures.count, numeric=True),
    parts.Column("created", "Made", moment=True),
)
_OWNER = parts.Column("owner", "Owner")


@page("/studies", title="Studies")
async def overview(visitor: Visitor) -> None:
    """One's own studies, those shared with one, and an upload."""
    found = await visitor.query(studies.studies_of)
    own, shared = ([study for study in found if study.mine is mine] for mine in (True, False))
    with shell.frame(visitor, "Studies", active="studies", lead="A study never changes: a change is a new study."):
        if visitor.may(Role.operator):
            with tag("div", "pd-side"):
                _lists(own, shared)
                with parts.panel("Upload a study"):
                    words("p", "It is kept if it is valid; otherwise everything that is wrong is listed.", "pd-muted")
                    uploads.upload_box(visitor, uploads.open_kept)
        else:
            _lists(own, shared)


def _lists(own: list[StudyView], shared: list[StudyView]) -> None:
    with tag("div", "pd-stack"):
        with parts.panel("Your studies", flush=True):
            _table(own, "Your studies", "No studies yet: upload one, or configure a portfolio.", _COLUMNS)
        with parts.panel("Shared with you", flush=True):
            _table(shared, "Studies shared with you", "Nobody shares a study with you.", (*_COLUMNS, _OWNER))


def _table(found: list[StudyView], label: str, nothing: str, columns: tuple[parts.Column, ...]) -> None:
    if not found:
        parts.empty(nothing)
        return
    parts.table([_row(study) for study in found], columns, label=label, sort="created", descending=True)


def _row(study: StudyView) -> dict[str, object]:
    facts = study.facts
    return {
        "id": str(study.id),
        "name": study.name,
        "pods": facts.pods,
        "devices": facts.devices,
        "start": figures.day(facts.start, facts.time_zone),
        "steps": facts.steps,
        "created": study.created_at.isoformat(),
        "owner": study.owner,
    }
