"""Studies: taken in whole or refused with every reason, and seen by nobody else unless shared."""

from __future__ import annotations

import io
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest

import podium
from podium.client import Client, ProblemError, zipped
from podium.errors import InputError
from podium.service.installation import Installation
from podium.service.settings import Upload
from service.conftest import Visit
from unit.study_folders import one_home, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of two PODs."""
    return write_files(tmp_path / "study", one_home())


def wrong(client: Client, *path: str, status: int = 404) -> None:
    """Asking for it is refused so."""
    with pytest.raises(ProblemError) as caught:
        client.send(*path)
    assert caught.value.status == status


def test_an_uploaded_study_is_read_back(visit: Visit, folder: Path) -> None:
    """As zip, as single files and as text: the same facts, and tables with the numbers of the files."""
    client = visit("ada@example.org")
    packed = client.upload_study(folder)
    files = [("files", (path.name, path.read_bytes())) for path in folder.iterdir()]
    single = client.send("POST", "/studies", files=files, data={"name": "Single"}).json()
    text = client.send("POST", "/studies/from-text", json={"files": one_home()}).json()
    assert packed.name == text["name"] == "One home"
    assert single["name"] == "Single"
    facts = packed.facts
    assert facts.model_dump(mode="json") == single["facts"] == text["facts"]
    assert (facts.pods, facts.devices, facts.steps, facts.prices) == (2, 6, 96, True)
    assert facts.tables["profiles"] == 96
    assert [study.id for study in client.studies()][-1] == packed.id
    pv = client.table(packed.id, "pv")
    scales = {row[pv.columns.index("device")]: row[pv.columns.index("scale_kw")] for row in pv.rows}
    assert scales == {"pv-1": 4.5, "pv-2": 2.5}
    assert client.table(packed.id, "battery", pod="home-2").total == 0
    csv = client.send("GET", f"/studies/{packed.id}/tables/prices/csv").content
    parquet = client.send("GET", f"/studies/{packed.id}/tables/prices/parquet").content
    prices = podium.load_study(folder).prices
    assert prices is not None
    for frame in (pd.read_csv(io.BytesIO(csv)), pd.read_parquet(io.BytesIO(parquet))):
        assert frame["price_eur_per_mwh"].tolist() == prices.buy.tolist()
    wrong(client, "GET", f"/studies/{packed.id}/tables/nothing")
    wrong(client, "GET", f"/studies/{uuid4()}")


def test_everything_wrong_with_a_study_is_told_at_once(visit: Visit, place: Installation, folder: Path) -> None:
    """The engine's problems, in its words, with file and line; refused or validated, nothing is kept."""
    client = visit("ada@example.org")
    (folder / "pv.csv").write_text("device,pod,profile,scale_kw\npv-1,home-9,sun,4,5\n", encoding="utf-8")
    (folder / "load.csv").write_text("device,pod,profile,scale_kw\nload-1,home-1,nothing,-1\n", encoding="utf-8")
    with pytest.raises(InputError) as engine:
        podium.load_study(folder)
    with pytest.raises(InputError) as service:
        client.upload_study(folder)
    assert service.value.problems == engine.value.problems
    assert len(service.value.problems) > 1
    found = client.validate_study(folder)
    assert not found.valid
    assert [problem.where for problem in found.problems] == [problem.where for problem in engine.value.problems]
    assert client.studies() == []
    assert not any(place.uploads.iterdir())
    assert not any((place.settings.data / "studies").iterdir())


def test_a_valid_study_is_validated_and_not_kept(visit: Visit, folder: Path) -> None:
    client = visit("ada@example.org")
    found = client.validate_study(folder)
    assert found.valid
    assert found.facts is not None
    assert found.facts.pods == 2
    assert client.studies() == []


