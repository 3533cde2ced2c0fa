"""Tries to sign in are counted, and too many make their sender wait; counted in the database, for all processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select

from podium.service.database import take_turns
from podium.service.installation import Installation
from podium.service.problems import TooManyError
from podium.service.tables import Failure, now

WINDOW_SECONDS = 900


@dataclass(frozen=True)
class Try:
    """A try that counts until it is forgiven."""

    rows: tuple[int, ...]
    both: str


def count_try(place: Installation, account: str, address: str) -> Try:
    """Count a try for an account from an address before it is made, so that many at once do not slip through.

    Account and address together may fail `login_failures_max` times, each alone `address_failures_max` times.
    Raises TooManyError beyond that, whether or not there is such an account.
    """
    few, many = place.settings.login_failures_max, place.settings.address_failures_max
    words = {f"both\0{account}\0{address}": few, f"account\0{account}": many, f"address\0{address}": many}
    keys = {place.seal.digest("try", word): most for word, most in words.items()}
    since = now() - timedelta(seconds=WINDOW_SECONDS)
    counted = select(Failure.key, func.count()).where(Failure.key.in_(keys)).group_by(Failure.key)
    with place.database.writing() as session:
        take_turns(session, f"account\0{account}", f"address\0{address}")
        session.execute(delete(Failure).where(Failure.at < since))
        found = {row[0]: row[1] for row in session.execute(counted)}
        if any(found.get(key, 0) >= most for key, most in keys.items()):
            raise TooManyError("too many tries; wait a quarter of an hour", WINDOW_SECONDS)
        rows = [Failure(key=key) for key in keys]
        session.add_all(rows)
        session.flush()
        return Try(tuple(row.id for row in rows), next(iter(keys)))


def forgive(place: Installation, counted: Try) -> None:
    """The try was a good one: it does not count, nor do earlier ones for that account from that address."""
    with place.database.writing() as session:
        session.execute(delete(Failure).where((Failure.key == counted.both) | Failure.id.in_(counted.rows)))
