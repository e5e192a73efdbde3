"""Which films are of one study and which was taken first, told without naming either.

A film's study is kept as a hash and its date as a day, both under a secret of this process that is
stored nowhere: within the process two films can be compared, and nothing of the file can be had
back. This module knows no file format.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import date

_SECRET = secrets.token_bytes(32)
_FIRST_DAY = secrets.randbelow(1_000_000)
_DIGEST = re.compile(r"[0-9a-f]{32}")
_DATE = re.compile(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})")


def digest_of(study: str) -> str | None:
    """The hash of a study's own number; None for an empty one."""
    return hashlib.sha256(study.encode()).hexdigest()[:32] if study.strip("0. ") else None


def day_of(stated: str) -> int | None:
    """The number of a DICOM date's day; None for what is no date of a film."""
    found = _DATE.fullmatch(stated)
    try:
        day = date(*(int(part) for part in found.groups())) if found else None
    except ValueError:
        return None
    return day.toordinal() if day and day.year > 1895 else None  # the first film was taken then


def hidden_study(digest: object) -> str | None:
    """A hash of `digest_of` under this process's secret; None for anything else."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        return None
    return hashlib.blake2b(digest.encode(), digest_size=16, key=_SECRET).hexdigest()


def hidden_day(day: object) -> int | None:
    """A day of `day_of` counted from a secret one; None for anything else."""
    known = isinstance(day, int) and 0 < day <= date.max.toordinal()
    return day + _FIRST_DAY if isinstance(day, int) and known else None
