"""Saved configurations: compositions that users keep. Everybody sees and changes only their own."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podium.service.accounts import Caller
from podium.service.composition_views import (
    ConfigurationChange,
    ConfigurationView,
    ConfigurationWhole,
    NewConfiguration,
)
from podium.service.database import take_turns
from podium.service.installation import Installation
from podium.service.problems import NotFoundError, QuotaError
from podium.service.tables import Configuration, now


def configurations_of(session: Session, caller: Caller) -> list[ConfigurationView]:
    """One's own configurations, the one that was changed last first."""
    found = select(Configuration).where(Configuration.owner_id == caller.user_id)
    rows = session.scalars(found.order_by(Configuration.changed_at.desc()))
    return [ConfigurationView.model_validate(row) for row in rows]


def configuration(session: Session, caller: Caller, wanted: UUID) -> ConfigurationWhole:
    """A configuration of one's own; raises NotFoundError where there is none."""
    return ConfigurationWhole.model_validate(_own(session, caller, wanted))


def keep(place: Installation, caller: Caller, wish: NewConfiguration) -> ConfigurationWhole:
    """Keep a composition; raises QuotaError where there are too many."""
    with place.database.writing() as session:
        take_turns(session, f"configuration\0{caller.user_id}")
        mine = select(func.count()).where(Configuration.owner_id == caller.user_id)
        if (session.scalar(mine) or 0) >= place.settings.configurations_max:
            raise QuotaError(f"{place.settings.configurations_max} configurations are the most; delete one")
        row = Configuration(
            id=uuid4(),
            owner_id=caller.user_id,
            name=wish.name,
            composition=wish.composition.model_dump(mode="json", exclude_defaults=True),
            profiles=wish.profiles,
        )
        session.add(row)
        session.flush()
        return ConfigurationWhole.model_validate(row)


def change(place: Installation, caller: Caller, wanted: UUID, what: ConfigurationChange) -> ConfigurationWhole:
    """Change what is given of a configuration of one's own."""
    with place.database.writing() as session:
        row = _own(session, caller, wanted)
        if what.name is not None:
            row.name = what.name
        if what.composition is not None:
            row.composition = what.composition.model_dump(mode="json", exclude_defaults=True)
        if what.profiles is not None:
            row.profiles = what.profiles or None
        row.changed_at = now()
        session.flush()
        return ConfigurationWhole.model_validate(row)


def delete(place: Installation, caller: Caller, wanted: UUID) -> None:
    """Delete a configuration of one's own; studies that were made of it stay."""
    with place.database.writing() as session:
        session.delete(_own(session, caller, wanted))


def _own(session: Session, caller: Caller, wanted: UUID) -> Configuration:
    row = session.scalar(
        select(Configuration).where(Configuration.id == wanted, Configuration.owner_id == caller.user_id)
    )
    if row is None:
        raise NotFoundError("no such configuration")
    return row
