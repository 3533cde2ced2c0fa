"""A lost password is replaced by a letter that a real mail server takes."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from email import message_from_bytes

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from podium.client import ProblemError
from podium.service.installation import Installation
from podium.service.mail import send
from podium.service.settings import Mail
from service.conftest import PASSWORD, Visit

NEW = "another long password"


class Letters(Message):
    """A mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_message(self, message: object) -> None:
        parsed = message_from_bytes(bytes(message))  # type: ignore[arg-type]
        self.found.append((parsed["To"], parsed["Subject"], parsed.get_payload(decode=True).decode()))


@pytest.fixture
def letters(place: Installation) -> Iterator[Letters]:
    """The mailbox of a server on this machine, which the service is told of."""
    box = Letters()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    object.__setattr__(place.settings, "mail", Mail(host="127.0.0.1", port=port, encryption="none"))
    yield box
    controller.stop()


def received(box: Letters, number: int) -> tuple[str, str, str]:
    """The letter of a number, which may be under way."""
    until = time.monotonic() + 10
    while len(box.found) < number and time.monotonic() < until:
        time.sleep(0.02)
    return box.found[number - 1]


def test_a_lost_password_is_replaced_by_letter(visit: Visit, letters: Letters) -> None:
    """The letter's link works once and ends all sessions; a stranger's address gets the same answer and no letter."""
    old = visit("ada@example.org")
    answers = [
        visit().send("POST", "/password-reset", json={"email": email}).json()
        for email in ("nobody@example.org", "ADA@example.org")
    ]
    assert answers[0] == answers[1]
    to, _, text = received(letters, 1)
    assert to == "ada@example.org"
    token = re.search(r"/reset-password\?token=(\S+)", text)
    assert token is not None
    visit().send("POST", "/password-reset/confirm", json={"token": token[1], "password": NEW})
    with pytest.raises(ProblemError, match="not-signed-in"):
        old.send("GET", "/session")
    visit().sign_in("ada@example.org", NEW)
    for wrong in (token[1], "x" * 43):
        with pytest.raises(ProblemError, match="no longer valid"):
            visit().send("POST", "/password-reset/confirm", json={"token": wrong, "password": PASSWORD})
    assert len(letters.found) == 1


def test_letters_are_not_sent_without_end(visit: Visit, letters: Letters) -> None:
    """Five wishes for one address in a quarter of an hour are heard."""
    visit("ada@example.org")
    for _ in range(5):
        visit().send("POST", "/password-reset", json={"email": "ada@example.org"})
    with pytest.raises(ProblemError, match="too-many"):
        visit().send("POST", "/password-reset", json={"email": "ada@example.org"})
    received(letters, 5)


def test_a_server_without_mail_says_so(visit: Visit) -> None:
    visit("ada@example.org")
    with pytest.raises(ProblemError, match="not-set-up"):
        visit().send("POST", "/password-reset", json={"email": "ada@example.org"})


def test_a_mail_server_that_is_away_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not send(Mail(host="127.0.0.1", port=9, encryption="none"), "a@b", "Subject", "Text")
    assert "could not be sent" in caplog.text