def test_a_study_is_seen_by_those_it_is_shared_with(visit: Visit, folder: Path) -> None:
    """Before: nobody. Then: read and copied, not changed. Afterwards: nobody. A stranger's address tells nothing."""
    ada, bob, eve = visit("ada@example.org"), visit("bob@example.org"), visit("eve@example.org")
    study = ada.upload_study(folder)
    at = f"/studies/{study.id}"
    wrong(bob, "GET", at)
    share = ada.share_study(study.id, "BOB@example.org")
    assert share == ada.share_study(study.id, "bob@example.org")
    ada.share_study(study.id, "later@example.org")
    shown = [found["email"] for found in ada.send("GET", f"{at}/shares").json()]
    assert shown == ["bob@example.org", "later@example.org"]
    seen = bob.study(study.id)
    assert (seen.owner, seen.mine) == ("ada@example.org", False)
    assert bob.table(study.id, "pods").total == 2
    copied = bob.copy_study(study.id, "Mine")
    assert (copied.mine, copied.name, copied.facts) == (True, "Mine", study.facts)
    for method, path in (("DELETE", at), ("GET", f"{at}/shares"), ("DELETE", f"{at}/shares/{share.id}")):
        wrong(bob, method, path, status=403)
    for stranger in (eve, visit("later@example.org")):
        wrong(stranger, "GET", at)
        wrong(stranger, "GET", f"{at}/tables/pods")
    ada.send("DELETE", f"{at}/shares/{share.id}")
    wrong(bob, "GET", at)
    assert bob.study(copied.id).name == "Mine"


def test_a_study_is_renamed_and_deleted(visit: Visit, place: Installation, folder: Path) -> None:
    client = visit("ada@example.org")
    study = client.upload_study(folder, name="First")
    assert client.rename_study(study.id, "Second").name == client.study(study.id).name == "Second"
    assert place.study_folder(study.id).is_dir()
    client.delete_study(study.id)
    wrong(client, "GET", f"/studies/{study.id}")
    assert not place.study_folder(study.id).exists()


def test_examples_are_one_click_away(visit: Visit) -> None:
    client = visit("ada@example.org")
    assert "one-home" in client.send("GET", "/examples").json()
    assert client.make_example("one-home", name="Mine").facts.pods == 1
    with pytest.raises(InputError, match="one of"):
        client.make_example("nothing")


def test_a_study_is_downloaded_as_it_was_given(visit: Visit, place: Installation, folder: Path, tmp_path: Path) -> None:
    """To the byte, for its owner and for those it is shared with; nothing is left on the server."""
    ada, bob = visit("ada@example.org"), visit("bob@example.org")
    study = ada.upload_study(folder)
    wrong(bob, "GET", f"/studies/{study.id}/archive")
    ada.share_study(study.id, "bob@example.org")
    for client in (ada, bob):
        found = client.download_study(study.id, tmp_path / client.send("GET", "/session").json()["name"])
        assert {path.name: path.read_bytes() for path in found.iterdir()} == {
            path.name: path.read_bytes() for path in folder.iterdir()
        }
        assert podium.load_study(found).name == study.name
    assert list(place.uploads.iterdir()) == []


def test_limits_are_kept(visit: Visit, place: Installation, folder: Path) -> None:
    """Size of an upload and of other requests, with and without their length said; number of studies."""
    client = visit("ada@example.org")
    object.__setattr__(place.settings, "upload", Upload(bytes_max=1000))
    object.__setattr__(place.settings, "request_bytes_max", 2000)
    with pytest.raises(ProblemError, match="too-large"):
        client.upload_study(folder)
    long = b'{"name": "' + b"x" * 2000 + b'"}'
    for content in (long, (long[start : start + 500] for start in range(0, len(long), 500))):
        response = client.http.patch("/api/v1/profile", content=content, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (413, "too-large")
    object.__setattr__(place.settings, "upload", Upload())
    object.__setattr__(place.settings, "studies_max", 1)
    client.upload_study(folder)
    with pytest.raises(ProblemError, match="quota"):
        client.upload_study(folder)


def test_a_study_can_reach_no_file_of_the_server(visit: Visit, place: Installation) -> None:
    """Tables named with .. or absolute names are refused, whatever lies there."""
    client = visit("ada@example.org")
    for name in ("../../../secret", str(place.settings.data.resolve() / "secret"), "/etc/passwd"):
        files = one_home() | {"study.yaml": one_home()["study.yaml"].replace("pods.csv", name)}
        with pytest.raises(InputError, match="leaves the study folder"):
            client.send("POST", "/studies/from-text", json={"files": files})


def test_zipped_leaves_results_at_home(folder: Path) -> None:
    write_files(folder, {"results/summary.json": "{}", ".git/x": ""})
    assert b"summary.json" not in zipped(folder)
    assert b".git" not in zipped(folder)
