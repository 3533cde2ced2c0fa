"""The site: the service's app with the pages mounted at `/`, beside the API."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import nicegui
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from nicegui import Client, ui
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.service.app import create_app
from podium.service.installation import Installation
from podium.service.origins import foreign_sender
from podium.service.problems import ForgeryError, TooManyError, answer
from podium.service.settings import Settings
from podium.study.catalogue import catalogue
from podium.web import accounts, configure, home, optimise, runs, shell, studies, theme
from podium.web.page_log import limit_page_log
from podium.web.visitor import PLACE

__all__ = ["accounts", "configure", "create_site", "home", "optimise", "runs", "studies"]

#: Paths of the service, which the pages leave to it, errors included.
_SERVICE = ("/api/", "/health/", "/metrics", "/openapi.json")
_SOCKET = "/_nicegui_ws/"
#: What pages are made of, and the sockets of open ones.
_PARTS = ("/_nicegui/", _SOCKET, "/_podium/", "/favicon.ico")
_NONCE_BYTES = 16
_CLOSED_BY_POLICY = 1008
_SECONDS_TO_RECONNECT = 20.0
_RETRY_SECONDS = 60


def create_site(place: Installation) -> FastAPI:
    """The service of an installation with its web app."""
    app = create_app(place)
    host = _host()
    app.router.routes.append(_Pages("/", _Site(place)))
    served = app.router.lifespan_context

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[Any]:
        await run_in_threadpool(catalogue)  # half a second, in which the first page with plants would keep all waiting
        async with served(app) as state, host.router.lifespan_context(host):
            yield state

    app.router.lifespan_context = life
    return app


@cache
def _host() -> FastAPI:
    """Starts and stops NiceGUI, of which there is one in a process; its own routes are not served."""
    host = FastAPI(openapi_url=None)
    theme.prepare()
    shell.prepare()
    ui.run_with(
        host,
        title=theme.NAME,
        favicon=theme.FAVICON,
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=_SECONDS_TO_RECONNECT,
        gzip_middleware_factory=None,  # the site compresses once the nonces are in
        show_welcome_message=False,
    )
    limit_page_log()
    return host


class _Pages(Mount):
    """All paths but those of the service, whose answers to unknown paths and methods stay its own."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for a page, or for what pages are made of."""
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(_SERVICE):
            return Match.NONE, {}
        return super().matches(scope)


class _Site:
    """The pages of an installation: refuses foreign senders and too many pages, and gives each page its policy."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.pages: ASGIApp = GZipMiddleware(_with_policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take a websocket."""
        refused = _refused(scope, self.place.settings)
        if refused is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _CLOSED_BY_POLICY})
        elif refused is not None:
            await answer(ForgeryError(f"a page of {refused} sent this request"))(scope, receive, send)
        elif _has_too_many(scope, self.place.settings):
            many = TooManyError("too many pages are open; close some, or wait a minute", _RETRY_SECONDS)
            await answer(many)(scope, receive, send)
        else:
            scope[PLACE] = self.place
            await self.pages(scope, receive, send)


def _refused(scope: Scope, settings: Settings) -> str | None:
    """The foreign sender of something that acts: NiceGUI itself takes any."""
    acts = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(_SOCKET)
    return foreign_sender(Headers(scope=scope), settings) if acts else None


def _has_too_many(scope: Scope, settings: Settings) -> bool:
    """Whether one page more would be too many for its address: the server keeps each one in memory."""
    if scope["type"] != "http" or scope["path"].startswith(_PARTS):
        return False
    address = scope["client"][0] if scope.get("client") else ""
    return sum(client.ip == address for client in Client.instances.values()) >= settings.pages_max


async def _with_policy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a policy by which only scripts of this answer and of this server run."""
    if scope["type"] != "http":
        await nicegui.app(scope, receive, send)
        return
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    head: Message | None = None
    body = bytearray()

    async def dressed(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start" and _is_page(message):
            head = message
        elif message["type"] == "http.response.body" and head is not None:
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                # Text of users stands in the page with its "<" escaped, so each of these is NiceGUI's or the shell's.
                page = bytes(body).replace(b"<script", f'<script nonce="{nonce}"'.encode())
                headers = MutableHeaders(scope=head)
                headers["Content-Length"] = str(len(page))
                headers["Content-Security-Policy"] = page_policy(nonce)
                await send(head)
                await send({"type": "http.response.body", "body": page})
        else:
            await send(message)

    await nicegui.app(scope, receive, dressed)


def _is_page(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")


def page_policy(nonce: str) -> str:
    """What a page may load and run: own things alone.

    Vue compiles its templates in the browser, which takes `unsafe-eval`, and components set their styles themselves.
    """
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
