"""Real films packed into one file, each with the condition that its report or labels state."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from adapters.data.real_arrays import read_square
from adapters.generator.conditions import (
    Condition,
    PlacedClaim,
    encode,
    without_repeats,
)
from assistant.chest.vocabulary import NORMAL
from assistant.types import Assertion

QUALITY = 90  # of the packed films
HELD_OUT = 0.3  # of the patients of sets that have no split of their own
WOMAN = re.compile(r"\b(female|woman|lady)\b", re.IGNORECASE)
MAN = re.compile(r"\b(male|man|gentleman)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RealFilm:
    """A real film that the generator may learn from, or is measured on."""

    image: Path
    condition: Condition
    shape: tuple[int, int] | None  # true columns and rows, where the file is squeezed


@dataclass(frozen=True, slots=True, eq=False)
class RealFilms:
    """Unpacked films; N of them."""

    films: np.ndarray  # uint8 (N, 256, 256)
    tokens: np.ndarray  # int16 (N, LENGTH, COLUMNS)
    boxes: np.ndarray  # float16 (N, LENGTH, 4)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def is_held_out(patient: str) -> bool:
    """Whether a patient of a set without splits is kept for measuring."""
    digest = hashlib.sha256(patient.encode()).digest()
    return digest[0] / 256 < HELD_OUT


def _number(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() else None


def openi_films(folder: Path, splits: tuple[str, ...]) -> Iterator[RealFilm]:
    """Frontal films of Open-i with what their reports claim."""
    # The labeller is needed here alone.
    from assistant.labeller.sentences import parse_sentences

    for row in _rows(folder):
        if row["split"] not in splits or row["view"] == "LL":
            continue
        claims = [a for s in parse_sentences(row["report"]) for a in s.assertions]
        born, taken = _number(row["birth"]), _number(row["study"])
        words = f"{row['indication']} {row['findings']}"
        sex = "F" if WOMAN.search(words) else "M" if MAN.search(words) else None
        condition = Condition(
            style="openi",
            view=row["view"] or None,
            age=None if born is None or taken is None else taken - born,
            sex=sex,
            claims=without_repeats(claims),
        )
        columns, height = _number(row["original_columns"]), _number(row["original_rows"])
        shape = (int(columns), int(height)) if columns and height else None
        yield RealFilm(folder / row["image"], condition, shape)


def nih_films(folder: Path, *, held_out: bool) -> Iterator[RealFilm]:
    """Films of ChestX-ray14 with their official labels."""
    from assistant.labeller.labeller import find_assertions

    for row in _rows(folder):
        if is_held_out(row["patient"]) != held_out:
            continue
        names = row["labels"].replace("_", " ").split("|")
        claims = [a for name in names for a in find_assertions(name.lower())]
        if "No Finding" in names:
            claims = [Assertion(NORMAL)]
        condition = Condition(
            style="nih",
            view=row["view"],
            age=_number(row["age"]),
            sex=row["sex"],
            claims=tuple(PlacedClaim(claim) for claim in dict.fromkeys(claims)),
        )
        yield RealFilm(folder / row["image"], condition, None)


def hannover_films(folder: Path, *, held_out: bool) -> Iterator[RealFilm]:
    """Films of the Hannover Medical School, of which view and sex are known."""
    for row in _rows(folder):
        if is_held_out(row["patient"]) == held_out:
            condition = Condition(
                style="hannover", view=row["view"].upper(), sex=row["sex"].upper() or None
            )
            yield RealFilm(folder / row["image"], condition, None)


def training_films(data: Path) -> list[RealFilm]:
    """All real films that what ships may learn from: no validation film of Open-i."""
    return [
        *openi_films(data / "openi", ("train", "extra")),
        *nih_films(data / "nih", held_out=False),
        *hannover_films(data / "hannover", held_out=False),
    ]


def pack(films: list[RealFilm], path: Path) -> None:
    """Write films and conditions into one file, without any name of a file or patient."""
    rows = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, film in enumerate(films):
            buffer = io.BytesIO()
            Image.fromarray(read_square(film.image, film.shape)).save(
                buffer, "WEBP", quality=QUALITY, method=5
            )
            archive.writestr(f"{number:05d}.webp", buffer.getvalue())
            tokens, boxes = encode(film.condition)
            rows.append({"tokens": tokens.tolist(), "boxes": boxes.tolist()})
        archive.writestr("conditions.json", json.dumps(rows), zipfile.ZIP_DEFLATED)


def unpack(path: Path) -> RealFilms:
    """Read what `pack` has written."""
    with zipfile.ZipFile(path) as archive:
        rows = json.loads(archive.read("conditions.json"))
        blobs = [archive.read(f"{number:05d}.webp") for number in range(len(rows))]
    with ThreadPoolExecutor(8) as pool:
        films = list(pool.map(_decoded, blobs))
    return RealFilms(
        np.stack(films),
        np.array([row["tokens"] for row in rows], np.int16),
        np.array([row["boxes"] for row in rows], np.float16),
    )


def _decoded(blob: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(blob)).convert("L"))


def main(arguments: list[str] | None = None) -> int:
    """Pack the real films of a folder of data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    films = training_films(given.data)
    pack(films, given.out)
    sys.stdout.write(
        f"{len(films)} films packed into {given.out}: {given.out.stat().st_size} bytes\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
