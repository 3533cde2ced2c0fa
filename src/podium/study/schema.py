"""study.yaml: what it may say, and errors that name its lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
)
from pydantic_core import ErrorDetails

from podium.devices import KINDS
from podium.errors import InputError, Problem
from podium.horizon import Horizon, zone_of
from podium.study.file_ref import STRICT, FileRef
from podium.study.limits import LIMITS, Limits
from podium.study.market_schema import MarketKeys, key_path, part_of_market
from podium.study.place import refuse_large
from podium.study.wording import is_missing, one_of

SPEC_FILE = "study.yaml"
KeyPath = tuple[str | int, ...]


class Options(BaseModel):
    """How a study is optimised."""

    model_config = STRICT

    method: Literal["exact", "virtus"] = "exact"
    """Level 2: `exact`, or the reference method `virtus`."""
    sustain_hours: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How long a POD must be able to hold a band once it is called, h."""
    time_limit_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Longest time for one POD whose problem has integers, s; the best schedule found by then counts."""
    mip_gap: float = Field(default=1e-6, ge=0, le=1)
    """Relative gap at which such a problem counts as solved."""
    gap: float = Field(default=0.005, ge=0, le=1)
    """Level 2 ends when its plan is certified to lie within this share of the best possible."""
    portfolio_time_limit_seconds: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    """Longest time for the coordination of level 2, s; the best plan by then counts."""
    curves: Literal["auto", "quick", "exact"] = "auto"
    """Bids for energy: by `quick`, PODs that need a programme hold their plan at any price; by `exact` they answer each
    price too, with starts and stops, which takes a second or some per POD; who needs more than `time_limit_seconds`
    holds the plan. `auto` is exact for up to 256 PODs."""


class _DeviceFiles(BaseModel):
    """Kind of device -> its table."""

    model_config = STRICT


DeviceFiles: type[_DeviceFiles] = create_model(
    "DeviceFiles",
    __base__=_DeviceFiles,
    __doc__=_DeviceFiles.__doc__,
    **{kind: (FileRef | None, Field(default=None, description=model.title)) for kind, model in KINDS.items()},  # type: ignore[call-overload]
)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | Mapping) else value


FileRefs = Annotated[
    tuple[FileRef, ...],
    BeforeValidator(_as_list, json_schema_input_type=FileRef | list[FileRef]),
]


class StudyFile(BaseModel):
    """Everything that study.yaml says."""

    model_config = STRICT

    name: str = Field(min_length=1)
    """Title of the study."""
    time_zone: str
    """IANA name; local days, daily windows and local times are read in it."""
    start: str
    """First day (2018-05-14, from local midnight) or moment with an offset (2018-05-14T06:00:00+02:00)."""
    days: int | None = Field(default=None, ge=1)
    """Length in local calendar days (92, 96 or 100 quarter-hours)."""
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Length in hours; instead of `days`."""
    step_minutes: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] = 15
    """Length of a step, min; divides 60."""
    pods: FileRef
    """Table of PODs."""
    devices: DeviceFiles = Field(default_factory=DeviceFiles)
    """Kind of device -> its table."""
    profiles: FileRefs = ()
    """Time series that the tables refer to: a file or a list of files."""
    prices: FileRef | None = None
    """Market prices, EUR/MWh."""
    market: MarketKeys = MarketKeys()
    """Who is billed where, limits of the whole portfolio, and the reserve that it sells, see below."""
    options: Options = Options()
    """How the study is optimised, see below."""

    def device_files(self) -> dict[str, FileRef]:
        """Kind -> table, of the kinds that are there, in the order of KINDS."""
        found = {kind: getattr(self.devices, kind) for kind in KINDS}
        return {kind: ref for kind, ref in found.items() if ref is not None}

    def horizon(self) -> Horizon:
        """The time axis; raises InputError whose `where` is the key at fault."""
        if (self.days is None) == (self.hours is None):
            value = "neither 'days' nor 'hours'" if self.days is None else "both 'days' and 'hours'"
            raise InputError(Problem("days", value, "one of the two"))
        zone = zone_of(self.time_zone)
        start = self._start()
        begin = start.astimezone(zone) if isinstance(start, datetime) else datetime.combine(start, time(), zone)
        if self.days is not None:
            end = datetime.combine(begin.date() + timedelta(days=self.days), begin.time(), zone)
            hours = (end.timestamp() - begin.timestamp()) / 3600
        else:
            hours = self.hours or 0.0
        return Horizon(begin, self.step_minutes, self._steps(hours), self.time_zone)

    def _start(self) -> date | datetime:
        """A date, or a moment with an offset."""
        expected = "a date such as 2018-05-14, or a moment with an offset such as 2018-05-14T06:00:00+02:00"
        try:
            return date.fromisoformat(self.start)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(self.start)
        except ValueError:
            raise InputError(Problem("start", repr(self.start), expected)) from None
        if moment.tzinfo is None:
            raise InputError(Problem("start", f"{self.start!r} has no offset", expected))
        return moment

    def _steps(self, hours: float) -> int:
        steps = hours * 60 / self.step_minutes
        if not math.isclose(steps, round(steps), abs_tol=1e-6):
            value = f"{hours:g} h are {steps:g} steps of {self.step_minutes} minutes"
            raise InputError(Problem("days" if self.days else "hours", value, "a whole number of steps"))
        return round(steps)


