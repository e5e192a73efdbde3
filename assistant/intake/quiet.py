"""Keeps what the reading libraries would say about a file out of logs and warnings.

pydicom quotes attribute values in its warnings, and Pillow logs the text of TIFF and EXIF tags,
so either could carry a name out of the file. This module knows no file format.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("pydicom", "pylibjpeg", "libjpeg", "openjpeg", "rle", "PIL")

# `warnings.catch_warnings` swaps process-wide state and puts it back: two threads inside it at
# once could leave the warnings of the whole process switched off, so one thread at a time.
_ONE_AT_A_TIME = threading.Lock()


class _Silence(logging.Filter):
    """Drops the records of one thread; another thread's own use of pydicom is not our affair."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self.thread


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the loggers and warnings of pydicom, pylibjpeg and Pillow in this thread's block.

    Everything is as it was afterwards, also after an error.
    """
    # A filter on a parent logger does not see the records of its children: visit each of them.
    loggers = [
        logging.getLogger(name)
        for name in list(logging.root.manager.loggerDict)
        if name.split(".")[0] in _TALKERS
    ]
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hush = _Silence()
        for logger in loggers:
            logger.addFilter(hush)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(hush)
