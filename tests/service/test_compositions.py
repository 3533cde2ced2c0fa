"""The catalogue, studies composed of it, kept configurations, and studies as JSON."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

import podium
from podium.client import Client, ProblemError
from podium.errors import InputError
from podium.service.accounts import Role
from podium.service.composition_views import ConfigurationChange
from podium.service.installation import Installation
from podium.study.catalogue import catalogue
from podium.study.compose import compose
from podium.study.composition import Composition, parse_plants
from podium.study.records import records_of
from service.conftest import Visit
from unit.study_folders import hourly, one_home, write_files

OWN_PRICES = hourly("time,price_eur_per_mwh,PV5", 40.0, 0.5, day="2019-05-14")


def composition(
    plants: str = "3 x CONF_4, 2 x home-pv-battery", start: str = "2018-03-13", **given: Any
) -> Composition:
    return Composition(name="Mine", start=date.fromisoformat(start), plants=parse_plants(plants), **given)


def wrong(client: Client, method: str, path: str, status: int = 404, **given: Any) -> ProblemError:
    """A request that is refused with a status."""
    with pytest.raises(ProblemError) as error:
        client.send(method, path, **given)
    assert error.value.status == status
    return error.value


def test_the_catalogue_is_that_of_the_engine(visit: Visit) -> None:
    found = visit("ada@example.org", Role.viewer).catalogue()
    assert [entry.name for entry in found] == list(catalogue())
    shop = next(entry for entry in found if entry.name == "shop")
    assert shop.installed.generation_kw == 25.0
    assert [device.fields.get("scale_kw") for device in shop.devices] == [22.0, 12.0, 25.0]


def test_needs_are_found_or_missing(visit: Visit, place: Installation) -> None:
    """In March all are there, with values where wanted; in June none, in 2019 no prices; own ones fill in."""
    client = visit("ada@example.org")
    march = client.needs(composition(), values=True)
    assert march.complete
    assert (march.installed.pods, march.steps) == (5, 96)
    assert {supply.source for supply in march.profiles} == {"bundled"}
    assert len(march.prices.values or []) == 96
    assert {supply.name: supply.used_by for supply in march.profiles}["PV5"] == {"conf-4": 1, "home-pv-battery": 1}
    june = client.needs(composition(start="2018-06-13"))
    assert not june.complete
    assert {supply.source for supply in june.profiles} == {"missing"}
    assert june.profiles[0].values is None
    later = composition("solar-park, home-pv-battery", "2019-05-14")
    assert client.needs(later).prices.source == "missing"
    given = client.needs(later.model_copy(update={"nearest_days": True}), OWN_PRICES)
    assert given.complete
    sources = {supply.name: supply.source for supply in [*given.profiles, given.prices]}
    assert sources == {"PV3": "stand-in", "H0-A": "stand-in", "PV5": "given", "prices": "given"}
    assert {forecast.what for forecast in given.forecasts} == {"PV", "Loads"}
    with pytest.raises(InputError, match=r"profiles.csv: covers 2019-05-14"):
        client.needs(composition(), OWN_PRICES)
    assert not any(place.uploads.iterdir())


def test_a_composed_study_is_that_of_the_engine(visit: Visit, place: Installation, tmp_path: Path) -> None:
    """The same files as the library writes; and what is missing is told as the library tells it."""
    client = visit("ada@example.org")
    wanted = composition(size_variation=0.1)
    study = client.compose_study(wanted, name="Another name")
    assert (study.name, study.facts.pods, study.facts.devices) == ("Another name", 5, 24)
    mine = compose(wanted, tmp_path / "mine")
    for path in mine.iterdir():
        assert (place.study_folder(study.id) / "input" / path.name).read_bytes() == path.read_bytes(), path.name
    june = composition(start="2018-06-13")
    with pytest.raises(InputError) as engine:
        compose(june, tmp_path / "june")
    with pytest.raises(InputError) as service:
        client.compose_study(june)
    assert service.value.problems == engine.value.problems
    with pytest.raises(InputError, match="no template 'conf-44'"):
        client.send(
            "POST",
            "/studies/from-composition",
            json={"composition": {"name": "x", "start": "2018-03-13", "plants": [{"template": "conf-44"}]}},
        )
    later = composition("home-pv-battery", "2019-05-14", nearest_days=True)
    assert client.compose_study(later, OWN_PRICES).facts.prices
    assert len(client.studies()) == 2


def test_configurations_are_kept_changed_and_deleted(visit: Visit) -> None:
    """With their profiles; the one changed last stands first; a study made of one outlives it."""
    client = visit("ada@example.org")
    first = client.keep_configuration("First", composition(), "time,PV5\n")
    second = client.keep_configuration("Second", composition("home"))
    assert [found.name for found in client.configurations()] == ["Second", "First"]
    assert Composition.model_validate(client.configuration(first.id).composition) == composition()
    assert client.configuration(first.id).profiles == "time,PV5\n"
    changed = client.change_configuration(first.id, ConfigurationChange(name="Third"))
    assert (changed.name, changed.profiles, changed.composition) == ("Third", "time,PV5\n", first.composition)
    assert changed.changed_at > first.changed_at
    assert [found.name for found in client.configurations()] == ["Third", "Second"]
    other = client.change_configuration(first.id, ConfigurationChange(composition=composition("shop"), profiles=""))
    assert (other.name, other.profiles) == ("Third", None)
    assert Composition.model_validate(other.composition) == composition("shop")
    study = client.compose_study(Composition.model_validate(client.configuration(second.id).composition))
    client.delete_configuration(second.id)
    wrong(client, "GET", f"/configurations/{second.id}")
    assert client.study(study.id).facts.pods == 1


def test_profiles_are_uploaded_to_a_configuration(visit: Visit, place: Installation, tmp_path: Path) -> None:
    """CSV, then Parquet with another column: both are kept, on the configuration's steps; a wrong one is not."""
    client = visit("ada@example.org")
    wanted = composition("home-pv-battery", "2019-05-14", step_minutes=30)
    kept = client.keep_configuration("Mine", wanted)
    (tmp_path / "own.csv").write_text(OWN_PRICES, encoding="utf-8")
    hours = pd.date_range("2019-05-14", periods=96, freq="15min", tz="Europe/Rome")
    pd.DataFrame({"time": hours, "H0-A": 0.25, "PV5": 0.125}).to_parquet(tmp_path / "more.parquet")
    client.add_profiles(kept.id, tmp_path / "own.csv")
    client.add_profiles(kept.id, tmp_path / "more.parquet")
    profiles = client.configuration(kept.id).profiles
    assert profiles is not None
    found = pd.read_csv(io.StringIO(profiles))
    assert found.columns.tolist() == ["time", "price_eur_per_mwh", "PV5", "H0-A"]
    assert found["time"].head(2).tolist() == ["2019-05-14T00:00:00+02:00", "2019-05-14T00:30:00+02:00"]
    assert found["PV5"].tolist() == [0.125] * 48
    assert client.needs(wanted, profiles).complete
    (tmp_path / "wrong.csv").write_text(OWN_PRICES.replace("0.5", "much", 1), encoding="utf-8")
    for name, told in (
        ("wrong.csv", r"wrong.csv, line 2: PV5 'much'"),
        ("wrong.txt", "ends in .csv, .parquet or .xlsx"),
    ):
        (tmp_path / name).touch()
        with pytest.raises(InputError, match=told):
            client.add_profiles(kept.id, tmp_path / name)
    assert client.configuration(kept.id).profiles == profiles
    client.change_configuration(kept.id, ConfigurationChange(composition=composition("home-pv-battery", "2018-03-13")))
    (tmp_path / "other.csv").write_text(hourly("time,PV5", 0.5, day="2018-03-13", offset="+01:00"), encoding="utf-8")
    client.add_profiles(kept.id, tmp_path / "other.csv")
    assert (client.configuration(kept.id).profiles or "").startswith("time,PV5\n2018-03-13")
    assert not any(place.uploads.iterdir())


