"""Keeps freed memory for the next film, where the C library would give it back at once."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's mallopt: how much freed memory is kept at the heap's end, and in how many pieces of
# its own memory comes that would lie outside of the heap.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
KEPT = 1 << 29  # bytes at most


def keep_freed_memory() -> None:
    """Ask glibc to keep freed memory; other C libraries are left as they are.

    A convolutional encoder takes and frees several megabytes for each layer. Given back and taken
    again, every page is cleared by the kernel, which takes as long as the layers themselves.
    """
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_MAX, 0)
        set_option(_TRIM_THRESHOLD, KEPT)
