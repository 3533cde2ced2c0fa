"""How much open pages may have the server write into its log: whoever has one open can make it say anything."""

from __future__ import annotations

import logging
from time import monotonic

LINES_PER_MINUTE = 30
"""Lines that NiceGUI and its sockets write, of all pages together."""
_MINUTE_S = 60
#: What pages say of themselves, errors in what they do, and messages that do not fit (in tasks that nobody awaits).
_LOGGERS = ("nicegui", "asyncio")
_log = logging.getLogger(__name__)


class PageLimit(logging.Filter):
    """Leaves out what is more than so many lines a minute, and tells in the next one how much that was."""

    def __init__(self) -> None:
        super().__init__()
        self.minute, self.lines = 0, 0

    def filter(self, _record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        minute = int(monotonic() // _MINUTE_S)
        if minute != self.minute:
            left_out = self.lines - LINES_PER_MINUTE
            self.minute, self.lines = minute, 0
            if left_out > 0:
                _log.warning("%d lines of pages were left out", left_out)
        self.lines += 1
        return self.lines <= LINES_PER_MINUTE


def limit_page_log() -> None:
    """Limit what pages have the server write from now on, once in a process."""
    limit = PageLimit()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(limit)
