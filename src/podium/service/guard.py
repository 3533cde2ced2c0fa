"""What holds for every request: its size, the headers of its answer, and that it is counted."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.service.metrics import Metrics
from podium.service.problems import answer
from podium.service.settings import Settings

#: Requests that may be as large as an upload.
_UPLOADS = (
    "/api/v1/studies",
    "/api/v1/studies/validation",
    "/api/v1/studies/from-text",
    "/api/v1/studies/from-json",
    "/api/v1/studies/from-composition",
    "/api/v1/compositions/needs",
)
_UPLOADED_PROFILES = re.compile(r"/api/v1/configurations/[^/]+/profiles")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
#: Of everything that brings no policy of its own: it may load nothing and run nothing.
NOTHING_POLICY = "default-src 'none'; frame-ancestors 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_YEAR_SECONDS = 31_536_000
_log = logging.getLogger("podium.requests")


class Guard:
    """Around the whole app."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within its limits, and dress its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message), scope["path"])
                self._count(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        most = self._bytes_max(scope)
        if int(_number(Headers(scope=scope).get("content-length"))) > most:
            await answer(_too_large(most))(scope, receive, dressed)
            return
        await self.app(scope, _limited(receive, most), dressed)

    def _bytes_max(self, scope: Scope) -> int:
        path = scope["path"]
        is_upload = scope["method"] == "POST" and (path in _UPLOADS or _UPLOADED_PROFILES.fullmatch(path) is not None)
        return self.settings.upload.bytes_max if is_upload else self.settings.request_bytes_max

    def _dress(self, headers: MutableHeaders, path: str) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if self.settings.secure:
            headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_SECONDS}")
        headers.setdefault("Content-Security-Policy", NOTHING_POLICY)
        if path.startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")

    def _count(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(none)")
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        self.metrics.count(method, route, status, seconds)
        client = scope.get("client")
        _log.info(
            "request",
            extra={
                "method": method,
                "path": scope["path"],
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "client": client[0] if client else None,
            },
        )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


def _too_large(most: int) -> HTTPException:
    """An error of HTTP: it passes through whatever reads the body."""
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is larger than {most:,} bytes")


def _limited(receive: Receive, most: int) -> Receive:
    """Receive a body of at most so many bytes, whatever its header says."""
    got = 0

    async def received() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise _too_large(most)
        return message

    return received
