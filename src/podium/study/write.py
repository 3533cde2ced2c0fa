"""A study becomes a folder that `load_study` reads back the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from podium.devices.device import Spec, specs
from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.portfolio import Portfolio, pod_specs
from podium.profiles import Profiles
from podium.study.load import BUY, PRICE, PRODUCTION, SELL, Study
from podium.study.schema import SPEC_FILE, spec_of
from podium.study.series import TIME
from podium.study.write_market import WrittenMarket, written_market

Format = Literal["csv", "parquet"]


@dataclass(frozen=True)
class StudyParts:
    """A study as frames, with the columns of docs/study-files.md.

    `spec` holds the keys of study.yaml but for the file names: name, time_zone, start, days or hours, step_minutes,
    market, options. `tables` are those that its key `market` names as `file`: file name without suffix -> frame. Times
    (column `time` or the index of `profiles` and `prices`, and the moments of devices) are time-zone aware or text.
    """

    spec: Mapping[str, Any]
    pods: pd.DataFrame
    devices: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    profiles: pd.DataFrame | None = None
    prices: pd.DataFrame | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def frames(self) -> dict[str, pd.DataFrame]:
        """File name without suffix -> frame with all that the file holds as columns."""
        series = {"profiles": self.profiles, "prices": self.prices}
        timed = {name: _with_time(frame) for name, frame in series.items() if frame is not None}
        return {"pods": self.pods, **self.devices, **timed, **self.tables}


def write_study(study: Study | StudyParts, folder: Path | str, file_format: Format = "csv") -> Path:
    """Write a study folder; returns it. The folder is new or empty, and appears whole or not at all.

    Raises InputError where the folder is not empty, or the keys of study.yaml are wrong.
    """
    parts = study if isinstance(study, StudyParts) else parts_of(study)
    target = Path(folder)
    _refuse_filled(target)
    spec, time_zone = _spec(parts, file_format)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target if target.is_dir() else target.parent))
    try:
        for name, frame in parts.frames().items():
            _write_frame(frame, aside / f"{name}.{file_format}", time_zone)
        (aside / SPEC_FILE).write_text(spec, encoding="utf-8")
        _move(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _refuse_filled(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(Problem(str(folder), "is not empty", "a new or empty folder to write the study to"))


def _move(aside: Path, target: Path) -> None:
    """Put the files in place: a new folder at once, in an empty one study.yaml last."""
    if not target.is_dir():
        aside.chmod(0o755)
        aside.rename(target)
        return
    for path in sorted(aside.iterdir(), key=lambda path: path.name == SPEC_FILE):
        path.replace(target / path.name)


class _Dumper(yaml.SafeDumper):
    """YAML whose dates are plain text."""


_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
}


def _spec(parts: StudyParts, file_format: Format) -> tuple[str, str]:
    """Text of study.yaml, and the study's time zone."""
    content = {key: value for key, value in parts.spec.items() if key not in ("market", "options")}
    content["pods"] = f"pods.{file_format}"
    content["devices"] = {kind: f"{kind}.{file_format}" for kind in parts.devices}
    content |= {name: f"{name}.{file_format}" for name in ("profiles", "prices") if getattr(parts, name) is not None}
    if "market" in parts.spec:
        content["market"] = _with_suffix(parts.spec["market"], parts.tables, file_format)
    content |= {key: parts.spec[key] for key in ("options",) if key in parts.spec}
    spec = spec_of(content)
    spec.horizon()
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True), spec.time_zone


def _with_suffix(value: Any, tables: Mapping[str, pd.DataFrame], file_format: Format) -> Any:
    """Keys of the market whose tables are named as their files."""
    if isinstance(value, Mapping):
        return {
            key: f"{inner}.{file_format}"
            if key == "file" and inner in tables
            else _with_suffix(inner, tables, file_format)
            for key, inner in value.items()
        }
    return [_with_suffix(inner, tables, file_format) for inner in value] if isinstance(value, list | tuple) else value


