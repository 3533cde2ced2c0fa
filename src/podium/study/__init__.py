"""Study folders: files in, `Study` out, and back."""

from podium.study.limits import LIMITS, Limits
from podium.study.load import Study, load_study
from podium.study.schema import Options, StudyFile, study_schema
from podium.study.write import StudyParts, parts_of, write_study

__all__ = [
    "LIMITS",
    "Limits",
    "Options",
    "Study",
    "StudyFile",
    "StudyParts",
    "load_study",
    "parts_of",
    "study_schema",
    "write_study",
]
