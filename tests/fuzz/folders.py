"""Archives and libraries, damaged: what they held, or a refusal."""

from __future__ import annotations

import functools
import io
import shutil
import tempfile
import zipfile
from pathlib import Path
from random import Random

from assistant.errors import LibraryError, WetreadError
from assistant.intake.zips import unpack
from retrieval import Library
from tests.fuzz.films import whole_films
from tests.fuzz.mutations import ODD_TEXTS, mutate
from tests.fuzz.outcomes import Outcome, check_refusal
from tests.support.library_adder import DIM, film

CASES = 6
ENCODER = "fuzz"


def fuzz_zip(random: Random, folder: Path) -> Outcome:
    """Unpack a mutated archive, or a whole one whose entries bear odd names."""
    films = whole_films()
    names = [f"{kind}.film" for kind in films]
    if random.random() < 0.3:
        names[0] = random.choice(ODD_TEXTS)[:200].replace("\x00", "0") or "film"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in zip(names[:4], films.values(), strict=False):
            archive.writestr(name, data)
    data = file.getvalue()
    if random.random() < 0.8:
        _, data = mutate(data, random)
    path = folder / "films.zip"
    path.write_bytes(data)
    inside = folder / "inside"
    inside.mkdir()
    try:
        unpack(path, inside)
    except WetreadError as error:
        assert not any(inside.iterdir()), "a refused archive left files"
        return check_refusal(error)
    assert {entry.name for entry in folder.iterdir()} == {"films.zip", "inside"}
    for entry in inside.rglob("*"):
        assert not entry.is_symlink()
        if entry.is_file():
            data = entry.read_bytes()  # an archive may truly say of an entry that it is empty
            assert not data or data in films.values(), "an entry came out as another film"
    return "read"


@functools.cache
def _library() -> tuple[Path, dict[str, tuple[object, bytes]], list[tuple[str, float]]]:
    """A whole library's folder, what it holds by case, and what a search finds."""
    folder = Path(tempfile.mkdtemp(prefix="wetread-fuzz-library-"))
    with Library.open(folder, encoder=ENCODER, dim=DIM) as library:
        for number in range(CASES):
            library.add(film(number))
        held = {case.id: (case, library.preview(case.id)) for case in library.cases()}
        hits = [(hit.case.id, hit.similarity) for hit in library.search(film(99).embedding, 4)]
    return folder, held, hits


def fuzz_library(random: Random, folder: Path) -> Outcome:
    """Search a library one of whose files is mutated or gone."""
    whole, held, hits = _library()
    copy = folder / "library"
    shutil.copytree(whole, copy)
    files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
    victim = random.choice(files)
    if random.random() < 0.05:
        victim.unlink()
    else:
        _, data = mutate(victim.read_bytes(), random)
        victim.write_bytes(data)
    try:
        with Library.open(copy, encoder=ENCODER, dim=DIM, create=False) as library:
            found = [(hit.case.id, hit.similarity) for hit in library.search(film(99).embedding, 4)]
            assert found == hits, "another neighbour was found"
            for case in library.cases():
                assert (case, library.preview(case.id)) == held[case.id], "another case was served"
    except LibraryError as error:
        return check_refusal(error)
    return "read"
