"""Jobs in the model's thread, followed from a page: progress while they run, stopped on request."""

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
MAX_SECONDS = 180.0
# All computing runs in this one thread, loading too: torch starts a thread pool for every thread
# that computes, and with more threads than cores a draft takes twice as long.
MODEL_THREAD = ThreadPoolExecutor(1, thread_name_prefix="wetread-model")
POLL_SECONDS = 0.25  # between two updates of a page


@dataclass(frozen=True, slots=True)
class JobProgress(Generic[N]):
    """The latest value that the job has reported."""

    latest: N


@dataclass(frozen=True, slots=True)
class JobResult(Generic[T]):
    """The job's result."""

    result: T


def in_model_thread(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call `work` in the model's thread; returns what it returns, raises what it raises."""
    return MODEL_THREAD.submit(work, *args, **options).result()


def follow_job(
    work: Callable[[Callable[[N], None]], T],
    stopped: threading.Event,
    seconds: float = MAX_SECONDS,
) -> Iterator[JobProgress[N] | JobResult[T]]:
    """Run `work(report)`; yield the latest value that it reports, and its result at the end.

    Setting `stopped`, or closing this generator, stops the work when it next reports. Raises what
    the work raises, Stopped among it, and SettingsError where it took more than `seconds`.
    """
    abandoned = threading.Event()  # set when the generator is closed
    updates: queue.SimpleQueue[N] = queue.SimpleQueue()
    started: list[float] = []

    def report(value: N) -> None:
        if stopped.is_set() or abandoned.is_set():
            raise Stopped("It was stopped.")
        if time.monotonic() > started[0] + seconds:
            raise SettingsError(
                f"It took more than {seconds:.0f} s and was stopped; the machine may be busy, so "
                "try again later or ask for less."
            )
        updates.put(value)

    def run() -> T:
        started.append(time.monotonic())
        return work(report)

    running = MODEL_THREAD.submit(run)
    try:
        while not wait([running], timeout=POLL_SECONDS).done:
            progress = _latest_progress(updates)
            if progress is not None:
                yield progress
        yield JobResult(running.result())
    finally:
        abandoned.set()


def _latest_progress(updates: queue.SimpleQueue[N]) -> JobProgress[N] | None:
    """The last value reported since the last call; None where there is none."""
    progress = None
    while not updates.empty():
        progress = JobProgress(updates.get_nowait())  # nobody else takes from it
    return progress
