"""Steps 1 and 2: what a portfolio is made of, and the profiles that it needs."""

from podium.web.configure import profiles, start, study_profiles

__all__ = ["profiles", "start", "study_profiles"]
