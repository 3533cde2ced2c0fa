"""The frame of every page: skip link, header with navigation, dark mode and user menu, and the page's own part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus

import nicegui
from fastapi import Request
from fastapi.responses import Response
from nicegui import Client, ui

from podium.service.accounts import Role
from podium.service.problems import SignInError
from podium.web import theme
from podium.web.tags import icon, link, tag, words
from podium.web.visitor import Visitor

#: Key -> words and address of a page of the navigation, and the role that it takes.
_PAGES = {
    "home": ("Home", "/", Role.viewer),
    "configure": ("Configure", "/configure", Role.operator),
    "studies": ("Studies", "/studies", Role.viewer),
    "runs": ("Runs", "/runs", Role.viewer),
    "admin": ("Admin", "/admin", Role.admin),
}
_SECONDS_BETWEEN_CHECKS = 30.0
_FAILURE = "This is an error of the server; its log says more."
Crumbs = Sequence[tuple[str, str | None]]


@contextmanager
def frame(
    visitor: Visitor, title: str, active: str = "", *, lead: str = "", crumbs: Crumbs = ()
) -> Iterator[ui.element]:
    """Everything around a page; yields the place right of its heading, for buttons.

    `active` is the key of the page in the navigation, `lead` a sentence below the heading, `crumbs` the words and
    addresses of the pages above this one.
    """
    ui.context.client.on_exception(_tell_failure)
    _skip_link()
    with tag("header", "pd-header"), tag("div", "pd-header-row"):
        _phone_menu(visitor, active)
        _brand()
        with tag("nav", "pd-nav", aria_label="Pages"):
            _page_links(visitor, active)
        tag("div", "pd-grow")
        _dark_switch()
        _user_menu(visitor)
    with tag("main", "pd-main", id="main", tabindex="-1"):
        if crumbs:
            trail(crumbs)
        with tag("div", "pd-title"):
            with tag("div"):
                words("h1", title)
                if lead:
                    words("p", lead, "pd-lead")
            actions = tag("div", "pd-actions")
        yield actions
    _leave_when_over(visitor)


@contextmanager
def door(title: str, lead: str = "") -> Iterator[None]:
    """Everything around a page for those who have not signed in: a card in the middle."""
    _skip_link()
    with tag("header", "pd-header"), tag("div", "pd-header-row"):
        _brand()
        tag("div", "pd-grow")
        _dark_switch()
    with tag("main", "pd-door", id="main", tabindex="-1"), tag("div", "pd-card pd-door-card"):
        words("h1", title)
        if lead:
            words("p", lead, "pd-lead")
        yield


def trail(crumbs: Crumbs) -> None:
    """The pages above this one, as links."""
    with tag("nav", "pd-crumbs", aria_label="Where this page is"), tag("ol"):
        for text, address in crumbs:
            with tag("li"):
                if address is None:
                    words("span", text, aria_current="page")
                else:
                    link(text, address)


def nothing_here(visitor: Visitor, why: str) -> None:
    """A page that says why there is nothing to see."""
    with frame(visitor, "Nothing here", lead=f"{why[:1].upper()}{why[1:]}."):
        link("Go to your home page", "/")


@cache
def prepare() -> None:
    """Give unknown addresses and failures pages of this look, once in a process."""

    @nicegui.app.exception_handler(HTTPStatus.NOT_FOUND)
    async def not_found(request: Request, _error: Exception) -> Response:
        client = Client(ui.page("", title="Nothing here · Podium"), request=request)
        with client, door("Nothing here", "There is no page at this address."):
            link("Go to your home page", "/")
        return client.build_response(request, HTTPStatus.NOT_FOUND)

    @nicegui.app.on_page_exception
    def failed() -> None:
        with door("Something went wrong", _FAILURE):
            link("Go to your home page", "/")


def _skip_link() -> None:
    """The first thing on a page; what NiceGUI puts around it is no landmark, the frame's own main part is."""
    around = ui.context.client.content.parent_slot
    if around is not None:
        around.parent.props["role"] = "none"
    link("Skip to the content", "#main", "pd-skip")


def _brand() -> None:
    with tag("a", "pd-brand", href="/"):
        tag("img", src=f"{theme.address()}/favicon.svg", alt="", width="22", height="22")
        words("span", theme.NAME)


def _page_links(visitor: Visitor, active: str) -> None:
    for key, (text, address, role) in _PAGES.items():
        if visitor.may(role):
            current = {"aria_current": "page"} if key == active else {}
            link(text, address, **current)


def _phone_menu(visitor: Visitor, active: str) -> None:
    """The navigation where there is no room for it; open and closed by the browser itself."""
    with tag("details", "pd-menu pd-phone"):
        with tag("summary", "pd-icon", aria_label="Pages"):
            icon("menu")
        with tag("nav", "pd-menu-items", aria_label="Pages"):
            _page_links(visitor, active)


def _dark_switch() -> None:
    """Light, dark, or as the system: kept by the browser (podium.js)."""
    with tag("button", "pd-icon", type="button", id="pd-theme", aria_label="Colours"):
        icon("contrast")


def _user_menu(visitor: Visitor) -> None:
    with tag("details", "pd-menu pd-user"):
        with tag("summary", "pd-icon", aria_label=f"Your account, {visitor.caller.name}"):
            icon("account_circle")
        with tag("div", "pd-menu-items"):
            words("div", visitor.caller.name, "pd-strong")
            words("div", f"{visitor.caller.email} · {visitor.caller.role}", "pd-muted pd-small")
            link("Profile and tokens", "/profile")
            words("button", "Sign out", "pd-menu-button", type="button", id="pd-sign-out", data_csrf=visitor.csrf)


def _tell_failure(error: Exception) -> None:
    """What an action meets that no page expected; the log has it already."""
    if isinstance(error, SignInError):
        ui.navigate.to("/sign-in")
    else:
        ui.notify(f"Something went wrong. {_FAILURE}", type="negative", position="bottom-right")


def _leave_when_over(visitor: Visitor) -> None:
    """Look now and then whether the session goes on, so that no page stays open without one."""

    async def look() -> None:
        try:
            await visitor.check()
        except SignInError:
            timer.cancel()
            ui.navigate.to("/sign-in")

    timer = ui.timer(_SECONDS_BETWEEN_CHECKS, look, immediate=False)
