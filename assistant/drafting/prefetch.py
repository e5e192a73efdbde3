"""Films are read ahead, in processes of their own, while the backbone works.

Knows files and processes, no model. A film whose decoding kills its process is a failed study,
and no process outlives the one that started it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from assistant.drafting.sources import FailedStudy, FileSource, Source, as_study
from assistant.errors import IntakeError
from assistant.types import Film, Study

SHARED = Path("/dev/shm")  # noqa: S108 - not written to: looked at for how much it holds


@dataclass(frozen=True, slots=True, eq=False)
class _SharedStudy:
    """A study on its way from the process that read it; its pixels go by shared memory."""

    study: Study
    memory: str | None  # the name of the block; None: the pixels are in the study
    shape: tuple[int, int]


def prefetch(
    sources: Iterable[Source | FailedStudy], workers: int, ahead: int
) -> Generator[Study | FailedStudy]:
    """The study of each source in order, or why there is none.

    `workers` processes read files, at most `ahead` beyond what has been taken; with 0 they are
    read here when they are asked for. What is no file any more goes through.
    """
    numbered = enumerate(sources)
    if workers:
        yield from _from_processes(numbered, workers, max(ahead, workers + 1))
        return
    for number, source in numbered:
        yield _read_here(number, source)


def _read_here(number: int, source: Source | FailedStudy) -> Study | FailedStudy:
    if isinstance(source, FailedStudy):
        return replace(source, number=number)
    try:
        return as_study(source)
    except IntakeError as error:
        return FailedStudy(number, str(error))


def _from_processes(
    numbered: Iterator[tuple[int, Source | FailedStudy]], workers: int, ahead: int
) -> Generator[Study | FailedStudy]:
    pool = _pool(workers)
    waiting: deque[tuple[int, Source | FailedStudy, Future[_SharedStudy | str] | None]] = deque()
    try:
        while True:
            for number, source in islice(numbered, ahead - len(waiting)):
                waiting.append((number, source, _submitted(pool, source)))
            if not waiting:
                return
            number, source, future = waiting.popleft()
            if future is None:
                yield _read_here(number, source)
                continue
            try:
                got = future.result()
            except BrokenProcessPool:  # by this film or another: it is read again, alone
                pool.shutdown(wait=False)
                pool = _pool(workers)
                rest = [(n, s, f if _is_read(f) else _submitted(pool, s)) for n, s, f in waiting]
                waiting = deque(rest)
                got = _read_alone(source)
            yield _received(number, got)
    finally:
        pool.shutdown(cancel_futures=True)
        for _, _, future in waiting:
            if future is not None and _is_read(future):
                _received(0, future.result())  # lets go of its memory


def _is_read(future: Future[_SharedStudy | str] | None) -> bool:
    """Whether there is nothing to read, or it was read before its process ended."""
    if future is None:
        return True
    return future.done() and not future.cancelled() and future.exception() is None


def _submitted(
    pool: ProcessPoolExecutor, source: Source | FailedStudy
) -> Future[_SharedStudy | str] | None:
    """The reading of a file; None for what is no file."""
    if isinstance(source, Film | Study | FailedStudy):
        return None
    try:
        return pool.submit(_read, source)
    except BrokenProcessPool as error:  # noticed when its turn comes
        future: Future[_SharedStudy | str] = Future()
        future.set_exception(error)
        return future


def _read_alone(source: Source | FailedStudy) -> _SharedStudy | str:
    with _pool(1) as pool:
        try:
            return pool.submit(_read, source).result()  # type: ignore[arg-type]
        except BrokenProcessPool:
            return f'"{_name_of(source)}" ended the process that decoded it: export the film anew.'


def _name_of(source: Source | FailedStudy) -> str:
    named = source.name if isinstance(source, FileSource) else None
    file = source.file if isinstance(source, FileSource) else source
    return named or (Path(file).name if isinstance(file, str | os.PathLike) else "film")


def _received(number: int, got: _SharedStudy | str) -> Study | FailedStudy:
    """What was sent; a block of shared memory is copied and given back."""
    if isinstance(got, str):
        return FailedStudy(number, got)
    if got.memory is None:
        got.study.films[0].pixels.flags.writeable = False
        return got.study
    block = SharedMemory(got.memory)
    pixels = np.ndarray(got.shape, np.float32, buffer=block.buf).copy()
    pixels.flags.writeable = False
    block.close()
    block.unlink()
    return _with_pixels(got.study, pixels)


def _with_pixels(study: Study, pixels: np.ndarray) -> Study:
    return replace(study, films=(replace(study.films[0], pixels=pixels),))


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, because a process that has loaded torch must not be forked.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_begin)


def _begin() -> None:
    """In a reading process: end with the one that started it, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        watch = threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True)
        watch.start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _read(source: Source) -> _SharedStudy | str:
    """In a reading process: the study of a file, or the sentence that says why there is none."""
    try:
        study = as_study(source)
    except IntakeError as error:
        return str(error)
    pixels = study.films[0].pixels
    shape = (pixels.shape[0], pixels.shape[1])
    if not _has_room(pixels.nbytes):
        return _SharedStudy(study, None, shape)
    block = SharedMemory(create=True, size=pixels.nbytes)
    np.ndarray(shape, np.float32, buffer=block.buf)[:] = pixels
    block.close()
    return _SharedStudy(_with_pixels(study, np.empty((0, 0), np.float32)), block.name, shape)


def _has_room(size: int) -> bool:
    """Whether shared memory holds so many bytes: writing beyond it would end the process."""
    return not SHARED.is_dir() or shutil.disk_usage(SHARED).free > 4 * size
