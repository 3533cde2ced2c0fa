"""Where the files of a study may lie: in its folder and nowhere else."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path, PurePosixPath, PureWindowsPath

from podium.errors import InputError, Problem, listed
from podium.study.limits import Limits


def file_inside(folder: Path, name: str, where: str, limits: Limits) -> Path:
    """Path of a file that study.yaml names; raises InputError where it may not be read."""
    path = folder / name
    parts = PureWindowsPath(name).parts
    if PureWindowsPath(name).anchor or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
        raise InputError(Problem(where, f"{name!r} leaves the study folder", "a path inside it"))
    if not path.resolve().is_relative_to(folder.resolve()):
        value = f"{name!r} is a link that leads out of the study folder"
        raise InputError(Problem(where, value, "a file inside the study folder"))
    if not path.is_file():
        raise InputError(Problem(where, f"{name!r} {_what_is_there(path)}", _nearby(folder, name)))
    refuse_large(path, name, limits.file_bytes)
    return path


def refuse_large(path: Path, name: str, bytes_max: int) -> None:
    """Raise InputError where a file is larger than it may be."""
    size = path.stat().st_size
    if size > bytes_max:
        raise InputError(Problem(name, f"{megabytes(size)}", f"at most {megabytes(bytes_max)}"))


def megabytes(size: int) -> str:
    """A size in words."""
    return f"{size / 1e6:,.1f} MB"


def _what_is_there(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is not an ordinary file" if path.exists() else "does not exist"


def _nearby(folder: Path, name: str) -> str:
    beside = (folder / name).parent
    if not beside.is_dir() or (folder / name).is_dir():
        return "a file"
    there = sorted(str(path.relative_to(folder)) for path in beside.iterdir() if path.is_file())
    likely = get_close_matches(name, there, n=1, cutoff=0.85)
    if likely:
        return repr(likely[0])
    return f"a file in the study folder, such as {listed(there)}" if there else "a file in the study folder"
