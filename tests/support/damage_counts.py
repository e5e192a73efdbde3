"""Count the damaged films that are read as other films: `python -m tests.support.damage_counts N`.

The table of docs/intake.md: N files for each format and kind of damage, made from a fixed seed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import numpy as np

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "support"), str(TESTS / "assistant" / "intake")]

from test_damage import damaged, whole_films  # noqa: E402 - after the paths

from assistant.intake.limits import RefusedFile  # noqa: E402
from assistant.intake.reading import reader_of  # noqa: E402

# Lengths in bytes, or as shares of the file; of a flipped bit it is the bit.
DAMAGE = {
    "cut": (1, 8, 64, 0.01, 0.1),
    "end": (0.1,),
    "zeros": (1, 8, 64, 0.01, 0.1),
    "bit": (0,),
}


def read(data: bytes) -> np.ndarray | None:
    """The pixels of a film, None where it is refused; without the process in between."""
    try:
        return reader_of(data)(data).pixels
    except RefusedFile:
        return None


def main(count: int) -> None:
    """Print for each format and damage: other films, of so many damaged files."""
    total = 0
    for kind, whole in whole_films().items():
        true, row = read(whole), []
        for how, lengths in DAMAGE.items():
            for length in lengths:
                random, tried, wrong = Random(5), 0, 0  # noqa: S311 - chance that repeats
                for _ in range(count):
                    size = int(length * len(whole)) if isinstance(length, float) else length
                    data = damaged(kind, how, random.random(), size or random.randrange(8))
                    if data != whole:
                        tried += 1
                        pixels = read(data)
                        wrong += pixels is not None and not np.array_equal(pixels, true)
                total += tried
                row.append(f"{how} {length}: {wrong}/{tried}")
        print(f"{kind}: {', '.join(row)}", flush=True)
    print(f"{total} files")


if __name__ == "__main__":
    main(int(sys.argv[1]))
