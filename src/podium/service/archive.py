"""An upload becomes the files of a study in a folder: nothing leaves that folder, and nothing unfolds without end.

The way back is here too: the files of a study as one zip archive.
"""

from __future__ import annotations

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from podium.errors import InputError, Problem
from podium.service.settings import Upload

SPEC = "study.yaml"
SUFFIXES = (".yaml", ".csv", ".parquet", ".xlsx", ".xlsm", ".md", ".txt", ".json")
ZIP_SUFFIX = ".zip"
_CHUNK_BYTES = 1 << 20
_NAME_MAX, _DEPTH_MAX = 200, 8
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError)


def unpack(archive: IO[bytes], folder: Path, limits: Upload) -> None:
    """Files of a zip archive into an empty folder; a single folder around them all is left out.

    Raises InputError for names that leave the folder, links, encrypted or broken archives, and sizes beyond `limits`.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            _refuse(_wrong_members(members, limits))
            prefix = _around([member.filename for member in members])
            names = [member.filename[len(prefix) :] for member in members]
            _refuse(wrong_names(names, limits))
            left = limits.unpacked_bytes_max
            for member, name in zip(members, names, strict=True):
                most = _most_bytes(member, left, limits)
                with packed.open(member) as source:
                    left -= write_file(source, folder / name, name, most)
    except _BROKEN as error:
        raise InputError(Problem("the upload", f"not a whole zip archive ({error})", "a zip archive")) from None


def _wrong_members(members: Sequence[zipfile.ZipInfo], limits: Upload) -> Iterator[Problem]:
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            yield Problem(repr(member.filename), "a link or device", "an ordinary file")
        if member.flag_bits & 1:
            yield Problem(repr(member.filename), "encrypted", "a file that can be read")
    size = sum(member.file_size for member in members)
    if size > limits.unpacked_bytes_max:
        yield Problem("the upload", f"{size:,} bytes unpacked", f"at most {limits.unpacked_bytes_max:,}")


def _most_bytes(member: zipfile.ZipInfo, left: int, limits: Upload) -> int:
    """How many bytes a member may have: what it says of itself is not believed."""
    by_ratio = max(int(limits.ratio_max * max(member.compress_size, 1)), limits.ratio_from_bytes)
    return min(left, by_ratio)


def _around(names: Sequence[str]) -> str:
    """The folder around all files, with its slash, where study.yaml lies in it; else nothing."""
    first = {name.partition("/")[0] for name in names}
    around = next(iter(first)) + "/" if len(first) == 1 else ""
    return around if SPEC not in names and around and around + SPEC in names else ""


def wrong_names(names: Sequence[str], limits: Upload) -> Iterator[Problem]:
    """What is wrong with the names of a study's files."""
    if len(names) > limits.files_max:
        yield Problem("the upload", f"{len(names)} files", f"at most {limits.files_max}")
        return
    if SPEC not in names:
        yield Problem("the upload", f"no {SPEC}", f"{SPEC} and the tables that it names")
    seen: set[str] = set()
    for name in names:
        if not is_plain(name):
            yield Problem("the upload", f"the name {name[:_NAME_MAX]!r}", "a name inside the study's folder")
        elif not name.lower().endswith(SUFFIXES):
            yield Problem("the upload", f"the file {name!r}", f"files that end in {', '.join(SUFFIXES)}")
        elif name.lower() in seen:
            yield Problem("the upload", f"{name!r} twice", "each file once")
        seen.add(name.lower())


def is_plain(name: str) -> bool:
    """Whether a name stays inside its folder on every system, and can be shown."""
    parts = name.split("/")
    return (
        0 < len(name) <= _NAME_MAX
        and len(parts) <= _DEPTH_MAX
        and not PurePosixPath(name).is_absolute()
        and all(part and not part.startswith(".") and part == part.strip() for part in parts)
        and not any(letter in '\\:*?"<>|' or not letter.isprintable() for letter in name)
    )


def write_file(source: IO[bytes], path: Path, name: str, bytes_max: int) -> int:
    """Copy at most so many bytes into a new file; returns how many. Raises InputError where there are more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with path.open("xb") as target:
        while chunk := source.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > bytes_max:
                raise InputError(Problem(repr(name), f"more than {bytes_max:,} bytes unpacked", "a smaller file"))
            target.write(chunk)
    return size


def _refuse(problems: Iterator[Problem]) -> None:
    found = list(problems)
    if found:
        raise InputError(found)


def place_files(files: Sequence[tuple[str, IO[bytes]]], folder: Path, limits: Upload) -> None:
    """Files of an upload into an empty folder: one zip archive, or the files of a study.

    Raises InputError as `unpack` does.
    """
    if len(files) == 1 and files[0][0].lower().endswith(ZIP_SUFFIX):
        unpack(files[0][1], folder, limits)
        return
    _refuse(wrong_names([name for name, _ in files], limits))
    left = limits.unpacked_bytes_max
    for name, source in files:
        left -= write_file(source, folder / name, name, left)


def packed(folder: Path, aside: Path) -> Iterator[bytes]:
    """The files in a folder as a zip archive, in pieces.

    Until it is read it lies in the folder `aside`, in a file without a name, of which nothing is left.
    """
    with tempfile.TemporaryFile(dir=aside) as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(found for found in folder.rglob("*") if found.is_file()):
                archive.write(path, path.relative_to(folder).as_posix())
        target.seek(0)
        while chunk := target.read(_CHUNK_BYTES):
            yield chunk
