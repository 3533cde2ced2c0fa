"""The plant catalogue, studies composed of it, kept configurations, and studies as JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, File, UploadFile

from podium.service import compositions, configurations
from podium.service.access import Place, StudyReader, StudyWriter, own_page
from podium.service.composition_views import (
    CatalogueEntry,
    CompositionWish,
    ConfigurationChange,
    ConfigurationView,
    ConfigurationWhole,
    NeedsView,
    NeedsWish,
    NewConfiguration,
)
from podium.service.routes import API
from podium.service.views import StudyView
from podium.study.catalogue import catalogue
from podium.study.forecast import forecasts
from podium.study.records import StudyRecords
from podium.study.supply import needs

router = APIRouter(prefix=API, tags=["compositions"], dependencies=[Depends(own_page)])
ProfileFile = Annotated[
    UploadFile, File(alias="files", description="CSV, Parquet or Excel: `time`, and a column per profile or price.")
]
Records = Annotated[StudyRecords, Body(description="A study as JSON.")]


@router.get("/catalogue")
def list_catalogue(_caller: StudyReader) -> list[CatalogueEntry]:
    """The plants that a study can be composed of."""
    return [CatalogueEntry.of(found) for found in catalogue().values()]


@router.post("/compositions/needs")
def find_needs(wish: NeedsWish, _caller: StudyWriter, place: Place) -> NeedsView:
    """Which profiles and prices a composition needs for its days, each found or missing; nothing is kept.

    Their values are refused with `too-large` where there are too many.
    """
    found = needs(wish.composition, compositions.given_text(place, wish.composition, wish.profiles))
    if wish.values:
        compositions.refuse_many(place, found.horizon.steps * (len(found.profiles) + 1), "fewer days or longer steps")
    return NeedsView.of(found, wish.composition.installed(), forecasts(wish.composition, found), wish.values)


@router.post("/studies/from-composition", status_code=HTTPStatus.CREATED)
def compose_study(wish: CompositionWish, caller: StudyWriter, place: Place) -> StudyView:
    """Keep a study composed of the catalogue. Where profiles or prices are missing, all of them are told."""
    return compositions.make(place, caller, wish.composition, wish.profiles, wish.name)


@router.post("/studies/from-json", status_code=HTTPStatus.CREATED)
def make_study_of_records(given: Records, caller: StudyWriter, place: Place) -> StudyView:
    """Keep a study given as JSON; everything wrong is told at once, by row and key."""
    return compositions.make_of_records(place, caller, given)


@router.get("/studies/{study}/json")
def read_study_as_records(study: UUID, caller: StudyReader, place: Place) -> StudyRecords:
    """A study as JSON, as `from-json` takes it; refused with `too-large` where there are too many values."""
    return compositions.as_records(place, caller, study)


@router.get("/configurations")
def list_configurations(caller: StudyReader, place: Place) -> list[ConfigurationView]:
    """One's own configurations, the one that was changed last first."""
    with place.database.reading() as session:
        return configurations.configurations_of(session, caller)


@router.post("/configurations", status_code=HTTPStatus.CREATED)
def keep_configuration(wish: NewConfiguration, caller: StudyWriter, place: Place) -> ConfigurationWhole:
    """Keep a composition, complete or not."""
    return configurations.keep(place, caller, wish)


@router.get("/configurations/{configuration}")
def read_configuration(configuration: UUID, caller: StudyReader, place: Place) -> ConfigurationWhole:
    """A configuration of one's own, with its profiles."""
    with place.database.reading() as session:
        return configurations.configuration(session, caller, configuration)


@router.patch("/configurations/{configuration}")
def change_configuration(
    configuration: UUID, change: ConfigurationChange, caller: StudyWriter, place: Place
) -> ConfigurationWhole:
    """Rename a configuration, or change what it holds."""
    return configurations.change(place, caller, configuration, change)


@router.post("/configurations/{configuration}/profiles")
def add_profiles(configuration: UUID, file: ProfileFile, caller: StudyWriter, place: Place) -> ConfigurationView:
    """Keep the columns of a table with a configuration, in place of those of the same name."""
    found = compositions.add_profiles(place, caller, configuration, file.filename or "", file.file)
    return ConfigurationView.model_validate(found.model_dump())


@router.delete("/configurations/{configuration}", status_code=HTTPStatus.NO_CONTENT)
def delete_configuration(configuration: UUID, caller: StudyWriter, place: Place) -> None:
    """Delete a configuration; studies that were made of it stay."""
    configurations.delete(place, caller, configuration)
