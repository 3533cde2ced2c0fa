"""What is made at first start, and that it is made once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from podium.errors import InputError
from podium.service.database import database_url as address_of
from podium.service.database import migrations
from podium.service.installation import Installation, opened
from podium.service.seal import Seal, read_seal
from podium.service.settings import Settings
from podium.service.tables import Base


def test_migrations_make_the_tables_of_the_models(place: Installation) -> None:
    """On both databases nothing differs; and the way back to nothing and up again is open."""
    engine = place.database.engine
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    for target, tables in (("base", 1), ("head", len(Base.metadata.tables) + 1)):
        with engine.begin() as connection:
            step = command.downgrade if target == "base" else command.upgrade
            step(migrations(connection), target)
        with engine.connect() as connection:
            assert len(engine.dialect.get_table_names(connection)) == tables


def test_servers_that_start_at_once_share_secret_and_tables(settings: Settings) -> None:
    """Six that start in an empty folder at once: one secret, one set of tables, no error."""

    def start(_number: int) -> str:
        with opened(settings) as place:
            return place.seal.digest("test", "text")

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(start, range(6)))) == 1


def test_the_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It is made with mode 600, kept, different elsewhere; and refused once others may read it."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    first = read_seal(here).digest("test", "text")
    assert stat.S_IMODE((here / "secret").stat().st_mode) == 0o600
    assert read_seal(here).digest("test", "text") == first != read_seal(elsewhere).digest("test", "text")
    (here / "secret").chmod(0o640)
    with pytest.raises(InputError, match="mode 640; expected mode 600"):
        read_seal(here)


def test_a_digest_is_for_one_purpose() -> None:
    """A cookie's digest is not a token's, and a text that contains a purpose does not imitate it."""
    seal = Seal(b"secret")
    assert seal.digest("a", "b") != seal.digest("b", "b")
    assert seal.matches("a", "b", seal.digest("a", "b"))
    assert not seal.matches("a", "b", seal.digest("a", "c"))
    assert not seal.matches("a", "b", "no digest, ü")


def test_sqlite_keeps_a_journal_that_readers_do_not_wait_for(tmp_path: Path) -> None:
    """WAL, and references that hold."""
    with opened(Settings.read(data=tmp_path / "data")) as place, place.database.reading() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested ones too; a wrong one is named as it was given, and what the command line says goes first."""
    monkeypatch.setenv("PODIUM_UPLOAD__BYTES_MAX", "1000")
    monkeypatch.setenv("PODIUM_PUBLIC_URL", "https://podium.example/")
    monkeypatch.setenv("PODIUM_PORT", "9000")
    settings = Settings.read(port=9001)
    assert (settings.upload.bytes_max, settings.port, settings.url) == (1000, 9001, "https://podium.example")
    assert settings.secure
    assert "podium.example" in settings.hosts
    assert settings.mail is None
    monkeypatch.setenv("PODIUM_MAIL__HOST", "mail.example")
    monkeypatch.setenv("PODIUM_MAIL__PORT", "465")
    mail = Settings.read().mail
    assert mail is not None
    assert (mail.host, mail.port, mail.encryption) == ("mail.example", 465, "starttls")
    monkeypatch.setenv("PODIUM_WORKERS", "many")
    with pytest.raises(InputError, match="PODIUM_WORKERS: 'many'"):
        Settings.read()


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file per setting, nested ones too; the environment goes first, and a folder that is not there is named."""
    files = {
        "podium_database_url": "postgresql://a@c/d\n",
        "podium_mail__password": "s3cret\n",
        "podium_port": "7000",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.setenv("PODIUM_SECRETS", str(tmp_path))
    monkeypatch.setenv("PODIUM_MAIL__HOST", "mail.example")
    monkeypatch.setenv("PODIUM_PORT", "7001")
    settings = Settings.read()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://a@c/d"
    assert settings.mail is not None
    assert settings.mail.password is not None
    assert (settings.mail.host, settings.mail.password.get_secret_value()) == ("mail.example", "s3cret")
    assert settings.port == 7001
    assert "s3cret" not in repr(settings)
    monkeypatch.setenv("PODIUM_SECRETS", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="PODIUM_SECRETS"):
        Settings.read()


@pytest.mark.parametrize(
    ("host", "url", "only"),
    [
        ("127.0.0.1", None, True),
        ("::1", None, True),
        ("localhost", "http://127.0.0.1:9000", True),
        ("0.0.0.0", None, False),
        ("127.0.0.1", "https://podium.example", False),
    ],
)
def test_a_server_knows_whether_others_reach_it(host: str, url: str | None, only: bool) -> None:
    """By its own address, or through a proxy of this machine."""
    assert Settings.read(host=host, public_url=url).local_only is only


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells and compose files pass on what is not set."""
    monkeypatch.setenv("PODIUM_DATABASE_URL", "")
    monkeypatch.setenv("PODIUM_PORT", "")
    assert (Settings.read().database_url, Settings.read().port) == (None, 8000)


def test_addresses_of_databases_name_the_driver(tmp_path: Path) -> None:
    assert address_of(tmp_path, "postgresql://a@b/c") == "postgresql+psycopg://a@b/c"
    assert address_of(tmp_path, "postgres://a@b/c") == "postgresql+psycopg://a@b/c"
    assert address_of(tmp_path, None) == f"sqlite:///{tmp_path.resolve()}/podium.sqlite3"
