"""A flipped bit is never served: each answer is the right one or a refusal."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from library_adder import film
from library_model import agree, brute, filled, found, opened, short
from test_library_kill import kill_after, start

from retrieval import LibraryError, Verified, repair_library, verify_library

COUNT = 24
FLIPS = 100  # in the database; a quarter of it in each file of the index
Files = dict[str, bytes]


def files_of(folder: Path) -> Files:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lay(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def answers(folder: Path, limit: int) -> dict[str, object]:
    """What a library answers to every kind of question; a refusal is None."""
    given: dict[str, object] = {}
    try:
        library = opened(folder, exact_limit=limit)
    except LibraryError:
        return {}
    two, query = film(2), film(99).embedding
    with library:
        asked = {
            "near": lambda: library.search(query, 5),
            "exactly": lambda: library.search(two.embedding, 1),
            "of a source": lambda: library.search(query, 4, source="odd"),
            "of others": lambda: library.search(query, 20, exclude_patient="patient-1"),
            "without": lambda: library.search(two.embedding, 3, exclude_case=short(two)),
            "words": lambda: tuple(library.find([["label 3"]], source="even")),
            "newest": lambda: tuple(library.find([["report"]], most=7)),
            "all": lambda: tuple(library.cases()),
            "pictures": lambda: tuple(
                library.preview(short(film(i))) for i in range(COUNT)
            ),
            "vectors": lambda: tuple(
                library.embedding(short(film(i))).tobytes() for i in range(COUNT)
            ),
            "counts": lambda: (library.stats().cases, library.stats().sources),
        }  # fmt: skip
        for name, ask in asked.items():
            try:
                given[name] = ask()
            except LibraryError:
                given[name] = None
    return given


@pytest.mark.parametrize("limit", [20_000, 21])
def test_every_answer_after_a_flipped_bit_is_right_or_refused(tmp_path: Path, limit: int) -> None:
    filled(tmp_path / "whole", COUNT, exact_limit=limit)
    whole, right = files_of(tmp_path / "whole"), answers(tmp_path / "whole", limit)
    assert None not in right.values()
    chance = random.Random(limit)  # noqa: S311 (a test's dice)
    refused = 0
    for name, data in whole.items():
        for _ in range(FLIPS if name == "cases.sqlite" else FLIPS // 4):
            bit = chance.randrange(8 * len(data))
            lay(tmp_path / "hit", whole | {name: flipped(data, bit)})
            for question, answer in answers(tmp_path / "hit", limit).items():
                assert answer in (None, right[question]), f"{name}, bit {bit}: {question}"
                refused += answer is None
    assert refused


def test_verifying_names_every_damaged_row_and_a_repair_keeps_all_others(tmp_path: Path) -> None:
    cases = filled(tmp_path, COUNT)
    whole = verify_library(tmp_path)
    assert whole == Verified(COUNT, COUNT, COUNT, ())
    assert repair_library(tmp_path) == whole
    lost, blind, unseen = (short(film(i)) for i in range(3))
    with closing(sqlite3.connect(tmp_path / "cases.sqlite")) as database, database:
        database.execute("UPDATE cases SET report = 'Report 7.' WHERE id = ?", (lost,))
        database.execute(
            "UPDATE pictures SET png = x'00' "
            "WHERE number = (SELECT number FROM cases WHERE id = ?)",
            (blind,),
        )
        database.execute(
            "UPDATE embeddings SET vector = zeroblob(64) "
            "WHERE number = (SELECT number FROM cases WHERE id = ?)",
            (unseen,),
        )
    found_damage = verify_library(tmp_path)
    assert {(d.place, d.case) for d in found_damage.damages} == {
        ("case", None),
        ("picture", blind),
        ("vector", unseen),
    }
    repaired = repair_library(tmp_path)
    assert repaired.kept_aside is not None
    assert repaired.kept_aside.stat().st_mode & 0o777 == 0o600
    after = verify_library(tmp_path)
    assert [(d.place, d.case) for d in after.damages] == [("picture", blind)]  # it stays missing
    with opened(tmp_path) as library:
        assert {case.id for case in library.cases()} == set(cases) - {lost}
        assert [case.id for case, _ in library.stale()] == [unseen]
        assert library.add(film(0)).new
        library.add(film(2))
        assert library.add(film(1)).case == blind
        agree(found(library, film(99).embedding), brute(cases, film(99).embedding, 5))
        query = film(5).embedding  # patients are still known by their hashes
        others = brute(cases, query, 5, patient="patient-1")
        agree(found(library, query, exclude_patient="patient-1"), others)
    assert verify_library(tmp_path) == Verified(COUNT, COUNT, COUNT, ())


def test_after_any_flipped_bit_a_repair_serves_only_what_is_right(tmp_path: Path) -> None:
    filled(tmp_path / "whole", COUNT)
    whole = files_of(tmp_path / "whole")
    data, chance, repaired = whole["cases.sqlite"], random.Random(3), 0  # noqa: S311
    right = {short(film(i)): film(i) for i in range(COUNT)}
    for _ in range(FLIPS // 2):
        bit = chance.randrange(8 * len(data))
        lay(tmp_path / "hit", whole | {"cases.sqlite": flipped(data, bit)})
        try:
            if repair_library(tmp_path / "hit").damages:
                repaired += 1
                left = verify_library(tmp_path / "hit").damages
                assert {damage.place for damage in left} <= {"picture"}, bit  # missing, and said
            with opened(tmp_path / "hit") as library:
                for case in library.cases():
                    assert case.report == right[case.id].report
                    assert case.source == right[case.id].source
                for hit in library.search(film(99).embedding, 5):
                    vector = library.embedding(hit.case.id)
                    assert vector.tolist() == right[hit.case.id].embedding.tolist()
        except LibraryError as error:
            assert "backup" in str(error) or "newer" in str(error) or "not a library" in str(error)
    assert repaired


def test_an_unclean_end_with_a_damaged_log_is_refused_and_a_whole_one_is_not(
    tmp_path: Path,
) -> None:
    process = start(tmp_path / "whole", 200)
    kill_after(process, 25, 0.0)
    whole = files_of(tmp_path / "whole")
    log = whole["cases.sqlite-wal"]
    assert len(log) > 50_000
    chance, refused = random.Random(5), 0  # noqa: S311 (a test's dice)
    lay(tmp_path / "same", whole)
    with opened(tmp_path / "same") as library:
        held = {case.id for case in library.cases()}
    for _ in range(40):
        bit = chance.randrange(8 * len(log))
        lay(tmp_path / "hit", whole | {"cases.sqlite-wal": flipped(log, bit)})
        try:
            with opened(tmp_path / "hit") as library:
                assert {case.id for case in library.cases()} == held, bit
        except LibraryError as error:
            refused += "verify" in str(error)
    assert refused > 20  # the rest hit what was never committed
    repair_library(tmp_path / "hit")
    with opened(tmp_path / "hit") as library:
        assert {case.id for case in library.cases()} <= held


@pytest.mark.parametrize("text", ["Zebedee Quizzical has an effusion.", "CREATE TABLE embeddings"])
def test_no_error_quotes_what_the_library_holds_or_is_of_two_lines(
    tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "library"
    with opened(folder) as library:
        library.add(film(1, report="Zebedee Quizzical has an effusion."))
    database = folder / "cases.sqlite"
    data = database.read_bytes()
    place = data.index(text.encode()) + len(text) // 2
    database.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
    with pytest.raises(LibraryError) as caught, opened(folder) as library:
        library.get(short(film(1)))
    written = [str(caught.value), *(damage.fault for damage in verify_library(folder).damages)]
    assert len(written) > 1
    assert not any("Zebedee" in words or "\n" in words for words in written)
