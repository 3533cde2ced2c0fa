"""Processes that tests start: waiting for what they do, seeing whether they live, ports that nobody else takes."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120.0
"""Longest wait for what takes a second or two; the machine may be busy with other tests."""
PROCESSES = Path("/proc")


def until(true: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is true."""
    latest = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < latest, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def _facts(process: int | str) -> list[str]:
    """State, parent, group, session and so on, from the third field of `man proc_pid_stat` on."""
    return (PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()


def alive(process: int) -> bool:
    """Whether a process lives; one that has ended and that nobody asked for does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return _facts(process)[0] != "Z"
    except OSError:  # gone since, or a system that does not tell
        return not PROCESSES.is_dir()


def _living(fact: int, value: int) -> list[int]:
    """Processes that live and of which a fact has a value."""
    found = []
    for path in PROCESSES.glob("[0-9]*"):
        try:
            facts = _facts(path.name)
        except OSError:  # gone in the meantime
            continue
        if int(facts[fact]) == value and facts[0] != "Z":
            found.append(int(path.name))
    return found


def children(parent: int) -> list[int]:
    """Living processes that a process has started."""
    return _living(1, parent)


def members(session: int) -> list[int]:
    """Living processes of a session."""
    return _living(3, session)


def cpu_seconds(process: int) -> float:
    """Time that a process has computed so far, however busy the machine is."""
    facts = _facts(process)
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to end; one that does not is killed, and that is an error."""
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of this machine that the system gives to nobody; a server that is told of it may listen there."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
