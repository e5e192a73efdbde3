"""Adds cases to a library and prints each acknowledgement; made to be killed at any moment.

Run as `python library_adder.py FOLDER COUNT`. The film numbered i has a hash, a picture and a
vector that follow from i, so that who killed this process knows what must be found.
"""

import hashlib
import sys
import zlib
from pathlib import Path

import numpy as np

from retrieval import Library, NewCase

DIM = 16


def png(shade: int) -> bytes:
    """A PNG of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    head = (1).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes([0, shade]))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def film(i: int, **given: object) -> NewCase:
    """The i-th film; its picture is shared with every 250th other."""
    case = {
        "film_sha256": hashlib.sha256(f"film {i}".encode()).hexdigest(),
        "preview": png(i % 250),
        "embedding": np.random.default_rng(i).normal(size=DIM).astype(np.float32),
        "patient": f"patient-{i // 3}",
        "report": f"Report {i}.",
        "labels": (f"label {i % 5}",),
        "source": "even" if i % 2 == 0 else "odd",
    }
    return NewCase(**(case | given))


def main(folder: str, count: int) -> None:
    """Add the films 0 … count - 1 by every way there is, with rebuilds and searches between."""
    with Library.open(Path(folder), encoder="e1", dim=DIM) as library:
        print("open", flush=True)
        todo = [i for i in range(count) if not library.has(film(i).film_sha256)]
        middle = todo[: len(todo) // 2]
        for start in range(0, len(middle), 6):
            for i in middle[start : start + 6]:
                print(library.add(film(i)).case, flush=True)
            library.rebuild()
        for added in library.add_many(film(i) for i in todo[len(middle) :]):
            print(added.case, flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
