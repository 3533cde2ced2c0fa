"""Teams in this process and in several: the same answers to the last bit, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.compute import Where, WorkerLostError, team_of
from podium.errors import InputError, PodiumError, Problem
from processes import PATIENCE_SECONDS, alive, until
from teams import PRICES, State, answers, asking, failing, killing, killing_once, making, pids, team

SERIAL, TWO = Where.serial(), Where.processes(2)


def by_hand(part: int) -> list[list[float]]:
    """What a state answers to all prices, without a team."""
    memory, found = np.full(3, 0.1 * part), []
    for price in PRICES:
        memory = 0.7 * np.sin(memory + price) + part / 3
        found.append(memory.tolist())
    return found


def test_states_keep_their_memory_and_parts_their_order() -> None:
    """The answers are those of each part alone, in this process and in two others."""
    expected = [list(row) for row in zip(*(by_hand(part) for part in range(7)), strict=True)]
    assert answers(SERIAL) == expected
    assert answers(TWO) == expected


def test_no_part_one_part_and_more_workers_than_parts() -> None:
    for where in (SERIAL, TWO, Where.processes(5)):
        assert answers(where, 0) == [[]] * len(PRICES)
        assert answers(where, 1) == answers(SERIAL, 1)


def test_states_are_made_once_and_stay_where_they_are() -> None:
    """Two processes other than this one, three or four parts each, and the same ones in every round."""
    with team(TWO) as asked:
        first, second = asked.ask(pids()), asked.ask(pids())
        assert asked.workers == 2
    assert first == second
    assert os.getpid() not in first
    assert sorted(first.count(pid) for pid in set(first)) == [3, 4]


def test_only_questions_and_answers_travel() -> None:
    """Eight states of 0.8 MB are sent once; then a round takes as many bytes as the next, and few."""

    def make(part: np.ndarray) -> np.ndarray:
        return part

    def mean(state: np.ndarray) -> float:
        return float(state.mean())

    parts: list[Callable[[], np.ndarray]] = [lambda n=n: np.full(100_000, n / 4) for n in range(8)]
    with team_of(make, parts, TWO) as asked:
        assert asked.ask(mean) == [n / 4 for n in range(8)]
        asked.ask(mean)
        assert asked.bytes_placed > 8 * 800_000
        assert asked.bytes_sent[0] == asked.bytes_sent[1] < 4_000
        assert asked.bytes_received[0] == asked.bytes_received[1] < 1_000


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_worker_killed_in_mid_round_costs_time_and_nothing_else(number: int, tmp_path: Path) -> None:
    """Its states are made anew and asked all earlier questions, so that not a bit differs."""
    marker = tmp_path / "marker"
    found = answers(TWO, **{f"round_{number}": killing_once(3, marker)})
    assert marker.exists()
    assert found == answers(SERIAL)


def test_a_worker_killed_between_two_rounds_is_replaced() -> None:
    with team(TWO) as asked, team(SERIAL) as alone:
        for price in PRICES:
            found, expected = asked.ask(asking(price)), alone.ask(asking(price))
            np.testing.assert_array_equal(found, expected)
            os.kill(asked.ask(pids())[0], signal.SIGKILL)
            alone.ask(pids())


def test_a_worker_killed_while_states_are_made_is_replaced(tmp_path: Path) -> None:
    trap, make = killing_once(2, tmp_path / "marker"), making()

    def trapped(part: int) -> State:
        trap(part)
        return make(part)

    with team_of(trapped, [lambda n=n: n for n in range(4)], TWO) as asked:
        found = asked.ask(asking(0.3))
    with team(SERIAL, 4) as alone:
        np.testing.assert_array_equal(found, alone.ask(asking(0.3)))


def test_a_part_that_kills_every_worker_is_named() -> None:
    """Not its neighbours, which the first death hits as well; the team has ended then."""
    with team(TWO) as asked:
        asked.ask(asking(0.1))
        with pytest.raises(WorkerLostError, match="part 4 of 7 ended its worker process 3 times"):
            asked.ask(asking(0.2, killing(3)))
        with pytest.raises(PodiumError, match="has ended"):
            asked.ask(asking(0.2))


@pytest.mark.parametrize("where", [SERIAL, TWO], ids=["serial", "processes"])
def test_an_exception_comes_with_its_message_and_the_part(where: Where) -> None:
    """Of the first part that raises; all have been asked, so that the team goes on as if it were serial."""
    with team(where) as asked:
        with pytest.raises(ValueError, match="no price for 2") as caught:
            asked.ask(asking(0.2, failing(5, 2)))
        assert "in part 3 of 7" in caught.value.__notes__
        found = [answer.tolist() for answer in asked.ask(asking(0.3))]
    fresh, asked_twice = making(), [0, 1, 3, 4, 6]
    for part in range(7):
        state = fresh(part)
        if part in asked_twice:
            asking(0.2)(state)
        assert found[part] == asking(0.3)(state).tolist()


def test_questions_that_failed_are_replayed_too(tmp_path: Path) -> None:
    """A state that had raised stands where it stood, after its worker was killed."""
    found = []
    for where, trap in ((SERIAL, None), (TWO, killing_once(2, tmp_path / "marker"))):
        with team(where) as asked:
            with pytest.raises(ValueError, match="no price"):
                asked.ask(asking(0.2, failing(2)))
            found.append([answer.tolist() for answer in asked.ask(asking(0.3, trap))])
    assert found[0] == found[1]


def test_exceptions_keep_their_kind_or_at_least_their_words() -> None:
    """Podium's own come back whole, with the worker's traceback; one that cannot travel is told."""

    def wrong(_state: State) -> None:
        raise InputError(Problem("prices", "none", "one per step"))

    class OddError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    def odd(_state: State) -> None:
        raise OddError(1, 2)

    with team(TWO, 2) as asked:
        with pytest.raises(InputError, match="prices: none") as caught:
            asked.ask(wrong)
        assert any("in wrong" in note for note in caught.value.__notes__)
        with pytest.raises(PodiumError, match="OddError: 1 and 2"):
            asked.ask(odd)


def test_what_cannot_travel_is_told() -> None:
    """An answer that cannot be pickled is that part's exception; a question that cannot never leaves."""

    def generator(_state: State) -> Any:
        return (number for number in range(3))

    with team(TWO, 2) as asked:
        with pytest.raises(TypeError, match="pickle"):
            asked.ask(generator)
        lock = threading.Lock()
        with pytest.raises(TypeError, match="pickle"):
            asked.ask(lambda _state: lock.locked())
        assert len(asked.ask(asking(0.1))) == 2