def _with_time(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if TIME in frame.columns else frame.rename_axis(TIME).reset_index()


def _write_frame(frame: pd.DataFrame, path: Path, time_zone: str) -> None:
    local = frame.assign(
        **{
            str(name): column.dt.tz_convert(time_zone)
            for name, column in frame.items()
            if isinstance(column.dtype, pd.DatetimeTZDtype)
        }
    )
    if path.suffix == ".parquet":
        table = pa.Table.from_pandas(local, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, path, compression="zstd")
        return
    for name, column in local.items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            local[name] = [None if stamp is pd.NaT else stamp.isoformat() for stamp in column]
    local.to_csv(path, index=False, lineterminator="\n")


def parts_of(study: Study) -> StudyParts:
    """A study as frames. Fields that nowhere differ from their default are left out."""
    portfolio = study.portfolio
    ids = {"pod": portfolio.ids}
    pods = pd.DataFrame(ids | _fields(pod_specs(), portfolio.columns, portfolio))
    devices = {}
    for kind, table in portfolio.devices.items():
        keys = {"device": table.ids, "pod": portfolio.ids[table.pod]}
        devices[kind] = pd.DataFrame(keys | _fields(specs(table.kind), table.columns, portfolio))
    market = written_market(study.market, portfolio.horizon, portfolio.profiles.names)
    profiles = _profile_frame(portfolio.profiles, portfolio.horizon).assign(**market.profiles)
    prices = _price_frame(study.prices, portfolio.horizon) if study.prices is not None else None
    spec = _spec_keys(study, market)
    return StudyParts(spec, pods, devices, profiles if len(profiles.columns) else None, prices, market.tables)


def _spec_keys(study: Study, market: WrittenMarket) -> dict[str, Any]:
    horizon = study.horizon
    keys: dict[str, Any] = {"name": study.name, "time_zone": horizon.time_zone}
    keys |= _span(horizon)
    keys["step_minutes"] = horizon.step_minutes
    if market.keys:
        keys["market"] = market.keys
    options = study.options.model_dump(exclude_defaults=True)
    return keys | ({"options": options} if options else {})


def _span(horizon: Horizon) -> dict[str, Any]:
    """Start and length: whole local days where they are, else a moment and hours."""
    first, end = horizon.times[0], pd.Timestamp(horizon.end)
    midnights = [_midnight(moment.date(), horizon) for moment in (first, end)]
    if midnights == [first, end]:
        return {"start": first.date().isoformat(), "days": (end.date() - first.date()).days}
    return {"start": first.isoformat(), "hours": horizon.steps * horizon.step_minutes / 60}


def _midnight(day: date, horizon: Horizon) -> pd.Timestamp:
    """Start of a local day."""
    return pd.Timestamp(Horizon.days(day, 1, horizon.step_minutes, horizon.time_zone).start)


def _fields(
    fields: Sequence[Spec], columns: Mapping[str, NDArray[Any]], portfolio: Portfolio
) -> dict[str, NDArray[Any] | pd.DatetimeIndex]:
    """The columns of a file, those left out that hold nothing but defaults."""
    return {
        spec.name: _as_written(spec, columns[spec.name], portfolio)
        for spec in fields
        if spec.required or not _all_default(spec, columns[spec.name])
    }


def _all_default(spec: Spec, column: NDArray[Any]) -> bool:
    if spec.role == "number":
        return bool(np.isnan(column).all() if spec.default is None else (column == spec.default).all())
    if spec.role in ("profile", "clock"):
        return bool((column < 0).all())
    return bool((column == spec.default).all())


def _as_written(spec: Spec, column: NDArray[Any], portfolio: Portfolio) -> NDArray[Any] | pd.DatetimeIndex:
    """A column as cells of a file."""
    if spec.role == "profile":
        column = np.array([*portfolio.profiles.names, None], dtype=object)[column]
    elif spec.role == "clock":
        column = np.array([_clock_text(int(minute)) for minute in column], dtype=object)
    return pd.DatetimeIndex(column, tz="UTC") if spec.role == "moment" else column


def _clock_text(minute: int) -> str | None:
    return None if minute < 0 else f"{minute // 60:02}:{minute % 60:02}"


def _profile_frame(profiles: Profiles, horizon: Horizon) -> pd.DataFrame:
    return pd.DataFrame(profiles.values.T, columns=list(profiles.names), index=horizon.times)


def _price_frame(prices: EnergyPrices, horizon: Horizon) -> pd.DataFrame:
    columns = {PRICE: prices.buy} if prices.one_price else {BUY: prices.buy, SELL: prices.sell}
    if prices.production.any():
        columns[PRODUCTION] = prices.production
    return pd.DataFrame(columns, index=horizon.times)
