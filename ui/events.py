"""How events run, and the values that the views' scripts send."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import gradio as gr

# The arguments are checked by `web.arguments`, in the place of gradio's own preprocessing, which
# ends in tracebacks and leaves an empty file for each upload.
_PRIVATE: Any = {"api_visibility": "private", "preprocess": False}
# Handlers without the model do not wait for it, so that an upload is read and deleted at once.
AT_ONCE: Any = {"concurrency_limit": None, "show_progress": "hidden", **_PRIVATE}
BY_MODEL: Any = {"concurrency_id": "model", "show_progress": "minimal", **_PRIVATE}
# Batches have a queue of their own, so that no reader waits until one is done.
IN_BATCH: Any = {"concurrency_id": "batch", "show_progress": "hidden", **_PRIVATE}
Updates = dict[Any, Any]  # a handler's result: values by the component that shows them
FORGET_AFTER = 3600  # idle seconds until a session's films are forgotten
LONGEST_TEXT = 2000  # characters that a script may send


def script(name: str) -> str:
    """A script, or a style sheet, of this package."""
    return (files("ui") / "assets" / name).read_text(encoding="utf-8")


def panel(value: str, name: str, script_name: str | None = None, **more: Any) -> gr.HTML:
    """A part of the page that a view fills; `script_name` is the script that sends its events.

    The script is named only: `web.page` gives the page the script itself.
    """
    source = script_key(script_name) if script_name else None
    return gr.HTML(value, elem_id=name, js_on_load=source, apply_default_css=False, **more)


def script_key(name: str) -> str:
    """What stands for a script: its name, and the events that gradio looks for in its text."""
    events = dict.fromkeys(re.findall(r'trigger\("(\w+)"', script(name)))
    return " ".join((name, *(f"'{event}'" for event in events)))


def paths_of(files: Any) -> list[str]:
    """The paths of uploaded files, as a file widget sends them: one, several or none."""
    several = files if isinstance(files, list) else [files] if files else []
    return [str(file["path"]) for file in several]


def index_of(event: gr.EventData, name: str = "index") -> int:
    """A number that a view's script sent; -1 where it sent none."""
    value = _value_of(event, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else -1


def text_of(event: gr.EventData, name: str = "text") -> str:
    """A text that a view's script sent; empty where it sent none."""
    return _value_of(event, name)[:LONGEST_TEXT]


def _value_of(event: gr.EventData, name: str) -> str:
    # A page may send anything.
    data = event._data if isinstance(event._data, dict) else {}
    value = data.get(name)
    return str(value) if isinstance(value, str | int) else ""
