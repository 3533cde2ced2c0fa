"""Plain elements of HTML, for what has a meaning of its own: headings, links, lists, forms."""

from __future__ import annotations

from typing import TypeVar

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

E = TypeVar("E", bound=ui.element)


def tag(name: str, classes: str = "", /, **attributes: str) -> ui.element:
    """An element to fill. Underscores in the names of attributes stand for hyphens, and one at the end for nothing."""
    return _with_attributes(ui.element(name), classes, attributes)


def words(name: str, text: str, classes: str = "", /, **attributes: str) -> TextElement:
    """An element with text in it; its `text` can be changed."""
    return _with_attributes(TextElement(tag=name, text=text), classes, attributes)


def link(text: str, address: str, classes: str = "", /, **attributes: str) -> TextElement:
    """A link to a page of this server."""
    return words("a", text, classes, href=address, **attributes)


def icon(name: str, classes: str = "") -> ui.icon:
    """A picture beside words, which says nothing to screen readers."""
    return ui.icon(name).classes(classes).props("aria-hidden=true")


def _with_attributes(element: E, classes: str, attributes: dict[str, str]) -> E:
    element.classes(classes)
    for key, value in attributes.items():
        element.props[key.rstrip("_").replace("_", "-")] = value
    return element
