"""Work in the thread that computes, followed from a page: news while it runs, stopped on wish."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from assistant.errors import SettingsError, Stopped

T = TypeVar("T")
N = TypeVar("N")
MOST_SECONDS = 180.0
# All that computes runs in this one thread, the loading too: torch makes a team of helpers for
# every thread that computes, and with more of them than cores a draft takes twice as long.
MODEL = ThreadPoolExecutor(1, thread_name_prefix="wetread-model")
BETWEEN = 0.25  # seconds between two looks for news: a page is drawn no oftener


@dataclass(frozen=True, slots=True)
class JobProgress(Generic[N]):
    """The latest that the work has told."""

    told: N


@dataclass(frozen=True, slots=True)
class JobResult(Generic[T]):
    """The work's end."""

    result: T


def in_model_thread(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """What a call gives, made in the thread that computes; raises what it raises."""
    return MODEL.submit(work, *args, **options).result()


def follow_job(
    work: Callable[[Callable[[N], None]], T],
    stopped: threading.Event,
    seconds: float = MOST_SECONDS,
) -> Iterator[JobProgress[N] | JobResult[T]]:
    """Run `work(tell)` and give the latest it told, now and then, and its result at the end.

    Whoever sets `stopped`, or follows no more, stops the work at the next thing it tells. Raises
    what the work raised, Stopped among it, and SettingsError where it took more than `seconds`.
    """
    left = threading.Event()  # nobody follows any more
    told: queue.SimpleQueue[N] = queue.SimpleQueue()
    begun: list[float] = []

    def tell(news: N) -> None:
        if stopped.is_set() or left.is_set():
            raise Stopped("It was stopped.")
        if time.monotonic() > begun[0] + seconds:
            raise SettingsError(
                f"It took more than {seconds:.0f} s and was stopped; the machine may be busy, so "
                "try again later or ask for less."
            )
        told.put(news)

    def timed() -> T:
        begun.append(time.monotonic())
        return work(tell)

    running = MODEL.submit(timed)
    try:
        while not wait([running], timeout=BETWEEN).done:
            news = _latest(told)
            if news is not None:
                yield news
        yield JobResult(running.result())
    finally:
        left.set()


def _latest(told: queue.SimpleQueue[N]) -> JobProgress[N] | None:
    """The last of what was told meanwhile, if anything was."""
    news = None
    while not told.empty():
        news = JobProgress(told.get_nowait())  # nobody else takes from it
    return news
