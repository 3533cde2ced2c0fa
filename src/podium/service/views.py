"""What requests and answers hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from podium.service.accounts import Email, Name, Role, Scope
from podium.service.problems import Where


class Request(BaseModel):
    """A request's content; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Answer(BaseModel):
    """An answer, read from a row."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


NewPassword = Annotated[SecretStr, Field(min_length=10, max_length=200)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]


class Credentials(Request):
    """Who signs in."""

    email: Email
    password: Annotated[SecretStr, Field(max_length=200)]


class NewUser(Request):
    """A user to make."""

    email: Email
    name: Name
    password: NewPassword


class FirstUser(NewUser):
    """The first admin."""

    code: Annotated[str, StringConstraints(max_length=100)] = ""
    """Shown where the server was started, unless only that machine can reach it."""


class NewUserWithRole(NewUser):
    """A user that an admin makes."""

    role: Role = Role.operator


class UserChange(Request):
    """What an admin changes."""

    role: Role | None = None
    active: bool | None = None


class ProfileChange(Request):
    """What users change of themselves."""

    name: Name


class PasswordChange(Request):
    """A new password, and the old one as proof."""

    old: Annotated[SecretStr, Field(max_length=200)]
    new: NewPassword


class ResetWish(Request):
    """Who lost a password."""

    email: Email


class PasswordByToken(Request):
    """A new password, and the token of the letter."""

    token: Token
    password: NewPassword


class Confirmation(Request):
    """The token of the letter that confirms an address."""

    token: Token


class UserView(Answer):
    """A user."""

    id: UUID
    email: str
    name: str
    role: Role
    active: bool
    created_at: datetime


class SessionView(Answer):
    """Who is signed in; changes must send `csrf_token` in the header X-CSRF-Token."""

    user_id: UUID
    email: str
    name: str
    role: Role
    csrf_token: str


class SetupView(Answer):
    """What a first visitor must know."""

    needed: bool
    """True while there is no user."""
    code_needed: bool
    registration: bool
    mail: bool
    """Whether lost passwords are replaced, and new addresses confirmed, by e-mail."""


class NewToken(Request):
    """A token to make."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    days: Annotated[int, Field(ge=1, le=366)] = 90


class TokenView(Answer):
    """A token, without its text."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime


class TokenOnce(TokenView):
    """A token with its text, which is shown this once."""

    token: str


class Accepted(Answer):
    """An answer that is the same whether or not there is such a user."""

    detail: str


Paging = Annotated[int, Field(ge=0, le=10**9)]
PageSize = Annotated[int, Field(ge=1, le=10_000)]


class StudyName(Request):
    """A name for a study."""

    name: Name


class ExampleWish(Request):
    """A study made from an example."""

    example: Annotated[str, StringConstraints(max_length=50)] = "one-home"
    name: Name | None = None


class TextFiles(Request):
    """A study as the text of its files: study.yaml and the CSV tables that it names."""

    files: Annotated[dict[str, str], Field(min_length=1)]
    name: Name | None = None


class ShareWish(Request):
    """With whom a study is shared."""

    email: Email


class StudyFacts(Answer):
    """What a study is about."""

    time_zone: str
    start: datetime
    end: datetime
    step_minutes: int
    steps: int
    pods: int
    devices: int
    prices: bool
    options: dict[str, Any]
    notices: list[str]
    tables: dict[str, int]
    """Tables and their rows."""


class StudyView(Answer):
    """A study."""

    id: UUID
    name: str
    created_at: datetime
    owner: str
    """E-mail address of the owner."""
    mine: bool
    facts: StudyFacts


class Validation(Answer):
    """Everything wrong with a study; nothing where it is valid."""

    valid: bool
    problems: list[Where]
    facts: StudyFacts | None


class ShareView(Answer):
    """Somebody with whom a study is shared."""

    id: UUID
    email: str


class Page(Answer):
    """Rows of a table, `offset` and on."""

    columns: list[str]
    rows: list[list[Any]]
    offset: int
    total: int


class RunOptions(Request):
    """How a study is optimised, where other than it says itself."""

    method: Literal["exact", "virtus"] | None = None
    sustain_hours: Annotated[float, Field(gt=0, le=8784)] | None = None
    """How long a POD must be able to hold a band once it is called, h."""
    time_limit_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Longest time for one POD whose problem has integers, s."""
    mip_gap: Annotated[float, Field(ge=0, le=1)] | None = None
    """Relative gap at which such a problem counts as solved."""
    gap: Annotated[float, Field(ge=0, le=1)] | None = None
    """Certified distance from the best possible at which level 2 ends."""
    portfolio_time_limit_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Longest time for the coordination of level 2, s."""
    curves: Literal["auto", "quick", "exact"] | None = None
    """Bids for energy: PODs that need a programme hold their plan (`quick`), or answer each price too (`exact`)."""

    def given(self) -> dict[str, Any]:
        """Those that are given."""
        return self.model_dump(exclude_none=True)


RunKind = Literal["full", "local", "portfolio"]


class RunWish(Request):
    """A run to start."""

    study: UUID
    kind: RunKind = "full"
    """`full`: both levels, the reference's promise, the check. `local`: level 1 alone, checked.
    `portfolio`: the rest of `full`, from the level 1 of a run that is done."""
    local_run: UUID | None = None
    """Of `portfolio`: the run of kind `local` whose level 1 it starts from, of the same study."""
    options: RunOptions = RunOptions()
    """Of `portfolio`: those of level 1 are the local run's."""
    again: bool = False
    """Compute also where a run of the same input and options is there already."""

    @model_validator(mode="after")
    def _local_run_where_it_is_needed(self) -> Self:  # noqa: N804 - pydantic gives the model
        if (self.kind == "portfolio") != (self.local_run is not None):
            raise ValueError("'local_run' is needed for kind 'portfolio', and for no other")
        return self


RunState = Literal["queued", "running", "done", "failed", "cancelled"]


class RunView(Answer):
    """A run."""

    id: UUID
    study: UUID
    study_name: str
    kind: RunKind
    local_run: UUID | None
    options: dict[str, Any]
    state: RunState
    phase: str | None
    phases: list[str]
    """The phases of such a run, in order."""
    pods: int
    pods_done: int
    """PODs done in the phase under way."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    """1, and one more for each worker that died."""
    ahead: int | None
    """Runs that wait before this one, while it waits."""
    problem: dict[str, Any] | None
    """Why it failed, as problem+json."""
    summary: dict[str, Any] | None
    """summary.json (docs/results.md)."""


class LogLine(Answer):
    """A line of a run's log."""

    id: int
    at: datetime
    event: str
    text: str


class ResultFile(Answer):
    """A file of a run's results."""

    name: str
    bytes: int
    rows: int | None


class QueueView(Answer):
    """What is waiting and running, of all users."""

    queued: int
    running: int
    workers: int
    users: dict[str, dict[str, int]]
    """E-mail address -> state -> number of runs that are not over."""


class Health(Answer):
    """Whether the service is well."""

    status: Literal["ok"]
