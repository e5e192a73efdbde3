"""How events run, and what the scripts of the views tell."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import gradio as gr

# What needs no model waits for none, so that an upload is read and gone at once.
AT_ONCE: Any = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
BY_MODEL: Any = {"concurrency_id": "model", "show_progress": "minimal", "api_visibility": "private"}
# A batch has a place of its own in the queue, so that no reader waits until it is done.
IN_BATCH: Any = {"concurrency_id": "batch", "show_progress": "hidden", "api_visibility": "private"}
Updates = dict[Any, Any]  # what a handler gives: values by the component that shows them
FORGET_AFTER = 3600  # idle seconds until a session's films are forgotten
LONGEST = 2000  # characters that a script may tell


def script(name: str) -> str:
    """A script, or a style sheet, of this package."""
    return (files("ui") / "assets" / name).read_text(encoding="utf-8")


def panel(value: str, name: str, by: str | None = None, **more: Any) -> gr.HTML:
    """A part of the page that a view writes; `by` is the script that tells what is done there."""
    code = script(by) if by else None
    return gr.HTML(value, elem_id=name, js_on_load=code, apply_default_css=False, **more)


def index_of(event: gr.EventData, name: str = "index") -> int:
    """A number that a view's script told; -1 where it told none."""
    told = _told(event, name)
    return int(told) if told.isascii() and told.isdigit() and len(told) < 9 else -1


def text_of(event: gr.EventData, name: str = "text") -> str:
    """A text that a view's script told; empty where it told none."""
    return _told(event, name)[:LONGEST]


def _told(event: gr.EventData, name: str) -> str:
    # Whatever a page sends may be anything.
    data = event._data if isinstance(event._data, dict) else {}
    told = data.get(name)
    return str(told) if isinstance(told, str | int) else ""
