"""Reads films ahead in worker processes while the backbone works.

This module knows files and processes, no model. A film whose decoding kills its process becomes a
failed study, and no worker outlives the process that started it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from assistant.drafting.sources import FailedStudy, FileSource, Source, as_study
from assistant.errors import IntakeError, SettingsError
from assistant.types import Film, Study

SHARED_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - not written to: only its free space is read


@dataclass(frozen=True, slots=True, eq=False)
class _SharedStudy:
    """A study that a worker read; the pixels of its films travel by shared memory."""

    study: Study
    memory: str | None  # the name of the block; None: the pixels are in the study
    shapes: tuple[tuple[int, int], ...]  # of the films, then of the earlier ones


def prefetch(
    sources: Iterable[Source | FailedStudy], workers: int, ahead: int
) -> Generator[Study | FailedStudy]:
    """The study of each source in order, or a `FailedStudy`.

    `workers` processes read files, at most `ahead` beyond those already taken; with 0 each file is
    read in this process when it is requested. Sources that are not files are passed on.
    """
    numbered = enumerate(sources)
    if workers:
        yield from _prefetch_in_processes(numbered, workers, max(ahead, workers + 1))
        return
    for number, source in numbered:
        yield _read_here(number, source)


def _read_here(number: int, source: Source | FailedStudy) -> Study | FailedStudy:
    if isinstance(source, FailedStudy):
        return replace(source, number=number)
    try:
        return as_study(source)
    except (IntakeError, SettingsError) as error:
        return FailedStudy(number, str(error))


def _prefetch_in_processes(
    numbered: Iterator[tuple[int, Source | FailedStudy]], workers: int, ahead: int
) -> Generator[Study | FailedStudy]:
    pool = _start_pool(workers)
    waiting: deque[tuple[int, Source | FailedStudy, Future[_SharedStudy | str] | None]] = deque()
    try:
        while True:
            for number, source in islice(numbered, ahead - len(waiting)):
                waiting.append((number, source, _submit(pool, source)))
            if not waiting:
                return
            number, source, future = waiting.popleft()
            if future is None:
                yield _read_here(number, source)
                continue
            try:
                result = future.result()
            except BrokenProcessPool:  # broken by this film or another: read this one again, alone
                pool.shutdown(wait=False)
                pool = _start_pool(workers)
                rest = [(n, s, f if _is_read(f) else _submit(pool, s)) for n, s, f in waiting]
                waiting = deque(rest)
                result = _read_alone(source)
            yield _receive_study(number, result)
    finally:
        pool.shutdown(cancel_futures=True)
        for _, _, future in waiting:
            if future is not None and _is_read(future):
                _receive_study(0, future.result())  # frees its shared memory


def _is_read(future: Future[_SharedStudy | str] | None) -> bool:
    """Whether there is nothing to read, or it was read before its worker ended."""
    if future is None:
        return True
    return future.done() and not future.cancelled() and future.exception() is None


def _submit(
    pool: ProcessPoolExecutor, source: Source | FailedStudy
) -> Future[_SharedStudy | str] | None:
    """Have a worker read files; None for a source that holds none."""
    parts = source if isinstance(source, list | tuple) else [source]
    if isinstance(source, FailedStudy) or all(isinstance(part, Film | Study) for part in parts):
        return None
    try:
        return pool.submit(_read_to_shared_memory, source)
    except BrokenProcessPool as error:  # raised when the result is taken
        future: Future[_SharedStudy | str] = Future()
        future.set_exception(error)
        return future


def _read_alone(source: Source | FailedStudy) -> _SharedStudy | str:
    with _start_pool(1) as pool:
        try:
            return pool.submit(_read_to_shared_memory, source).result()  # type: ignore[arg-type]
        except BrokenProcessPool:
            return f'"{_name_of(source)}" ended the process that decoded it: export the film anew.'


def _name_of(source: Source | FailedStudy) -> str:
    name = source.name if isinstance(source, FileSource) else None
    file = source.file if isinstance(source, FileSource) else source
    return name or (Path(file).name if isinstance(file, str | os.PathLike) else "film")


def _receive_study(number: int, result: _SharedStudy | str) -> Study | FailedStudy:
    """The study of a worker's result; the shared memory is copied and freed."""
    if isinstance(result, str):
        return FailedStudy(number, result)
    if result.memory is None:
        for film in _films_of(result.study):
            film.pixels.flags.writeable = False
        return result.study
    block = SharedMemory(result.memory)
    pixels, start = [], 0
    for shape in result.shapes:
        pixels.append(np.ndarray(shape, np.float32, buffer=block.buf, offset=4 * start).copy())
        pixels[-1].flags.writeable = False
        start += pixels[-1].size
    block.close()
    block.unlink()
    return _replace_pixels(result.study, pixels)


def _films_of(study: Study) -> tuple[Film, ...]:
    """The films of a study, then the earlier ones."""
    return study.films + (study.prior.films if study.prior else ())


def _replace_pixels(study: Study, pixels: Sequence[np.ndarray]) -> Study:
    """The study with the pixels of `_films_of`, in their order."""
    films = [replace(f, pixels=p) for f, p in zip(_films_of(study), pixels, strict=True)]
    count = len(study.films)
    prior = replace(study.prior, films=tuple(films[count:])) if study.prior else None
    return replace(study, films=tuple(films[:count]), prior=prior)


def _start_pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, because a process that has loaded torch must not be forked.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start_worker)


def _start_worker() -> None:
    """In a worker: exit with the process that started it, and leave Ctrl-C to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        watcher = threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True)
        watcher.start()


def _exit_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _read_to_shared_memory(source: Source) -> _SharedStudy | str:
    """In a worker: the study of a source, or the error's sentence."""
    try:
        study = as_study(source)
    except (IntakeError, SettingsError) as error:
        return str(error)
    pixels = [film.pixels for film in _films_of(study)]
    shapes = tuple((p.shape[0], p.shape[1]) for p in pixels)
    size = sum(p.nbytes for p in pixels)
    if not _has_room(size):
        return _SharedStudy(study, None, shapes)
    block = SharedMemory(create=True, size=size)
    joined = np.concatenate([p.ravel() for p in pixels])
    np.ndarray(joined.shape, np.float32, buffer=block.buf)[:] = joined
    block.close()
    empty = [np.empty((0, 0), np.float32)] * len(pixels)
    return _SharedStudy(_replace_pixels(study, empty), block.name, shapes)


def _has_room(size: int) -> bool:
    """Whether shared memory has room for `size` bytes: writing beyond it would end the process."""
    return (
        not SHARED_MEMORY_FOLDER.is_dir() or shutil.disk_usage(SHARED_MEMORY_FOLDER).free > 4 * size
    )
