"""Pages about runs: all of them, one of them, one POD of one, and two beside each other."""

from nicegui import ui

from podium.web import theme
from podium.web.runs import compare_page, list_page, pod_page, run_page

__all__ = ["compare_page", "list_page", "pod_page", "run_page"]

ui.add_head_html(f'<link rel="stylesheet" href="{theme.address()}/runs.css">', shared=True)
