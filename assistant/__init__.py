"""Wetread's assistant: from a film to a report whose every sentence carries its evidence.

Importing this package loads no torch, faiss, gradio or transformers; they come with the first
`Assistant` that is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.errors import WetreadError

if TYPE_CHECKING:
    from assistant.assistant import Assistant

__all__ = ["Assistant", "WetreadError"]


def __getattr__(name: str) -> object:
    if name == "Assistant":
        from assistant.assistant import Assistant

        return Assistant
    raise AttributeError(f"module 'assistant' has no attribute {name!r}")
