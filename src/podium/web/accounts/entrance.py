"""Pages for those who have not signed in: the first visit, signing in, registering, a lost password."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from podium.service.routes.accounts import read_setup
from podium.service.views import SetupView
from podium.web.parts import Form, form_field
from podium.web.shell import door
from podium.web.tags import link, tag, words
from podium.web.visitor import open_page, own_address, place_of, visitor_of

#: What a field takes, in words.
NAME, EMAIL, PASSWORD = "A name.", "An e-mail address, such as ada@example.org.", "At least 10 characters."


async def _setup(request: Request) -> SetupView:
    return await run_in_threadpool(read_setup, place_of(request))


@open_page("/setup", title="First visit")
async def first_visit(request: Request) -> Response | None:
    """Make the first admin."""
    known = await _setup(request)
    if not known.needed:
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    with (
        door("Welcome to Podium", "Make the first account. It is the admin's, who manages all others."),
        Form("POST", "/setup", button="Make the account", label="First account", then="/"),
    ):
        if known.code_needed:
            form_field("code", "Setup code", hint="It was shown where the server was started.", autocomplete="off")
        _name_and_email()
        new_password("password")
    return None


@open_page("/sign-in", title="Sign in")
async def sign_in(request: Request) -> Response | None:
    """Sign in, and go on to where one wanted to."""
    known = await _setup(request)
    if known.needed:
        return RedirectResponse("/setup", HTTPStatus.SEE_OTHER)
    then = own_address(request.query_params.get("next", "/"))
    if await run_in_threadpool(visitor_of, request) is not None:
        return RedirectResponse(then, HTTPStatus.SEE_OTHER)
    with door("Sign in"):
        with Form("POST", "/session", button="Sign in", label="Sign in", then=then):
            form_field("email", "E-mail", "email", expected=EMAIL, autocomplete="username", autofocus="")
            form_field("password", "Password", "password", autocomplete="current-password")
        with tag("div", "pd-row pd-between pd-small"):
            link("Lost your password?", "/reset-password")
            if known.registration:
                link("Make an account", "/register")
    return None


@open_page("/register", title="Make an account")
async def register(request: Request) -> Response | None:
    """Make an account, where that is switched on."""
    known = await _setup(request)
    if known.needed:
        return RedirectResponse("/setup", HTTPStatus.SEE_OTHER)
    if not known.registration:
        with door("Make an account", "Registration is switched off on this server. An admin can make you an account."):
            link("Back to sign in", "/sign-in")
        return None
    with door("Make an account"):
        with Form("POST", "/register", button="Make the account", label="Make an account"):
            _name_and_email()
            new_password("password")
        link("Back to sign in", "/sign-in", "pd-small")
    return None


@open_page("/confirm", title="Confirm your address")
async def confirm(request: Request) -> Response | None:
    """Make the account that a letter is about, at a click: mail programs open links by themselves."""
    token = request.query_params.get("token", "")
    with door("Confirm your address", "Then there is an account, with the name and password that you gave."):
        with Form("POST", "/register/confirm", button="Confirm", label="Confirmation", then="/sign-in"):
            tag("input", type="hidden", name="token", value=token)
        link("Register again", "/register", "pd-small")
    return None


@open_page("/reset-password", title="New password")
async def reset_password(request: Request) -> Response | None:
    """Ask for a letter; with its token, set a new password."""
    token = request.query_params.get("token", "")
    known = await _setup(request)
    if token:
        _by_token(token)
    elif known.mail:
        with door("Lost password", "A letter will bring you a link by which you set a new one."):
            with Form("POST", "/password-reset", button="Send the letter", label="Ask for a letter"):
                form_field("email", "E-mail", "email", expected=EMAIL, autocomplete="username")
            link("Back to sign in", "/sign-in", "pd-small")
    else:
        with door("Lost password", "This server sends no mail. An admin can set a new password for you:"):
            words("code", "podium user passwd you@example.org", "pd-mono")
            link("Back to sign in", "/sign-in", "pd-small")
    return None


def _by_token(token: str) -> None:
    with door("Set a new password", "All sessions end; sign in with the new one."):
        path = "/password-reset/confirm"
        with Form("POST", path, button="Set the password", label="By the letter", then="/sign-in"):
            tag("input", type="hidden", name="token", value=token)
            new_password("password")
        link("Ask for another letter", "/reset-password", "pd-small")


def _name_and_email() -> None:
    form_field("name", "Name", expected=NAME, autocomplete="name", autofocus="")
    form_field("email", "E-mail", "email", expected=EMAIL, autocomplete="username")


def new_password(name: str) -> None:
    """A password of one's own choice, typed twice."""
    form_field(name, "New password", "password", hint=PASSWORD, expected=PASSWORD, autocomplete="new-password")
    form_field(f"{name}-again", "The same again", "password", data_same_as=name, autocomplete="new-password")