def test_configurations_are_ones_own(visit: Visit, place: Installation) -> None:
    """Neither another operator nor an admin reads, changes or deletes one; viewers keep none; there is a most."""
    ada, eve = visit("ada@example.org"), visit("eve@example.org", Role.admin)
    kept = ada.keep_configuration("Mine", composition())
    for method, given in (("GET", {}), ("PATCH", {"json": {"name": "Yours"}}), ("DELETE", {})):
        wrong(eve, method, f"/configurations/{kept.id}", **given)
        wrong(ada, method, f"/configurations/{uuid4()}", **given)
    assert eve.configurations() == []
    assert ada.configuration(kept.id).name == "Mine"
    content = {"name": "x", "composition": composition().model_dump(mode="json")}
    wrong(visit("vic@example.org", Role.viewer), "POST", "/configurations", 403, json=content)
    object.__setattr__(place.settings, "configurations_max", 1)
    assert wrong(ada, "POST", "/configurations", 409, json=content).code == "quota"


def test_a_study_is_the_same_as_json(visit: Visit, tmp_path: Path) -> None:
    """Uploaded, read as JSON, made of that JSON: the same facts and tables."""
    client = visit("ada@example.org")
    folder = write_files(tmp_path / "study", one_home())
    study = client.upload_study(folder)
    records = client.study_records(study.id)
    assert records == records_of(podium.load_study(folder))
    again = client.make_study(records)
    assert again.facts == study.facts
    for table in study.facts.tables:
        assert client.table(again.id, table, limit=1000) == client.table(study.id, table, limit=1000)


