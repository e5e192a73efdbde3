"""Iterables taken in parts, so that no more is held in memory than one part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int = 32) -> Iterator[list[T]]:
    """Lists of `size` items in order, the last perhaps shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
