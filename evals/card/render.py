"""The report card: results as one HTML page, for a paper's supplement or a regulatory file.

It knows the form of results and nothing of how they were measured. The page asks for nothing: no
script, no font, no other file; its policy forbids what is left. Plots are inline SVG from a few
functions of our own (`svg.py`, `plots.py`) and not matplotlib's: theirs has its colours and letter
shapes fixed, so that it would be wrong in dark mode, unreadable to a screen reader and ten times
as large, and it would be one more dependency. Jinja2, which gradio and torch bring along, escapes
whatever comes from data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.export.templates import html_template
from evals.card.page import page_of

HERE = Path(__file__).parent


def render_card(results: Mapping[str, Any]) -> str:
    """Results, in the form of `results.json`, as one self-contained HTML page.

    The same results give the same page. A missing value is shown as missing, never as zero.
    """
    return html_template(HERE, "card.html.jinja").render(page=page_of(results))
