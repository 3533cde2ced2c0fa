"""The app: routes under /api/v1, health, metrics. The web app (`podium.web`) is mounted beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.middleware.trustedhost import TrustedHostMiddleware

from podium.service.guard import Guard
from podium.service.housekeeping import sweep
from podium.service.installation import Installation
from podium.service.metrics import Metrics
from podium.service.problems import ProblemDetails, add_handlers, responses
from podium.service.routes import accounts, compositions, operation, runs, studies
from podium.service.supervisor import Supervisor
from podium.version import __version__

_ABOUT = "Studies, runs and their results. Errors are problem+json (RFC 9457) with a stable `code`."


def create_app(place: Installation) -> FastAPI:
    """The service of an installation; its workers live as long as the app."""
    supervisor = Supervisor(place.settings)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(sweep, place)
        supervisor.start()
        try:
            yield
        finally:
            await run_in_threadpool(supervisor.stop)

    app = FastAPI(
        title="Podium",
        description=_ABOUT,
        version=__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation,
    )
    app.state.place, app.state.metrics, app.state.supervisor = place, Metrics(), supervisor
    add_handlers(app)
    for router in (accounts.router, compositions.router, studies.router, runs.router, operation.router):
        app.include_router(router, responses=responses())
    app.include_router(operation.open_router, responses=responses())
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=place.settings.hosts)
    app.add_middleware(Guard, settings=place.settings, metrics=app.state.metrics)
    _describe_problems(app)
    return app


def _operation(route: APIRoute) -> str:
    """What generated clients call a route."""
    return route.name


def _describe_problems(app: FastAPI) -> None:
    """Put the schema of errors into OpenAPI: routes refer to it."""
    described = app.openapi

    def openapi() -> dict[str, object]:
        schema = described()
        models = schema["components"]["schemas"]
        problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        models |= problem.pop("$defs", {})
        models["ProblemDetails"] = problem
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
