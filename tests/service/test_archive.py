"""Uploads that would leave their folder, unfold without end, or are not what they say."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from podium.errors import InputError
from podium.service.archive import is_plain, place_files
from podium.service.settings import Upload

LIMITS = Upload(unpacked_bytes_max=3_000_000, files_max=5, ratio_max=20.0, ratio_from_bytes=1_000_000)


def archive(*members: tuple[str | zipfile.ZipInfo, bytes]) -> io.BytesIO:
    """A zip archive of these."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    target.seek(0)
    return target


def placed(folder: Path, upload: io.BytesIO) -> dict[str, bytes]:
    """The files that an upload leaves in the folder."""
    folder.mkdir()
    place_files([("study.zip", upload)], folder, LIMITS)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_around_all_files_is_left_out(tmp_path: Path) -> None:
    """Both ways of packing a folder give the same study; a folder inside it stays."""
    flat = archive(("study.yaml", b"a"), ("tables/pods.csv", b"b"))
    around = archive(("home/study.yaml", b"a"), ("home/tables/pods.csv", b"b"))
    expected = {"study.yaml": b"a", "tables/pods.csv": b"b"}
    assert placed(tmp_path / "flat", flat) == placed(tmp_path / "around", around) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../x.csv",
            "/etc/x.csv",
            "a/../../x.csv",
            "C:\\x.csv",
            "a\\x.csv",
            ".hidden.csv",
            "a/.git/x.csv",
            "a//x.csv",
        ),
        *("x\n.csv", "x\x7f.csv", " x.csv", "x.csv ", "a" * 201, "/".join("abcdefghij"), "", ".", "..", "a/"),
        "x\N{RIGHT-TO-LEFT OVERRIDE}.csv",
    ],
)
def test_a_name_stays_in_its_folder(name: str) -> None:
    assert not is_plain(name)


def test_names_that_people_use_are_taken() -> None:
    assert all(is_plain(name) for name in ("study.yaml", "profiles 2018.csv", "a/b/Größe.parquet", "x.y.z.csv"))


def test_everything_wrong_with_an_upload_is_told(tmp_path: Path) -> None:
    """Names, kinds and doubles at once; nothing lies outside afterwards, and nothing inside."""
    bad = archive(("study.yaml", b""), ("../out.csv", b""), ("run.exe", b""), ("a.csv", b""), ("A.csv", b""))
    with pytest.raises(InputError) as caught:
        placed(tmp_path / "in", bad)
    assert [problem.value for problem in caught.value.problems] == [
        "the name '../out.csv'",
        "the file 'run.exe'",
        "'A.csv' twice",
    ]
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]


def test_links_are_refused(tmp_path: Path) -> None:
    """A link to a file of the server would be read as a table."""
    link = zipfile.ZipInfo("pods.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="a link or device"):
        placed(tmp_path / "in", archive(("study.yaml", b""), (link, b"/etc/passwd")))


def test_an_archive_does_not_unfold_without_end(tmp_path: Path) -> None:
    """By ratio (2 MB of zeros), by sum (four files of 1 MB), and by number; small files may shrink as they like."""
    cases = {
        "ratio": (archive(("study.yaml", b""), ("a.csv", bytes(2_000_000))), "more than 1,000,000 bytes unpacked"),
        "sum": (archive(("study.yaml", b""), *((f"{n}.csv", bytes(1_000_000)) for n in range(4))), "at most 3,000,000"),
        "number": (archive(*((f"{n}.csv", b"") for n in range(6))), "at most 5"),
    }
    for name, (upload, said) in cases.items():
        with pytest.raises(InputError, match=said):
            placed(tmp_path / name, upload)
    small = archive(("study.yaml", b""), ("a.csv", bytes(1_000_000)))
    assert len(placed(tmp_path / "small", small)["a.csv"]) == 1_000_000


def test_what_an_archive_says_of_its_size_is_not_believed(tmp_path: Path) -> None:
    """A member of 2.5 MB that claims 10 bytes is stopped where its claim or the limit is passed."""
    honest = archive(("study.yaml", b""), ("a.csv", bytes(range(256)) * 10_000)).getvalue()
    size = (256 * 10_000).to_bytes(4, "little")
    assert honest.count(size) == 2
    lying = io.BytesIO(honest.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(InputError, match=r"not a whole zip archive|unpacked"):
        placed(tmp_path / "in", lying)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="a zip archive"):
        placed(tmp_path / "in", io.BytesIO(content))


def test_a_broken_or_encrypted_archive_is_refused(tmp_path: Path) -> None:
    whole = archive(("study.yaml", b"name: x" * 100)).getvalue()
    broken = bytearray(whole)
    broken[50] ^= 255
    with pytest.raises(InputError, match="not a whole zip archive"):
        placed(tmp_path / "broken", io.BytesIO(bytes(broken)))
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="encrypted"):
        placed(tmp_path / "locked", io.BytesIO(bytes(locked)))


def test_single_files_are_held_to_the_same_rules(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(InputError, match=r"no study.yaml.*\n.*'\.\./x\.csv'"):
        place_files([("../x.csv", io.BytesIO(b""))], folder, LIMITS)
    with pytest.raises(InputError, match="bytes unpacked"):
        place_files([("study.yaml", io.BytesIO(bytes(3_000_001)))], folder, LIMITS)
