"""A worker process of a team: it reads errands from its standard input and writes replies to its standard output."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import IO

from podium.compute.desk import Desk, serve_packed

_SIZE_BYTES = 8


def main(parent: int) -> None:
    """Serve until the input ends, or the process that it works for is gone. That one alone heeds Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    errands, replies = _own_pipes()
    desk = Desk()
    while (errand := read_frame(errands)) is not None:
        write_frame(replies, serve_packed(desk, errand))


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Input and output, taken away from everybody else: what prints goes to the error stream."""
    errands, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return errands, replies


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """The next bytes that somebody wrote with `write_frame`; None at the end, even in mid-frame."""
    head = pipe.read(_SIZE_BYTES)
    size = int.from_bytes(head, "little")
    content = pipe.read(size) if len(head) == _SIZE_BYTES else b""
    return content if len(head) == _SIZE_BYTES and len(content) == size else None


def write_frame(pipe: IO[bytes], content: bytes) -> None:
    """Write bytes with their number before them. Raises OSError where nobody reads any more."""
    pipe.write(len(content).to_bytes(_SIZE_BYTES, "little"))
    pipe.write(content)
    pipe.flush()


def end_with(parent: int) -> None:
    """In a worker: end when the process that it works for is gone, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
