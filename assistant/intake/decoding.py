"""Has files decoded in processes of their own, which are limited, ended and replaced.

Films come from strangers, and decoders are written in C: one that is sent into an endless loop,
asks for all memory or breaks off takes nobody else's work with it. A process decodes one film
after another, several processes several at once. What they send back is checked and is pixels
and a few words; nothing of theirs is run here.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.intake.limits import MAX_PIXELS, Picture, RefusedFile, seconds_for
from assistant.intake.notes import NOTES
from assistant.intake.study_marks import hidden_day, hidden_study

MOST = max(2, min(4, os.cpu_count() or 1))  # processes at a time
FILMS = 5000  # that a process decodes before another takes its place
_SLOWEST = 15  # times the processor time: what a film may take by the clock, on a busy machine
_PIPE = 1 << 20  # bytes that a pipe holds, where that can be chosen
_LENGTH = struct.Struct("<Q")
_LONGEST = 1 << 16  # bytes of the words of an answer
_SENTENCE = 300  # characters
_TERM = re.compile("[A-Z]{1,16}")
_BY_TIME = {-getattr(signal, name, 0) for name in ("SIGPROF", "SIGKILL")}
# No answer, or none that this program's decoder gives: whatever has taken it over is ended.
_NO_ANSWER = (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError)
# What a decoder needs of the environment; passwords and keys are none of it.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONHOME", "LANG")


def decode_bytes(data: bytes) -> Picture:
    """Read the film in a file's bytes, in another process.

    Raises `RefusedFile`, also for a file that takes too long, or ends the process.
    """
    with _decoders(os.getpid()).borrow() as process:
        return process.decode(data)


def start_decoder() -> None:
    """Start a process that decodes, so that it is ready by the time the first film comes."""
    with suppress(RefusedFile):  # no process starts: the film will say so
        _decoders(os.getpid()).start()


def close_decoders() -> None:
    """End the processes that decode; the next film starts one again."""
    _decoders(os.getpid()).close(os.getpid())


@cache
def _decoders(pid: int) -> DecoderPool:
    """The decoders of this process; a forked one has its own."""
    decoders = DecoderPool()
    atexit.register(decoders.close, pid)
    return decoders


class DecoderPool:
    """The decoding processes: up to `MOST`, started when they are needed."""

    def __init__(self) -> None:
        self._room = threading.Semaphore(MOST)
        self._lock = threading.Lock()  # of the list alone; never held while a film is decoded
        self._idle: list[DecodingProcess] = []

    @contextmanager
    def borrow(self) -> Iterator[DecodingProcess]:
        """A process for one film; waits while all are at work."""
        with self._room:
            process = self._take() or DecodingProcess()
            try:
                yield process
            finally:
                if process.is_well():
                    with self._lock:
                        self._idle.append(process)
                else:
                    process.close()

    def start(self) -> None:
        """Start a process ahead of the films, unless there is one."""
        with self._lock:
            if not self._idle:
                self._idle.append(DecodingProcess())

    def close(self, pid: int) -> None:
        """End the idle processes, if this is the process that started them."""
        if os.getpid() == pid:
            while process := self._take():
                process.close()

    def _take(self) -> DecodingProcess | None:
        """An idle process, if there is one."""
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None or process.is_well():
                return process
            process.close()  # something has ended it


class DecodingProcess:
    """One process that decodes, from its start to its end."""

    def __init__(self) -> None:
        here = str(Path(__file__).resolve().parents[2])
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
            "PYTHONPATH": os.pathsep.join(filter(None, [here, *sys.path])),
            "OMP_NUM_THREADS": "1",  # numpy's further ones would take up memory and do nothing
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "assistant.intake.decoding_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=environment,
            )
        except OSError:
            raise RefusedFile("cannot be decoded now, as no process starts: try again") from None
        self._requests: Any = self._process.stdin
        self._answers: Any = self._process.stdout
        self._films = 0
        self._busy = False  # in the midst of a film, and of no further use if that was left
        for pipe in (self._requests, self._answers):
            _widen(pipe)

    def is_well(self) -> bool:
        """Whether it can take another film."""
        return not self._busy and self._films < FILMS and self._process.poll() is None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()

    def decode(self, data: bytes) -> Picture:
        """Have a file's bytes read; raises `RefusedFile`."""
        self._busy = True
        patience = _SLOWEST * seconds_for(len(data))
        watch, began = threading.Timer(patience, self._process.kill), time.monotonic()
        watch.daemon = True
        watch.start()
        try:
            answer = self._ask(data)
        except _NO_ANSWER:
            late = time.monotonic() - began >= patience
            raise RefusedFile(self._ending(patience if late else seconds_for(len(data)))) from None
        finally:
            watch.cancel()
        self._films += 1
        self._busy = False
        if isinstance(answer, str):
            raise RefusedFile(answer)
        return answer

    def _ask(self, data: bytes) -> Picture | str:
        """Send a file's bytes; returns the film, or why there is none."""
        for part in (_LENGTH.pack(len(data)), data):
            left = memoryview(part)
            while left:
                left = left[self._requests.write(left) :]
        head = _receive(self._answers, bytearray(_LENGTH.size))
        (length,) = _LENGTH.unpack(head)
        if length > _LONGEST:
            raise EOFError
        answer = json.loads(_receive(self._answers, bytearray(length)))
        if "refused" in answer:
            return "".join(c for c in answer["refused"] if c.isprintable())[:_SENTENCE]
        rows, columns = answer["shape"]
        if not 0 <= rows * columns <= MAX_PIXELS:
            raise EOFError
        pixels = np.empty((rows, columns), np.float32)
        _receive(self._answers, pixels.reshape(-1).view(np.uint8).data)
        return _picture_of(answer, pixels)

    def _ending(self, seconds: float) -> str:
        """Why the process has ended, as the end of a sentence."""
        self._process.kill()
        if self._process.wait() in _BY_TIME:
            return f"takes over {seconds:.0f} seconds to decode: give a smaller copy"
        return "makes its decoder break off: fetch or export it again"


def _receive(pipe: Any, room: Any) -> Any:
    """Fill `room` from a pipe; raises EOFError where the pipe ends before."""
    left = memoryview(room)
    while left:
        count = pipe.readinto(left)
        if not count:
            raise EOFError
        left = left[count:]
    return room


def _picture_of(answer: dict[str, Any], pixels: np.ndarray) -> Picture:
    """What a process has sent, as far as it may be sent."""
    terms = [answer.get(word) for word in ("view", "laterality")]
    view, laterality = (t if isinstance(t, str) and _TERM.fullmatch(t) else None for t in terms)
    spacing = answer.get("spacing_mm")
    return Picture(
        pixels,
        view=view,
        laterality=laterality,
        spacing_mm=(float(spacing[0]), float(spacing[1])) if spacing else None,
        synthetic=bool(answer.get("synthetic")),
        notes=tuple(note for note in NOTES if note in answer.get("notes", ())),
        study=hidden_study(answer.get("study")),
        day=hidden_day(answer.get("day")),
    )


def _widen(pipe: Any) -> None:
    """Let a pipe hold more, where that can be chosen: fewer turns from process to process."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # a user may have no more room for pipes
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
