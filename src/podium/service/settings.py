"""How the service is set up: every limit and switch, from environment variables that begin with PODIUM_, or files."""

from __future__ import annotations

import ipaddress
import os
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from podium.compute import available_workers
from podium.errors import InputError, Problem
from podium.study import Limits as StudyLimits

#: Variable that names a folder of files that each hold a setting, as Docker and systemd hand over secrets.
SECRETS = "PODIUM_SECRETS"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Upload(BaseModel):
    """What an upload may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    bytes_max: PositiveInt = 256 << 20
    """Size of the request."""
    unpacked_bytes_max: PositiveInt = 2 << 30
    """Size of all files once unpacked."""
    ratio_max: PositiveFloat = 200.0
    """Unpacked over packed size of a file of more than `ratio_from_bytes`."""
    ratio_from_bytes: PositiveInt = 32 << 20
    """Unpacked size of a file from which on the ratio counts."""
    files_max: PositiveInt = 200
    """Number of files."""
    rows_max: PositiveInt = 20_000_000
    """Rows of a table."""


class Mail(BaseModel):
    """The mail server by which addresses are confirmed and passwords reset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    host: str
    """Name of the SMTP server."""
    port: int = Field(default=587, ge=1, le=65535)
    """Its port."""
    user: str | None = None
    """User to sign in with; none where absent."""
    password: SecretStr | None = None
    """Password of that user."""
    encryption: str = Field(default="starttls", pattern="^(starttls|tls|none)$")
    """`starttls`, `tls`, or `none` for a server on the same machine."""
    sender: str = "podium@localhost"
    """Address that letters come from."""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """Settings of server and workers. Nested ones are joined by two underscores: PODIUM_UPLOAD__BYTES_MAX."""

    model_config = SettingsConfigDict(
        env_prefix="PODIUM_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    data: Path = Path("podium-data")
    """Folder of studies, results, the secret, and the database where that is SQLite."""
    database_url: SecretStr | None = None
    """Address of the database, such as postgresql://podium@/podium; SQLite in `data` where absent."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on."""
    public_url: str | None = None
    """Address by which users reach the server; https makes cookies secure. Where absent, http://host:port."""
    proxies: str = "127.0.0.1"
    """Reverse proxies whose word about a client's address is taken, separated by commas."""
    workers: NonNegativeInt = 1
    """Runs that are computed at once, each in a process of its own; 0 where workers are started elsewhere."""
    cores_per_run: PositiveInt = Field(default_factory=lambda: max(1, available_workers() - 1))
    """Processes that a run computes in."""
    queue_max: PositiveInt = 50
    """Runs of one user that may wait."""
    studies_max: PositiveInt = 500
    """Studies that one user may keep."""
    configurations_max: PositiveInt = 500
    """Configurations that one user may keep."""
    pages_max: PositiveInt = 500
    """Pages that may be open from one address; a closed one counts for up to a minute."""
    json_cells_max: PositiveInt = 200_000
    """Values in an answer that gives a study, or the profiles of a composition, as JSON."""
    run_seconds_max: PositiveFloat = 6 * 3600.0
    """Longest time of a run."""
    run_bytes_max: PositiveInt = 32 << 30
    """Most memory of the process that computes a run."""
    lease_seconds: PositiveFloat = 30.0
    """A run whose worker was not heard of for this long goes on in another."""
    keep_seconds: PositiveFloat = 2.0
    """What is done of a run is kept this often; as much may have to be done again."""
    attempts_max: PositiveInt = 3
    """How often a run is begun whose worker dies."""
    registration: bool = True
    """Whether visitors may register; else only `podium user add` and admins make users."""
    session_hours: PositiveFloat = 12.0
    """How long a login lasts."""
    login_failures_max: PositiveInt = 5
    """Wrong passwords for one account from one address in a quarter of an hour."""
    address_failures_max: PositiveInt = 50
    """Wrong passwords from one address, and for one account, in a quarter of an hour."""
    request_bytes_max: PositiveInt = 1 << 20
    """Size of a request that is not an upload."""
    metrics_token: SecretStr | None = None
    """Bearer token that opens /metrics; without one, only this machine may read it."""
    upload: Upload = Upload()
    """What an upload may hold."""
    mail: Mail | None = None
    """The mail server; without one, addresses are not confirmed, and `podium user passwd` replaces lost passwords."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given goes first, then the environment, then files, nested settings among them."""
        del settings_cls, dotenv_settings
        files = NestedSecretsSettingsSource(file_secret_settings, secrets_dir_missing="error")
        return init_settings, env_settings, files

    @classmethod
    def read(cls, **given: object) -> Self:
        """The settings of environment and files, with those given instead; raises InputError with everything wrong."""
        folder = os.environ.get(SECRETS) or None
        try:
            known = {name: value for name, value in given.items() if value is not None}
            return cls(_secrets_dir=folder, **known)  # type: ignore[arg-type]
        except SettingsError as error:
            raise InputError(Problem(SECRETS, repr(folder), f"a folder of files that hold settings: {error}")) from None
        except ValidationError as error:
            raise InputError(
                Problem(
                    "PODIUM_" + "__".join(str(part) for part in found["loc"]).upper(),
                    repr(found["input"]),
                    found["msg"],
                )
                for found in error.errors()
            ) from None

    @property
    def url(self) -> str:
        """Address by which users reach the server, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        """True where users come by https."""
        return self.url.startswith("https://")

    @cached_property
    def local_only(self) -> bool:
        """True where only this machine can reach the server, not even through a proxy."""
        names = {self.host, urlsplit(self.url).hostname or ""}
        return all(name == "localhost" or _is_loopback(name) for name in names)

    @property
    def hosts(self) -> list[str]:
        """Host names that requests may come for; others are refused, so that no foreign page reaches a local server."""
        return [*LOOPBACK_NAMES, urlsplit(self.url).hostname or self.host]

    @property
    def study_limits(self) -> StudyLimits:
        """The engine's limits on files."""
        return StudyLimits(
            file_bytes=self.upload.unpacked_bytes_max,
            rows=self.upload.rows_max,
            unpacked_bytes=self.upload.unpacked_bytes_max,
        )
