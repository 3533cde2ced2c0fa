"""Pages of studies: all that one may read, and each of them."""

from podium.web.studies import overview, study

__all__ = ["overview", "study"]
