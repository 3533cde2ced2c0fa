"""Fields that write what they hold into an object."""

from __future__ import annotations

from nicegui import ui

Field = ui.input | ui.number | ui.select


def written_to(field: Field, owner: object, name: str) -> None:
    """Show an attribute's value in a field, and write changes back; without a binding, which would be polled."""
    field.value = getattr(owner, name)
    field.on_value_change(lambda event: setattr(owner, name, event.value))