@pytest.mark.parametrize("where", [SERIAL, TWO], ids=["serial", "processes"])
def test_a_state_that_cannot_be_made_ends_the_team(where: Where) -> None:
    def make(part: int) -> int:
        if part == 1:
            raise ValueError("bad POD")
        return part

    with pytest.raises(ValueError, match="bad POD") as caught:
        team_of(make, [lambda n=n: n for n in range(3)], where)
    assert "in part 2 of 3" in caught.value.__notes__


def test_what_a_state_prints_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    def loud(_state: State) -> int:
        sys.stdout.write("from Python\n")
        sys.stdout.flush()
        os.write(1, b"from a library\n")
        return 1

    with team(TWO, 2) as asked:
        assert asked.ask(loud) == [1, 1]
    said = capfd.readouterr().err
    assert "from Python" in said
    assert "from a library" in said


def test_workers_have_one_thread_each() -> None:
    """Otherwise every worker would start as many as there are cores."""

    def threads(_state: State) -> list[str]:
        return [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "NUMBA")]

    with team(TWO, 2) as asked:
        assert asked.ask(threads) == [["1"] * 3] * 2


SCRIPT = textwrap.dedent("""
    import os, sys, time
    from podium.compute import Where, team_of

    def make(part):
        return part

    def ask(state):
        os.write(2, f"{os.getpid()}\\n".encode())  # whole lines, whoever else writes
        time.sleep(60 if state < 2 else 0)

    where = Where.dask("local", 2) if sys.argv[1] == "dask" else Where.processes(2)
    with team_of(make, [lambda n=n: n for n in range(3)], where) as team:
        team.ask(ask)
""")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("place", ["processes", "dask"])
def test_workers_end_with_the_process_they_work_for(place: str, number: signal.Signals, tmp_path: Path) -> None:
    """In mid-question, killed or by Ctrl-C (which all processes of a terminal get); the script needs no guard."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, place]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
        try:
            assert parent.stderr is not None
            workers = [int(parent.stderr.readline()) for _ in range(2)]
            if number == signal.SIGINT:
                os.killpg(parent.pid, number)
                said = parent.stderr.read()
                assert said.count("Traceback") == 1, f"only this process is interrupted: {said}"
            else:
                parent.kill()
            parent.wait(timeout=PATIENCE_SECONDS)
        finally:
            parent.kill()
    until(lambda: not any(map(alive, workers)), "the workers have ended")


def test_places_are_said_well() -> None:
    assert Where.of(1) == SERIAL
    assert Where.of(2) == TWO
    assert Where.of(None) == Where.processes()
    assert Where.of(TWO) is TWO
    with pytest.raises(InputError, match="1 or more"):
        Where.processes(0)
    with pytest.raises(InputError, match="tcp://host:8786"):
        Where.dask("localhost")
