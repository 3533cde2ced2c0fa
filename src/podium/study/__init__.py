"""Study folders: files in, `Study` out, and back."""

from podium.study.limits import LIMITS, Limits
from podium.study.load import Study, load_study
from podium.study.schema import Options, StudyFile, study_schema

__all__ = ["LIMITS", "Limits", "Options", "Study", "StudyFile", "load_study", "study_schema"]
