"""One's own account: name, password, saved configurations, tokens for programs, sessions."""

from __future__ import annotations

from uuid import UUID

from nicegui import ui

from podium.service import accounts
from podium.service.accounts import Role, Scope
from podium.service.tables import ApiToken, Login
from podium.service.views import NewToken
from podium.web import parts, shell
from podium.web.accounts.entrance import NAME, new_password
from podium.web.configure.saved import saved_list
from podium.web.tags import tag, words
from podium.web.visitor import Visitor, page

_SCOPES = {
    Scope.studies_read: "read studies",
    Scope.studies_write: "make, change and delete studies",
    Scope.runs_read: "read runs and their results",
    Scope.runs_write: "start, cancel and delete runs",
}
_DAYS = {7: "a week", 30: "30 days", 90: "90 days", 366: "a year"}


@page("/profile", title="Profile")
async def profile(visitor: Visitor) -> None:
    """Name, password, saved configurations, tokens and sessions."""
    caller = visitor.caller
    with shell.frame(visitor, "Profile", lead=f"{caller.email} · {caller.role}"):
        with tag("div", "pd-two"):
            with parts.panel("Name"):
                _name(visitor)
            with parts.panel("Password"):
                _password(visitor)
        if visitor.may(Role.operator):
            await saved_list(visitor, None)
        await _Tokens(visitor).show()
        await _Sessions(visitor).show()


def _name(visitor: Visitor) -> None:
    with parts.Form("PATCH", "/profile", button="Save", label="Name", csrf=visitor.csrf, then="/profile"):
        parts.form_field("name", "Name", expected=NAME, value=visitor.caller.name, autocomplete="name")


def _password(visitor: Visitor) -> None:
    with parts.Form(
        "PUT",
        "/profile/password",
        button="Change the password",
        label="Password",
        csrf=visitor.csrf,
        done="The password is changed, and all other sessions are over.",
    ):
        # Nameless, so that it is not sent: password managers ask whose password it is.
        tag("input", type="text", autocomplete="username", value=visitor.caller.email, hidden="")
        parts.form_field("old", "Old password", "password", autocomplete="current-password")
        new_password("new")


class _Tokens:
    """The panel of tokens."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.once: ui.element
        self.list: ui.element

    async def show(self) -> None:
        with parts.panel("API tokens"):
            words("p", "For programs that act for you, within what a token may and until it ends.", "pd-muted")
            self.list = tag("div")
            self.once = tag("div")
            self._wish()
        await self._fill()

    async def _fill(self) -> None:
        found = await self.visitor.query(lambda session, caller: accounts.tokens(session, caller.user_id))
        self.list.clear()
        with self.list:
            if not found:
                words("p", "No tokens yet.", "pd-muted")
                return
            with parts.listing("API tokens", "Name", "May", "Made", "Ends", ""):
                for token in found:
                    self._row(token)

    def _row(self, token: ApiToken) -> None:
        async def revoke() -> None:
            if await parts.confirm("Revoke the token?", f"Programs that use “{token.name}” are refused.", "Revoke"):
                with parts.refusals():
                    await self._drop(token.id)

        with tag("tr"):
            words("td", token.name, "pd-break")
            words("td", ", ".join(token.scopes), "pd-mono")
            with tag("td"):
                parts.when(token.created_at)
            with tag("td"):
                parts.when(token.expires_at)
            with tag("td", "pd-num"):
                parts.action("Revoke", revoke, f"Revoke {token.name}")

    async def _drop(self, token: UUID) -> None:
        await self.visitor.read(lambda place, caller: accounts.drop_token(place, caller.user_id, token))
        self.once.clear()
        await self._fill()

    def _wish(self) -> None:
        """The form of a new token."""

        async def make() -> None:
            chosen = [scope for scope, box in boxes.items() if box.value]
            with parts.refusals({"name": name, "days": days}, place=wrong):
                wrong.clear()
                wish = parts.checked(NewToken, name=name.value, scopes=chosen, days=days.value)
                text = await self.visitor.read(
                    lambda place, caller: accounts.add_token(place, caller.user_id, wish.name, wish.scopes, wish.days)[
                        1
                    ]
                )
                self._show_once(text)
                name.value = ""
                await self._fill()

        with tag("fieldset", "pd-stack pd-fence"):
            words("legend", "A new token")
            with tag("div", "pd-row pd-top"):
                name = parts.field("Name", expected=NAME).classes("pd-grow")
                days = ui.select(_DAYS, value=90, label="Ends after")
            with tag("div", "pd-row", role="group", aria_label="What it may"):
                boxes = {
                    scope: ui.checkbox(f"{text} ({scope})", value="read" in scope) for scope, text in _SCOPES.items()
                }
            wrong = tag("div")
            ui.button("Make a token", on_click=make).classes("pd-start")

    def _show_once(self, text: str) -> None:
        self.once.clear()
        with self.once, tag("div", "pd-notice pd-good pd-stack", role="status"):
            words("p", "This is the token. It is shown now and never again:", "pd-strong")
            with tag("div", "pd-row"):
                words("code", text, "pd-mono pd-break", id="pd-token")
                words("button", "Copy", "pd-button pd-quiet", type="button", data_copy="#pd-token")


class _Sessions:
    """The panel of sessions."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.list: ui.element

    async def show(self) -> None:
        with parts.panel("Sessions", flush=True):
            self.list = tag("div")
        await self._fill()

    async def _fill(self) -> None:
        found = await self.visitor.query(lambda session, caller: accounts.logins(session, caller.user_id))
        self.list.clear()
        with self.list, parts.listing("Sessions", "Signed in", "Ends", ""):
            for login in found:
                self._row(login)

    def _row(self, login: Login) -> None:
        async def end() -> None:
            with parts.refusals():
                await self.visitor.read(lambda place, caller: accounts.end_login(place, caller.user_id, login.digest))
                await self._fill()

        with tag("tr"):
            for at in (login.created_at, login.expires_at):
                with tag("td"):
                    parts.when(at)
            with tag("td", "pd-num"):
                if login.digest == self.visitor.caller.login:
                    parts.badge("this one", "pd-good")
                else:
                    parts.action("End", end)
