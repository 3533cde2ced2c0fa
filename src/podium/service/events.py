"""What happens in a run, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi.concurrency import run_in_threadpool

from podium.service import runs
from podium.service.accounts import Caller
from podium.service.installation import Installation
from podium.service.problems import NotFoundError
from podium.service.views import LogLine, RunView

_LOOK_SECONDS = 0.5
_ALIVE_SECONDS = 15.0
#: A stream ends after this time, and browsers open the next, which is checked anew.
_LONGEST_SECONDS = 600.0


async def stream(place: Installation, caller: Caller, run: UUID, after: int) -> AsyncIterator[str]:
    """Lines of the log behind number `after` (`log`), the run whenever it changes (`run`), and its end (`end`)."""
    begun, spoken, last = time.monotonic(), time.monotonic(), ""
    while time.monotonic() - begun < _LONGEST_SECONDS:
        try:
            found, lines = await run_in_threadpool(_look, place, caller, run, after)
        except NotFoundError:
            yield "event: end\ndata: null\n\n"
            return
        said = [f"id: {line.id}\nevent: log\ndata: {line.model_dump_json()}\n\n" for line in lines]
        after = lines[-1].id if lines else after
        content = found.model_dump_json()
        if content != last:
            said.append(f"event: run\ndata: {content}\n\n")
            last = content
        if found.state in runs.OVER:
            said.append(f"event: end\ndata: {content}\n\n")
        elif not said and time.monotonic() - spoken > _ALIVE_SECONDS:
            said.append(": alive\n\n")
        if said:
            spoken = time.monotonic()
            yield "".join(said)
        if found.state in runs.OVER:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _look(place: Installation, caller: Caller, run: UUID, after: int) -> tuple[RunView, list[LogLine]]:
    with place.database.reading() as session:
        return runs.view(session, runs.owned_run(session, caller, run)), runs.log_of(session, caller, run, after)
