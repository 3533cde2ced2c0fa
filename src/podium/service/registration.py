"""Registering by letter: where mail is set up, there is no account before its address is confirmed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from podium.service.accounts import Role, user_by_email
from podium.service.installation import Installation
from podium.service.mail import send
from podium.service.problems import SignInError
from podium.service.seal import new_token
from podium.service.tables import Registration, User, now

CONFIRM_HOURS = 24.0
_PURPOSE = "registration"


def invite(place: Installation, email: str, name: str, password_hash: str) -> None:
    """Write to an address that somebody wants to register: how to confirm it, or that it has an account already.

    Wishes do not replace each other: an account gets name and password of the letter that is confirmed.
    """
    mail, url = place.settings.mail, place.settings.url
    if mail is None:
        return
    token = _noted(place, email, name, password_hash)
    about = "Somebody, hopefully you, wants a Podium account with this address"
    if token is None:
        text = (
            f"{about}, which has one already. Sign in here:\n\n{url}/sign-in\n\n"
            f"A lost password is replaced here:\n\n{url}/reset-password\n\n"
            "If it was not you, nothing has to be done.\n"
        )
        send(mail, email, "Your Podium account", text)
        return
    text = (
        f"{about}. Within a day, confirm it here:\n\n{url}/confirm?token={token}\n\n"
        "If it was not you, do nothing, and there will be no account.\n"
    )
    send(mail, email, "Confirm your Podium account", text)


def _noted(place: Installation, email: str, name: str, password_hash: str) -> str | None:
    """A token by which the wish is confirmed; None where the address has an account."""
    with place.database.writing() as session:
        session.execute(delete(Registration).where(Registration.expires_at < now()))
        if user_by_email(session, email) is not None:
            return None
        token = new_token()
        wish = Registration(digest=place.seal.digest(_PURPOSE, token), email=email, name=name)
        wish.password_hash, wish.expires_at = password_hash, now() + timedelta(hours=CONFIRM_HOURS)
        session.add(wish)
    return token


def confirm(place: Installation, token: str) -> None:
    """Make the account that a letter was about. Raises SignInError where the token does not count (any more)."""
    try:
        with place.database.writing() as session:
            wish = session.get(Registration, place.seal.digest(_PURPOSE, token))
            if wish is None or wish.expires_at < now():
                raise SignInError("this link is no longer valid; register again, or sign in")
            session.execute(delete(Registration).where(Registration.email == wish.email))
            session.add(
                User(email=wish.email, name=wish.name, password_hash=wish.password_hash, role=Role.operator.value)
            )
    except IntegrityError:  # an admin was quicker
        raise SignInError("this link is no longer valid; register again, or sign in") from None
