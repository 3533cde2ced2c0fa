"""What an admin sees: users, what waits and runs, and the limits in force."""

from __future__ import annotations

from nicegui import ui
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, SecretStr

from podium.service import accounts, runs
from podium.service.accounts import Role
from podium.service.settings import Settings
from podium.service.tables import User
from podium.web import figures, parts, shell
from podium.web.accounts.entrance import EMAIL, NAME, PASSWORD
from podium.web.tags import tag, words
from podium.web.visitor import Visitor, page

_ROLES = {
    Role.viewer.value: "viewer: reads what is shared",
    Role.operator.value: "operator: makes and runs studies",
    Role.admin.value: "admin: also manages users",
}
_SECONDS_BETWEEN_LOOKS = 5.0


@page("/admin", title="Admin", role=Role.admin)
async def admin(visitor: Visitor) -> None:
    """Users, queue and limits."""
    with shell.frame(visitor, "Admin", active="admin"):
        queue = _Queue(visitor)
        await queue.show()
        await _Users(visitor).show()
        with parts.panel("Add a user"):
            _new_user(visitor)
        with parts.panel("Settings in force", flush=True):
            _settings(visitor.place.settings)


class _Queue:
    """What waits and runs, looked at now and then."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.box: ui.element

    async def show(self) -> None:
        with parts.panel("Queue"):
            self.box = tag("div", "pd-stack")
        await self._fill()
        ui.timer(_SECONDS_BETWEEN_LOOKS, self._look, immediate=False)

    async def _look(self) -> None:
        with parts.refusals():
            await self._fill()

    async def _fill(self) -> None:
        queue = await self.visitor.read(lambda place, _caller: runs.queue(place), Role.admin)
        self.box.clear()
        with self.box:
            with parts.stats():
                parts.stat("Running", figures.count(queue.running), _workers(queue.workers))
                parts.stat("Waiting", figures.count(queue.queued))
            if queue.users:
                with parts.listing("Runs of users", "User", "Running", "Waiting", numbers=("Running", "Waiting")):
                    for email, counts in queue.users.items():
                        with tag("tr"):
                            words("td", email, "pd-break")
                            words("td", figures.count(counts.get("running", 0)), "pd-num")
                            words("td", figures.count(counts.get("queued", 0)), "pd-num")


def _workers(count: int) -> str:
    return f"at most {figures.count(count)} at once on this server" if count else "computed by workers elsewhere"


class _Users:
    """All users; roles and locks are changed where they stand."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.box: ui.element

    async def show(self) -> None:
        with parts.panel("Users", flush=True):
            self.box = tag("div")
        await self._fill()

    async def _fill(self) -> None:
        found = await self.visitor.query(lambda session, _caller: accounts.users(session), Role.admin)
        self.box.clear()
        with self.box, parts.listing("Users", "Name", "E-mail", "Role", "Account", "Since"):
            for user in found:
                self._row(user)

    def _row(self, user: User) -> None:
        async def give_role(event: GenericEventArguments) -> None:
            await self._change(user, role=Role(event.args))

        async def lock() -> None:
            await self._change(user, active=not user.active)

        with tag("tr"):
            words("td", user.name, "pd-break")
            words("td", user.email, "pd-break")
            with tag("td"):
                with tag("select", "pd-select", aria_label=f"Role of {user.email}") as choice:
                    for role in Role:
                        chosen = {"selected": ""} if role == user.role else {}
                        words("option", role.value, value=role.value, **chosen)
                choice.on("change", give_role, js_handler="(event) => emit(event.target.value)")
            with tag("td"), tag("div", "pd-row"):
                parts.badge("open", "pd-good") if user.active else parts.badge("locked", "pd-warn")
                text = "Lock" if user.active else "Unlock"
                parts.action(text, lock, f"{text} {user.email}")
            with tag("td"):
                parts.when(user.created_at)

    async def _change(self, user: User, role: Role | None = None, active: bool | None = None) -> None:
        with parts.refusals():
            await self.visitor.change(
                lambda place, _caller: accounts.change_user(place, user.id, role, active), Role.admin
            )
            parts.say(f"{user.email} is changed.")
        with parts.refusals():
            await self._fill()


def _new_user(visitor: Visitor) -> None:
    with (
        parts.Form("POST", "/users", button="Add", label="Add a user", csrf=visitor.csrf, then="/admin"),
        tag("div", "pd-two"),
    ):
        parts.form_field("name", "Name", expected=NAME, autocomplete="off")
        parts.form_field("email", "E-mail", "email", expected=EMAIL, autocomplete="off")
        parts.form_field("password", "First password", "password", expected=PASSWORD, autocomplete="new-password")
        parts.form_field("role", "Role", options=_ROLES)


def _settings(settings: Settings) -> None:
    """Every setting with its value; secrets only as set or not."""
    with parts.listing("Settings", "Setting", "Value", "Meaning"):
        _setting_rows("PODIUM_", settings)


def _setting_rows(prefix: str, group: BaseModel) -> None:
    for name, known in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            _setting_rows(f"{prefix}{name.upper()}__", value)
            continue
        with tag("tr"):
            words("td", prefix + name.upper(), "pd-mono")
            words("td", shown(name, value), "pd-break")
            words("td", (known.description or "").replace("`", ""), "pd-muted")


def shown(name: str, value: object) -> str:
    """A setting's value as people read it.

    >>> shown("request_bytes_max", 1 << 20), shown("registration", True), shown("metrics_token", SecretStr("x"))
    ('1.0 MB', 'yes', 'set')
    """
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and name != "port":
        if "bytes" in name:
            return figures.size(int(value))
        return figures.duration(value) if "seconds" in name else figures.number(value, 0)
    return str(value)
