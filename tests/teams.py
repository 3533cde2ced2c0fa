"""States with a memory, and questions that can go wrong, for tests of teams.

Functions within functions travel to the workers by value: these cannot import the tests.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from podium.compute import Team, Where, team_of

State = dict[str, Any]
Question = Callable[[State], Any]
PRICES = (0.13, 0.29, -0.07, 0.31, 0.17)


def making() -> Callable[[int], State]:
    """States that remember every question: an answer depends on all of them, and rounding on their order."""

    def make(part: int) -> State:
        return {"part": part, "memory": np.full(3, 0.1 * part)}

    return make


def asking(price: float, trap: Callable[[int], None] | None = None) -> Question:
    """A question whose answer depends on all earlier ones; `trap` is called with the number of every part."""

    def ask(state: State) -> Any:
        if trap is not None:
            trap(state["part"])
        state["memory"] = 0.7 * np.sin(state["memory"] + price) + state["part"] / 3
        return state["memory"].copy()

    return ask


def pids() -> Question:
    def ask(_state: State) -> int:
        return os.getpid()

    return ask


def killing_once(part: int, marker: Path) -> Callable[[int], None]:
    """The worker that gets this part first is killed."""

    def trap(number: int) -> None:
        if number == part and not marker.exists():
            marker.write_text("died")
            os.kill(os.getpid(), signal.SIGKILL)

    return trap


def killing(part: int) -> Callable[[int], None]:
    def trap(number: int) -> None:
        if number == part:
            os.kill(os.getpid(), signal.SIGKILL)

    return trap


def failing(*parts: int) -> Callable[[int], None]:
    def trap(number: int) -> None:
        if number in parts:
            raise ValueError(f"no price for {number}")

    return trap


def team(where: Where, count: int = 7) -> Team[State]:
    return team_of(making(), [partial(int, number) for number in range(count)], where)


def answers(where: Where, count: int = 7, **traps: Callable[[int], None]) -> list[list[list[float]]]:
    """Answers to all prices; `traps`: by the round, as round_2=..."""
    with team(where, count) as asked:
        return [
            [answer.tolist() for answer in asked.ask(asking(price, traps.get(f"round_{number}")))]
            for number, price in enumerate(PRICES)
        ]
