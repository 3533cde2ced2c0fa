"""Step 3: optimise."""

from podium.web.optimise import page

__all__ = ["page"]
