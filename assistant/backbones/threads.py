"""In how many threads a model computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(little: bool = True) -> Iterator[None]:
    """Context in which torch computes in one thread, where there is `little` to compute.

    Threads wait for each other at the end of every product. For small ones that costs as much as
    it gains, and on a busy machine, where the other thread may not be running, ten to a hundred
    times as much, all of it processor time.
    """
    threads = torch.get_num_threads()
    if not little or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
