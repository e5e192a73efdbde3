"""Long work in a thread of its own, followed from a page: news while it runs, stopped on wish."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from assistant.errors import SettingsError, Stopped

T = TypeVar("T")
N = TypeVar("N")
MOST_SECONDS = 180.0
BETWEEN = 0.1  # seconds between two looks for news


@dataclass(frozen=True, slots=True)
class News(Generic[N]):
    """The latest that the work has told."""

    told: N


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The work's end."""

    result: T


def follow(
    work: Callable[[Callable[[N], None]], T],
    stopped: threading.Event,
    seconds: float = MOST_SECONDS,
) -> Iterator[News[N] | Done[T]]:
    """Run `work(tell)` and give the latest it told, now and then, and its result at the end.

    Whoever sets `stopped`, or follows no more, stops the work at the next thing it tells. Raises
    what the work raised, Stopped among it, and SettingsError where it took more than `seconds`.
    """
    left = threading.Event()  # nobody follows any more
    told: queue.SimpleQueue[N] = queue.SimpleQueue()
    until = time.monotonic() + seconds

    def tell(news: N) -> None:
        if stopped.is_set() or left.is_set():
            raise Stopped("It was stopped.")
        if time.monotonic() > until:
            raise SettingsError(
                f"It took more than {seconds:.0f} s and was stopped; the machine may be busy, so "
                "try again later or ask for less."
            )
        told.put(news)

    with_one = ThreadPoolExecutor(1, thread_name_prefix="wetread")
    running = with_one.submit(work, tell)
    try:
        while not running.done():
            news = _latest(told, BETWEEN)
            if news is not None:
                yield news
        yield Done(running.result())
    finally:
        left.set()
        with_one.shutdown(wait=False)


def _latest(told: queue.SimpleQueue[N], seconds: float) -> News[N] | None:
    """The last of what was told meanwhile, waiting for the first of it."""
    try:
        news = told.get(timeout=seconds)
    except queue.Empty:
        return None
    while not told.empty():
        news = told.get_nowait()  # nobody else takes from it
    return News(news)
