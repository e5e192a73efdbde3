"""Checksums of what the database holds, so that a flipped bit is found when it is read.

CRC-32 finds every flipped bit and every burst of up to 32; it is no protection against a person,
who could write another one. A row's number is part of its checksum: a row that is found under
another's number does not fit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

_ENCODERS = 1024  # at most, in the sum of a vector and the twin of a change
_WORD = 0xFFFFFFFF


def sum_of_row(*cells: str | bytes | int | None) -> int:
    """The checksum of a row's cells, in the order of the table."""
    text = "\x1e".join(map(str, cells))
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def sum_of_vector(encoder: int, number: int, vector: bytes) -> int:
    """The checksum of a vector of one encoder under the number of its case."""
    return zlib.crc32(vector, (number * _ENCODERS + encoder) & _WORD)


def vectors_fit(
    encoder: int, numbers: Sequence[int], vectors: Sequence[bytes], sums: Sequence[int]
) -> bool:
    """Whether vectors of one encoder fit their checksums."""
    try:
        starts = [(number * _ENCODERS + encoder) & _WORD for number in numbers]
        return [*map(zlib.crc32, vectors, starts)] == [*sums]
    except TypeError:  # a bit of a row's header makes a text of a vector or a number
        return False


def sum_of_schema(salt: bytes, statements: Iterable[str | None]) -> int:
    """The checksum of the salt and of the statements that made the tables."""
    return sum_of_row(salt.hex(), *sorted(map(str, statements)))
