"""Health, metrics, and the queue: for those who run the server."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from podium.service import runs
from podium.service.access import Address, Admin, Place, own_page
from podium.service.database import is_up
from podium.service.installation import Installation
from podium.service.metrics import MEDIA_TYPE, Metrics
from podium.service.problems import ForbiddenError
from podium.service.routes import API
from podium.service.views import Health, QueueView

open_router = APIRouter(tags=["operation"])
router = APIRouter(prefix=API, tags=["operation"], dependencies=[Depends(own_page)])


@open_router.get("/health/live")
def live() -> Health:
    """The process answers."""
    return Health(status="ok")


@open_router.get("/health/ready")
def ready(place: Place) -> Health:
    """The database answers, too."""
    is_up(place.database.engine)
    return Health(status="ok")


@open_router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, place: Place, address: Address, authorization: Annotated[str, Header()] = "") -> Response:
    """Requests, their times, and runs by state, for Prometheus."""
    if not _may_measure(place, address, authorization):
        raise ForbiddenError("metrics are for this machine, or for the token of PODIUM_METRICS_TOKEN")
    measured: Metrics = request.app.state.metrics
    return Response(measured.text(runs.counts(place)), media_type=MEDIA_TYPE)


def _may_measure(place: Installation, address: str, authorization: str) -> bool:
    wanted = place.settings.metrics_token
    if wanted is not None:
        expected = f"Bearer {wanted.get_secret_value()}"
        return hmac.compare_digest(authorization.encode(), expected.encode())
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@router.get("/queue")
def read_queue(_caller: Admin, place: Place) -> QueueView:
    """What is waiting and running, of all users; for admins."""
    return runs.queue(place)
