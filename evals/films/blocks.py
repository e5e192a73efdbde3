"""Results of films, block by block, kept on disk until the run is done.

A run that was killed goes on after its last finished block, and the parts of one run that need the
same results compute them once. This module does not know what a result is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from assistant.atomic import write_file
from assistant.iterables import batched
from assistant.types import OnProgress

BLOCK = 16
Item = TypeVar("Item")


def compute_in_blocks(
    items: Sequence[Item],
    compute: Callable[[Sequence[Item]], list[Any]],
    folder: Path | None,
    on_progress: OnProgress,
) -> list[Any]:
    """Return the results of all items, in order, each a value that JSON can hold.

    `compute` gets a block of items and returns a result for each. With a folder every finished
    block is stored there, and blocks that it holds already are not computed.
    """
    results: list[Any] = []
    for number, block in enumerate(batched(items, BLOCK)):
        path = None if folder is None else folder / f"{number:05d}.json"
        stored = None if path is None else _load(path, len(block))
        if stored is None:
            stored = compute(block)
            if path is not None:
                write_file(path, json.dumps(stored).encode())
        results += stored
        on_progress(len(results), len(items))
    return results


def _load(path: Path, length: int) -> list[Any] | None:
    """The results of a block; None where they are not there or damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return stored if isinstance(stored, list) and len(stored) == length else None
