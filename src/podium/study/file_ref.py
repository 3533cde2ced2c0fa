"""How study.yaml names a table: a file, a sheet of it, and how it tells the time."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

STRICT = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
"""All keys of study.yaml: unknown ones are errors."""


class FileRef(BaseModel):
    """A table: a file name ("pv.csv", "book.xlsx#pv"), or the same with its options."""

    model_config = STRICT

    file: str = Field(min_length=1)
    """Name inside the study folder: .csv, .parquet or .xlsx."""
    sheet: str | None = None
    """Sheet of an Excel file (its only one where absent)."""
    local_times: bool = False
    """True where times are wall-clock times of the study's time zone, without an offset."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        file, mark, sheet = value.partition("#")
        return {"file": file, "sheet": sheet} if mark and is_excel(file) else {"file": value}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(core)]}

    @property
    def source(self) -> str:
        """The name in error messages."""
        return self.file if self.sheet is None else f"{self.file}#{self.sheet}"


def is_excel(name: str) -> bool:
    """True for the suffixes of Excel workbooks."""
    return name.lower().endswith((".xlsx", ".xlsm"))
