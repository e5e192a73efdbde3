"""What C libraries say of a file on the standard error, and nowhere else.

libtiff and GDCM decode on after an error and print a line about it. While one listens, all that
the process writes there is caught, so this is for a process that decodes one film at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_STDERR = 2
_LONGEST = 1 << 16  # bytes, as much as a pipe holds


@contextmanager
def hear_complaints() -> Iterator[Callable[[], str]]:
    """Catch what is written to the standard error within the block.

    Gives a function that returns what was written since its last call.
    """
    heard, written = os.pipe()
    kept = os.dup(_STDERR)
    if hasattr(os, "set_blocking"):  # who says more than a pipe holds is not kept waiting
        os.set_blocking(written, False)
    os.dup2(written, _STDERR)
    os.close(written)

    def complaints() -> str:
        with suppress(BlockingIOError):
            os.write(_STDERR, b"\0")  # so that there is something to read
        return os.read(heard, _LONGEST).decode("ascii", "replace").strip("\0")

    try:
        yield complaints
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(heard)
