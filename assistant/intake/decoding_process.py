"""The process that decodes films: takes bytes, gives back pixels or a refusal, within limits.

Run as `python -m assistant.intake.decoding_process` by `decoding`, with which it talks over its
standard input and output. A request is a length and so many bytes. An answer is the length of a
JSON object, the object, and the pixels that it announces. It reads no file, opens no connection,
keeps nothing of a film, and ends when its input does.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import struct
import sys
import warnings
from typing import Any, BinaryIO

import numpy as np

from assistant.intake.limits import RefusedFile, memory_for, seconds_for
from assistant.intake.reading import reader_of
from assistant.intake.synthetic_mark import bears_mark

_LENGTH = struct.Struct("<Q")
_PATIENCE = 5.0  # seconds after which an idle process looks whether its parent lives
_LIMITED = sys.platform != "win32"  # elsewhere the parent alone watches the time


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    # What the libraries print, and what they say of a file, may hold a patient's name.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the parent sees to the end
    if _LIMITED:
        _forbid_files()
    requests, parent = sys.stdin.buffer, os.getppid()
    while True:
        _await_request(requests, parent)
        head = requests.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        (length,) = _LENGTH.unpack(head)
        _answer(requests.read(length), answers)


def _answer(data: bytes, answers: BinaryIO) -> None:
    """Send what is read from the bytes of a file."""
    pixels = np.empty(0, np.float32)
    try:
        read = reader_of(data)  # loads a library, perhaps: the film is not to blame for that
        _limit(len(data))
        picture = read(data)
        pixels = np.ascontiguousarray(picture.pixels, np.float32)
        answer: dict[str, Any] = {
            "shape": pixels.shape,
            "view": picture.view,
            "laterality": picture.laterality,
            "spacing_mm": picture.spacing_mm,
            "synthetic": picture.synthetic or bears_mark(pixels),
            "notes": picture.notes,
            "study": picture.study,
            "day": picture.day,
        }
    except RefusedFile as refusal:
        answer = {"refused": str(refusal)}
    except MemoryError:
        room = memory_for(len(data)) // 1_000_000
        answer = {"refused": f"takes over {room} MB of memory to decode: give a smaller copy"}
    finally:
        _limit(None)
    words = json.dumps(answer).encode("ascii")
    answers.write(_LENGTH.pack(len(words)) + words)
    answers.write(pixels.reshape(-1).view(np.uint8).data)
    answers.flush()


def _await_request(requests: BinaryIO, parent: int) -> None:
    """Wait for input, and end where the parent has died and another process holds its pipe."""
    if _LIMITED:
        while not select.select([requests], [], [], _PATIENCE)[0]:
            if os.getppid() != parent:
                sys.exit()


def _forbid_files() -> None:
    """Let this process write no file and leave no image of its memory."""
    import resource

    # Without the signal a write of a compiled module fails, which the import does not mind.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit(size: int | None) -> None:
    """Limit memory and processor time for a file of `size` bytes, or lift the limits again.

    Who needs more memory gets a MemoryError; who needs more time is ended by SIGPROF.
    """
    if not _LIMITED:
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    room = most if size is None else memory_for(size)
    if most != resource.RLIM_INFINITY:  # what starts this program may limit it further
        room = min(room, most)
    resource.setrlimit(resource.RLIMIT_DATA, (room, most))
    signal.setitimer(signal.ITIMER_PROF, 0 if size is None else seconds_for(size))


if __name__ == "__main__":
    main()