def study_schema() -> dict[str, Any]:
    """JSON Schema of study.yaml (published as docs/study.schema.json)."""
    schema = StudyFile.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Podium study"}


@dataclass(frozen=True)
class SpecFile:
    """study.yaml as read: what it says, the horizon it describes, and the line of each key."""

    spec: StudyFile
    horizon: Horizon
    lines: Mapping[KeyPath, int]

    def where(self, *key: str | int) -> str:
        """Place of a key, such as `study.yaml, line 9`."""
        return _where(key, self.lines)


def read_spec(path: Path, limits: Limits = LIMITS) -> SpecFile:
    """study.yaml; raises InputError with every problem and its line."""
    refuse_large(path, path.name, limits.yaml_bytes)
    content, lines = _read_yaml(path)
    spec = spec_of(content, lines)
    try:
        return SpecFile(spec, spec.horizon(), lines)
    except InputError as error:
        raise InputError(_with_line(problem, lines) for problem in error.problems) from None


def key_lines(path: Path) -> dict[KeyPath, int]:
    """The line of each key of a study.yaml; raises InputError where it is no YAML."""
    return _read_yaml(path)[1]


def _with_line(problem: Problem, lines: Mapping[KeyPath, int]) -> Problem:
    """A problem of the horizon, whose `where` is a key."""
    value = f"{problem.where} {problem.value}" if problem.value.startswith("'") else problem.value
    return Problem(_where((problem.where,), lines), value, problem.expected)


def spec_of(content: Any, lines: Mapping[KeyPath, int] | None = None) -> StudyFile:
    """The keys of study.yaml, checked; `lines` has the line of each. Raises InputError with every problem."""
    try:
        return StudyFile.model_validate(content)
    except ValidationError as error:
        raise InputError(_in_words(found, lines or {(): 1}) for found in error.errors()) from None


class _Loader(yaml.SafeLoader):
    """YAML without dates (they stay text) and aliases (a few bytes of them can unfold without end)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias (*name); expected the value itself", problem_mark=mark)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read_yaml(path: Path) -> tuple[Any, dict[KeyPath, int]]:
    """Content of a YAML file, and the line of each key path."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8-sig"))
        node = loader.get_single_node()
        lines: dict[KeyPath, int] = {(): 1}
        problems = list(_note_lines(node, (), lines, path.name))
        content = loader.construct_document(node) if node is not None else {}
    except UnicodeDecodeError:
        raise InputError(Problem(path.name, "not UTF-8 text", "a YAML file in UTF-8")) from None
    except yaml.MarkedYAMLError as error:
        raise InputError(_yaml_problem(error, path.name)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(Problem(path.name, f"not YAML ({error})", "keys and values")) from None
    if problems:
        raise InputError(problems)
    if not isinstance(content, dict):
        raise InputError(Problem(path.name, f"{type(content).__name__} at the top", "keys such as 'name: My study'"))
    return content, lines


def _yaml_problem(error: yaml.MarkedYAMLError, name: str) -> Problem:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    value, _, expected = (error.problem or "not YAML").partition("; expected ")
    return Problem(f"{name}, line {line}", value, expected or "YAML: 'key: value', indented by spaces")


def _note_lines(node: yaml.Node | None, at: KeyPath, lines: dict[KeyPath, int], name: str) -> list[Problem]:
    """Write the line of each key into `lines`; returns keys that stand twice."""
    problems: list[Problem] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner, line = (*at, str(key.value)), key.start_mark.line + 1
            if inner in lines:
                problems.append(
                    Problem(
                        f"{name}, line {line}",
                        f"key {key.value!r} stands in line {lines[inner]} too",
                        "each key once",
                    )
                )
            lines[inner] = line
            problems += _note_lines(value, inner, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            lines[*at, place] = value.start_mark.line + 1
            problems += _note_lines(value, (*at, place), lines, name)
    return problems


def _in_words(found: ErrorDetails, lines: Mapping[KeyPath, int]) -> Problem:
    """A pydantic error as a problem with its line."""
    at = key_path(found["loc"])
    key = ".".join(str(part) for part in at)
    if found["type"] == "extra_forbidden":
        what = "kind of device" if at[:-1] == ("devices",) else "key"
        value = f"unknown {what} {at[-1]!r}"
        return Problem(_where(at, lines), value, one_of(str(at[-1]), _known(at[:-1]), most=20))
    if found["type"] == "missing":
        return Problem(_where(at[:-1], lines), is_missing(key), f"a line '{at[-1]}: ...'")
    expected = (
        found["msg"]
        .removeprefix("Value error, ")
        .removeprefix("Input should be ")
        .replace("valid string", "text (in quotes if need be)")
    )
    value = "empty" if found["input"] is None else repr(found["input"])
    return Problem(_where(at, lines), f"{key} {value}", expected)


def _where(at: KeyPath, lines: Mapping[KeyPath, int]) -> str:
    while at not in lines:
        at = at[:-1]
    return f"{SPEC_FILE}, line {lines[at]}" if at else SPEC_FILE


def _known(at: KeyPath) -> list[str]:
    """The keys that may stand at a place of study.yaml."""
    if not at:
        return list(StudyFile.model_fields)
    if at[0] == "market":
        return list(part_of_market(at).model_fields)
    models: dict[str | int, type[BaseModel]] = {"options": Options, "devices": DeviceFiles}
    model = models.get(at[0], FileRef) if len(at) == 1 else FileRef
    return list(model.model_fields)
