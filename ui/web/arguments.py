"""What an event may be given: each argument by the widget that it belongs to.

A page, or a program, may send anything. Gradio's own checks end in a traceback and an empty error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

LONGEST_TEXT = 20_000  # characters, where a text has no limit of its own
MOST_FILES = 200
Check = Callable[[Any, Any, bool], str]  # of a widget, its value, whether it is an endpoint's


def find_problem(fn: Any, values: list[Any]) -> str:
    """What is wrong with an event's arguments, in one sentence; empty where nothing is.

    The widgets are the table of types and ranges. Those of a public endpoint must all have a
    value; a page may leave one empty.
    """
    widgets, public = fn.inputs, fn.api_visibility == "public"
    if len(values) != len(widgets):
        names = ", ".join(_name(widget) for widget in widgets if not widget.stateful)
        return f"{len(values)} arguments were given where {len(widgets)} are needed" + (
            f": {names}." if names else "."
        )
    for widget, value in zip(widgets, values, strict=True):
        if widget.stateful:
            continue
        check = next((check for kind, check in CHECKS.items() if isinstance(widget, kind)), None)
        # What only shows has no check: its handlers take nothing from it.
        problem = check(widget, value, public) if check else ""
        if problem:
            return f"{_name(widget)} {problem}."
    return ""


def pure_values(fn: Any, values: list[Any]) -> list[Any]:
    """The arguments as the handlers take them: of a file its path alone, never its name.

    A file's own name may be a patient's, and gradio would keep it with the session.
    """
    return [
        _pure_file(value) if isinstance(widget, gr.File) else None if widget.stateful else value
        for widget, value in zip(fn.inputs, values, strict=True)
    ]


def _name(widget: Any) -> str:
    return str(getattr(widget, "label", None) or "value").partition(" (")[0]


def _check_text(widget: gr.Textbox, value: Any, public: bool) -> str:
    if value is None and not public:
        return ""
    if not isinstance(value, str):
        return "must be a text"
    longest = widget.max_length or LONGEST_TEXT
    if len(value) > longest:
        return f"has {len(value)} characters; give at most {longest}"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half of a character (a lone surrogate); give whole ones"
    return ""


def _check_number(widget: Any, value: Any, public: bool) -> str:
    if value is None and not public:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    low, high = widget.minimum, widget.maximum
    # An integer of any length is compared exactly; only a float can be no number.
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    whole = getattr(widget, "precision", None) == 0
    if whole and value != int(value):
        return "must be a whole number"
    outside = (low is not None and value < low) or (high is not None and value > high)
    if outside or abs(value) > 2**63 - 1:
        bounds = f"from {low} to {high}" if None not in (low, high) else "of fewer digits"
        return f"must be a number {bounds}"
    return ""


def _check_choice(widget: gr.Dropdown, value: Any, public: bool) -> str:
    choices = [choice for _, choice in widget.choices]
    if public and value not in choices:
        given = ", ".join(f'"{choice}"' for choice in choices)
        return f"must be one of {given}"
    # A page's choices may have been renewed since it was built.
    if value is None or (isinstance(value, str) and len(value) <= LONGEST_TEXT):
        return ""
    return "must be one of its choices"


def _check_file(widget: gr.File, value: Any, public: bool) -> str:
    if value is None:
        return "is needed: upload one first" if public else ""
    single = widget.file_count == "single"
    files = [value] if isinstance(value, Mapping) else value
    if not isinstance(files, list) or (single and files is value) or len(files) > MOST_FILES:
        return f"must be {'one uploaded file' if single else 'a list of uploaded files'}"
    folder = Path(get_upload_folder()) / UPLOADS
    for file in files:
        path = file.get("path") if isinstance(file, Mapping) else None
        if not isinstance(path, str) or len(path) > 1000 or "\0" in path:
            return "must be a file that was uploaded before"
        if Path(path).parent.parent != folder or ".." in Path(path).parts:
            return "must be a file that was uploaded before"
        if not Path(path).is_file():
            return "is no longer there, as uploads are deleted once they are read; upload it again"
    return ""


def _check_sample(widget: gr.Dataset, value: Any, public: bool) -> str:
    del public
    index = value[0] if isinstance(value, list) and value else value
    known = isinstance(index, int) and 0 <= index < len(widget.samples or ())
    return "" if known else "must be the number of one of its samples"


def _pure_file(value: Any) -> Any:
    if isinstance(value, list):
        return [_pure_file(file) for file in value]
    if isinstance(value, Mapping):
        return {"path": value["path"], "meta": {"_type": "gradio.FileData"}}
    return value


UPLOADS = "uploads"  # the folder of uploads in gradio's own
CHECKS: dict[type, Check] = {
    gr.Textbox: _check_text,
    gr.Slider: _check_number,
    gr.Number: _check_number,
    gr.Dropdown: _check_choice,
    gr.File: _check_file,
    gr.Dataset: _check_sample,
}
