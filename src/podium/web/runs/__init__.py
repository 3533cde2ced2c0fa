"""Pages about runs: all of them, one of them, one POD of one, and two beside each other."""

from podium.web.runs import list_page, run_page

__all__ = ["list_page", "run_page"]