def test_everything_wrong_with_json_is_told_at_once(visit: Visit, place: Installation, tmp_path: Path) -> None:
    client = visit("ada@example.org")
    study = client.upload_study(write_files(tmp_path / "study", one_home()))
    records = client.study_records(study.id)
    records.pods[1]["sell_eur_per_kwh"] = "abc"
    records.devices["pv"][0]["pod"] = "nowhere"
    with pytest.raises(InputError) as error:
        client.make_study(records.model_copy(update={"market": {"priority": ["xyz"]}}))
    where = [problem.where for problem in error.value.problems]
    assert sorted(where) == ["market.priority.0", "pods, row 2", "pv, row 1"]
    assert len(client.studies()) == 1
    assert not any(place.uploads.iterdir())


def test_values_beyond_the_limit_are_refused(visit: Visit, place: Installation) -> None:
    """Without them the same needs are told."""
    client = visit("ada@example.org")
    object.__setattr__(place.settings, "json_cells_max", 500)
    with pytest.raises(ProblemError, match=r"too-large.*fewer days or longer steps"):
        client.needs(composition(), values=True)
    assert client.needs(composition()).complete


@pytest.mark.parametrize("name", ["../../../secret", "/etc/passwd", "profiles.csv/../../secret"])
def test_no_file_of_the_server_is_reached(visit: Visit, place: Installation, name: str) -> None:
    """Tables that a composition's or a record's market names are files of the study, and an upload has a plain name."""
    client = visit("ada@example.org")
    records = client.study_records(client.make_example("one-home").id)
    reserve = [{"preset": "eu-fcr", "availability_eur_per_mw_h": {"file": name}}]
    for market in ({"reserve": reserve}, {"groups": {"file": name}}):
        with pytest.raises(InputError, match=r"leaves the study folder|does not exist|ends in"):
            client.compose_study(composition(market=market))
        with pytest.raises(InputError, match=r"leaves the study folder|does not exist|ends in"):
            client.make_study(records.model_copy(update={"market": market}))
    kept = client.keep_configuration("Mine", composition())
    with pytest.raises(InputError, match=r"a plain name|ends in"):
        client.send(
            "POST", f"/configurations/{kept.id}/profiles", files={"files": (f"{name}.csv", OWN_PRICES.encode())}
        )
    assert not any(place.uploads.iterdir())


def test_a_large_study_says_why_it_is_not_given_as_json(visit: Visit, place: Installation) -> None:
    client = visit("ada@example.org")
    study = client.make_example("one-home")
    object.__setattr__(place.settings, "json_cells_max", 100)
    with pytest.raises(ProblemError, match=r"too-large.*as JSON at most 100; read the tables in pages"):
        client.study_records(study.id)
