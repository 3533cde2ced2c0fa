"""Addresses are confirmed and lost passwords replaced by letters that a real mail server takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from sqlalchemy import select, update

from podium.client import Client, ProblemError
from podium.service import accounts
from podium.service.accounts import Role
from podium.service.installation import Installation
from podium.service.mail import send
from podium.service.settings import Mail
from podium.service.tables import Registration, now
from processes import PATIENCE_SECONDS, reserved_port, until
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


@contextmanager
def receiving() -> Iterator[tuple[Letters, int]]:
    """The mailbox of a mail server on this machine, and its port."""
    box = Letters()
    with reserved_port() as port:
        controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE_SECONDS)
        controller.start()
        try:
            yield box, port
        finally:
            controller.stop()


@pytest.fixture
def letters(place: Installation) -> Iterator[Letters]:
    """A mailbox whose server the service is told of."""
    with receiving() as (box, port):
        object.__setattr__(place.settings, "mail", Mail(host="127.0.0.1", port=port, encryption="none"))
        yield box


def received(box: Letters, number: int) -> tuple[str, str, str]:
    """The letter of a number, which may be under way."""
    until(lambda: len(box.found) >= number, f"letter {number} is there")
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


def register(client: Client, email: str, name: str = "x", password: str = PASSWORD) -> dict[str, str]:
    """Ask for an account; returns the answer, its status included."""
    response = client.send("POST", "/register", json={"email": email, "name": name, "password": password})
    return {**response.json(), "status": str(response.status_code)}


def token_in(text: str) -> str:
    """The token of a letter that confirms."""
    found = re.search(r"http://\S+/confirm\?token=(\S+)\n", text)
    assert found is not None, text
    return found[1]


def test_an_address_is_confirmed_by_letter(place: Installation, visit: Visit, letters: Letters) -> None:
    """Before that nobody can sign in, as if the password were wrong; the link works once, and for who has it."""
    visit("admin@example.org", Role.admin)
    register(visit(), "Ada@example.org", "Ada")
    to, subject, text = received(letters, 1)
    assert (to, subject) == ("ada@example.org", "Confirm your Podium account")
    wrong = {}
    for email in ("ada@example.org", "nobody@example.org"):
        with pytest.raises(ProblemError) as caught:
            visit().sign_in(email, PASSWORD)
        wrong[email] = caught.value.content
    assert wrong["ada@example.org"] == wrong["nobody@example.org"]
    with place.database.reading() as session:
        assert [user.email for user in accounts.users(session)] == ["admin@example.org"]
        kept = session.scalars(select(Registration)).one()
    assert token_in(text) != kept.digest
    assert kept.password_hash.startswith("$argon2id$")
    assert visit().send("POST", "/register/confirm", json={"token": token_in(text)}).status_code == 204
    signed_in = visit().sign_in("ada@example.org", PASSWORD)
    assert (signed_in.name, signed_in.role) == ("Ada", Role.operator)
    for token in (token_in(text), "x" * 43):
        with pytest.raises(ProblemError, match="no longer valid"):
            visit().send("POST", "/register/confirm", json={"token": token})


def test_registering_tells_nobody_but_the_owner_of_an_address(visit: Visit, letters: Letters) -> None:
    """The answer for an address that has an account is that for one that has none; its owner gets a letter."""
    visit("ada@example.org")
    answers = [register(visit(), email, password=NEW) for email in ("ada@example.org", "new@example.org")]
    assert answers[0] == answers[1]
    received(letters, 2)
    found = {to: (subject, text) for to, subject, text in letters.found}
    assert "has one already" in found["ada@example.org"][1]
    assert "token" not in found["ada@example.org"][1]
    assert found["new@example.org"][0] == "Confirm your Podium account"
    with pytest.raises(ProblemError, match="wrong"):
        visit().sign_in("ada@example.org", NEW)
    visit().sign_in("ada@example.org", PASSWORD)


def test_who_confirms_first_has_the_address(place: Installation, visit: Visit, letters: Letters) -> None:
    """A stranger registers Ada's address, then she does: her letter makes her account, and the other's is void."""
    visit("admin@example.org", Role.admin)
    register(visit(), "ada@example.org", "Mallory", NEW)
    strange = token_in(received(letters, 1)[2])
    register(visit(), "ada@example.org", "Ada")
    own = token_in(received(letters, 2)[2])
    visit().send("POST", "/register/confirm", json={"token": own})
    with pytest.raises(ProblemError, match="no longer valid"):
        visit().send("POST", "/register/confirm", json={"token": strange})
    assert visit().sign_in("ada@example.org", PASSWORD).name == "Ada"
    register(visit(), "bob@example.org")
    late = token_in(received(letters, 3)[2])
    accounts.add_user(place, "bob@example.org", "Bob", PASSWORD, Role.viewer)
    with pytest.raises(ProblemError, match="no longer valid"):
        visit().send("POST", "/register/confirm", json={"token": late})
    assert visit().sign_in("bob@example.org", PASSWORD).role == Role.viewer


def test_a_confirmation_is_over_in_time(place: Installation, visit: Visit, letters: Letters) -> None:
    """After a day, or once registration is switched off; what is over is forgotten with the next wish."""
    visit("admin@example.org", Role.admin)
    register(visit(), "ada@example.org")
    token = token_in(received(letters, 1)[2])
    object.__setattr__(place.settings, "registration", False)
    with pytest.raises(ProblemError, match="switched off"):
        visit().send("POST", "/register/confirm", json={"token": token})
    object.__setattr__(place.settings, "registration", True)
    with place.database.writing() as session:
        session.execute(update(Registration).values(expires_at=now() - timedelta(seconds=1)))
    with pytest.raises(ProblemError, match="no longer valid"):
        visit().send("POST", "/register/confirm", json={"token": token})
    register(visit(), "bob@example.org")
    received(letters, 2)
    with place.database.reading() as session:
        assert [wish.email for wish in session.scalars(select(Registration))] == ["bob@example.org"]


def test_letters_are_not_sent_without_end(visit: Visit, letters: Letters) -> None:
    """Five wishes of a kind for one address in a quarter of an hour are heard."""
    visit("ada@example.org")
    for _ in range(5):
        visit().send("POST", "/password-reset", json={"email": "ada@example.org"})
    with pytest.raises(ProblemError, match="too-many"):
        visit().send("POST", "/password-reset", json={"email": "ada@example.org"})
    received(letters, 5)
    for _ in range(5):
        register(visit(), "ada@example.org")
    with pytest.raises(ProblemError, match="too-many"):
        register(visit(), "ada@example.org")
    received(letters, 10)


def test_a_server_without_mail_says_so(visit: Visit) -> None:
    visit("ada@example.org")
    with pytest.raises(ProblemError, match="not-set-up"):
        visit().send("POST", "/password-reset", json={"email": "ada@example.org"})


def test_a_mail_server_that_is_away_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not send(Mail(host="127.0.0.1", port=9, encryption="none"), "a@b", "Subject", "Text")
    assert "could not be sent" in caplog.text
