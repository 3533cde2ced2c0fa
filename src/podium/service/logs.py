"""Logs as JSON, a line per entry; with the run where there is one."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

#: The run that is computed.
RUN: ContextVar[str | None] = ContextVar("run", default=None)
#: Longer texts are cut: the message of an error may hold what a visitor sent.
_CHARACTERS_MAX = 20_000
_FIELDS = ("method", "path", "status", "milliseconds", "client")


class JsonLines(logging.Formatter):
    """An entry as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message; the run and the fields of a request where they are known."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_CHARACTERS_MAX],
        }
        run = RUN.get()
        if run is not None:
            entry["run"] = run
        entry |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)[:_CHARACTERS_MAX]
        return json.dumps(entry, default=str)


def log_as_json(level: int = logging.INFO) -> None:
    """Send all entries of this process to the error stream as JSON."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[stream], force=True)
