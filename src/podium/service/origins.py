"""Whether a browser says that a page of another site sends something."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from podium.service.settings import Settings


def foreign_sender(headers: Headers, settings: Settings) -> str | None:
    """Who sends this, where it is not a page of this server; None where it is, or where nothing is said."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return "another site"
    hosts = (headers.get("host"), urlsplit(settings.url).netloc)
    if origin is not None and urlsplit(origin).netloc not in hosts:
        return repr(origin[:200])
    return None
