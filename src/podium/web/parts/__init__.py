"""Small pieces that pages are made of."""

from podium.web.parts.boxes import badge, empty, panel, stat, stats, when
from podium.web.parts.forms import Form, field, form_field
from podium.web.parts.notices import confirm, problems, refusals, say
from podium.web.parts.tables import Column, table
from podium.web.shell import trail as crumbs

__all__ = [
    "Column",
    "Form",
    "badge",
    "confirm",
    "crumbs",
    "empty",
    "field",
    "form_field",
    "panel",
    "problems",
    "refusals",
    "say",
    "stat",
    "stats",
    "table",
    "when",
]
