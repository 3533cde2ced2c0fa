"""The first page after signing in: what to do next, and what one did last."""

from __future__ import annotations

from podium.web import parts, shell
from podium.web.visitor import Visitor, page


@page("/", title="Home")
async def home(visitor: Visitor) -> None:
    """Where to go from here."""
    with shell.frame(visitor, f"Good to see you, {visitor.caller.name}", active="home"):
        parts.empty("Nothing yet.")
