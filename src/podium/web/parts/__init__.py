"""Small pieces that pages are made of."""

from podium.web.parts.boxes import badge, badge_classes, empty, panel, stat, stats, when
from podium.web.parts.forms import Form, action, checked, dated_choice, field, form_field
from podium.web.parts.notices import confirm, problems, refusals, say, sentence
from podium.web.parts.tables import Column, listing, name_columns, table
from podium.web.shell import trail as crumbs

__all__ = [
    "Column",
    "Form",
    "action",
    "badge",
    "badge_classes",
    "checked",
    "confirm",
    "crumbs",
    "dated_choice",
    "empty",
    "field",
    "form_field",
    "listing",
    "name_columns",
    "panel",
    "problems",
    "refusals",
    "say",
    "sentence",
    "stat",
    "stats",
    "table",
    "when",
]
