"""The library agrees with a plain model of it, and keeps what it was given."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_adder import DIM, film, png
from library_model import agree, brute, filled, found, opened, short
from library_versions import as_version_1, as_version_2

from retrieval import Added, Library, LibraryError, NewCase

SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


OPERATION = st.tuples(
    st.sampled_from(["add", "add", "add", "many", "remove", "search", "reopen", "rebuild"]),
    st.integers(0, 40),
)


@SLOW
@given(st.lists(OPERATION, max_size=40), st.sampled_from([5, 20_000]))
def test_any_order_of_operations_agrees_with_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("library")
    model: dict[str, NewCase] = {}
    library = opened(folder, exact_limit=limit)
    for name, i in [*operations, ("search", 1), ("reopen", 0), ("search", 2)]:
        # Every vector comes twice, so that ties are the rule.
        case = film(i, embedding=film(i // 2).embedding)
        if name == "add":
            assert library.add(case) == Added(short(case), short(case) not in model)
            model.setdefault(short(case), case)
        elif name == "many":
            for one in (film(j, embedding=film(j // 2).embedding) for j in range(i, i + 9)):
                assert [a.case for a in library.add_many([one])] == [short(one)]
                model.setdefault(short(one), one)
        elif name == "remove":
            if short(case) in model:
                library.remove(short(case))
                del model[short(case)]
            else:
                with pytest.raises(LibraryError):
                    library.remove(short(case))
        elif name == "reopen":
            library.close()
            library = opened(folder, exact_limit=limit)
        elif name == "rebuild":
            library.rebuild()
        else:
            query = film(1000 + i).embedding
            agree(found(library, query, i), brute(model, query, i))
            agree(
                found(library, query, 4, exclude_patient=case.patient, source="odd"),
                brute(model, query, 4, patient=case.patient, source="odd"),
            )
            agree(
                found(library, case.embedding, 3, exclude_case=short(case)),
                brute(model, case.embedding, 3, case=short(case)),
            )
    assert library.stats().cases == len(model)
    assert {case.id for case in library.cases()} == set(model)
    library.close()
    shutil.rmtree(folder)


def test_the_same_film_twice_is_one_case_with_its_first_report(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        first = library.add(film(1))
        again = library.add(film(1, report="Another.", source="elsewhere", preview=png(9)))
        assert (first.new, again.new, first.case) == (True, False, again.case)
        assert list(library.add_many([film(1), film(2), film(2)]))[2].new is False
        assert library.get(first.case).report == "Report 1."
        assert library.preview(first.case) == png(1)
        assert library.stats().cases == 2


def test_removing_a_case_leaves_nothing_of_it_and_others_their_picture(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        one = library.add(film(0, report="A most peculiar finding."))
        two = library.add(film(250))
        assert film(0).preview == film(250).preview
        library.remove(one.case)
        assert library.preview(two.case) == film(0).preview
        with pytest.raises(LibraryError, match="no case"):
            library.get(one.case)
        library.remove(two.case)
    left = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
    assert b"peculiar" not in left
    assert film(0).preview not in left


def test_no_raw_patient_id_is_in_any_byte_or_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "MRN-7741-Zyx"  # noqa: S105 (a patient id)
    caplog.set_level("DEBUG")
    library = opened(tmp_path)
    case = film(1, patient=secret, report=f"Patient {secret}: clear.", source=f"x {secret}")
    assert secret not in repr(dataclasses.replace(case, report="", source=""))
    added = library.add(case)
    assert library.get(added.case).report == "Patient [patient]: clear."
    assert library.search(case.embedding, exclude_patient=secret) == ()
    library.rebuild()
    for moment in ("open", "closed"):
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any(path.name.endswith("-wal") for path in files) == (moment == "open")
        for path in files:
            assert secret not in str(path)
            assert secret.lower().encode() not in path.read_bytes().lower()
        library.close()
    assert secret not in caplog.text


def test_two_libraries_hash_one_patient_differently(tmp_path: Path) -> None:
    keys = set()
    for name in "ab":
        with opened(tmp_path / name) as library:
            keys.add(library.get(library.add(film(1)).case).patient)
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embedding": np.zeros(DIM)}, "zero"),
        ({"embedding": np.full(DIM, np.nan)}, "finite"),
        ({"embedding": np.full(DIM, 1e300)}, "finite"),
        ({"embedding": np.ones(DIM + 1)}, "shape"),
        ({"embedding": np.ones((1, DIM))}, "shape"),
        ({"embedding": np.array(["a"] * DIM)}, "type"),
        ({"film_sha256": "../../x"}, "SHA-256"),
        ({"film_sha256": "A" * 64}, "SHA-256"),
        ({"film_sha256": film(0).film_sha256[:16] + "0" * 48}, "Another film"),
        ({"preview": b""}, "PNG"),
        ({"preview": b"\xff\xd8\xff"}, "PNG"),
        ({"preview": png(0)[:-12] + b"\0\0\0\1tEXtD\0\0\0\0" + png(0)[-12:]}, "tEXt"),
        ({"preview": png(0) + bytes(1 << 20)}, "smaller"),
        ({"report": "\ud800"}, "surrogate"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    tmp_path: Path, change: dict, words: str
) -> None:
    with opened(tmp_path) as library:
        library.add(film(0))
        bad = dataclasses.replace(film(5), **change)
        with pytest.raises(LibraryError, match=words):
            library.add(bad)
        coming = library.add_many([film(1), bad, film(2)])
        if words != "Another film":  # found out only beside the others: its batch is refused
            assert next(coming) == Added(short(film(1)), True)
        with pytest.raises(LibraryError, match=words):
            next(coming)
        stats = library.stats()
        assert stats.cases == stats.embedded == (1 if words == "Another film" else 2)


def test_a_newer_a_foreign_or_a_damaged_database_is_refused_untouched(tmp_path: Path) -> None:
    filled(tmp_path / "newer", 3)
    with sqlite3.connect(tmp_path / "newer" / "cases.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    for name in ("foreign", "damaged"):
        (tmp_path / name).mkdir()
    with sqlite3.connect(tmp_path / "foreign" / "cases.sqlite") as database:
        database.execute("CREATE TABLE t (a)")
    (tmp_path / "damaged" / "cases.sqlite").write_bytes(b"not a database at all" * 100)
    words = {"newer": "newer Wetread", "foreign": "not a library", "damaged": "damaged"}
    for name, said in words.items():
        path = tmp_path / name / "cases.sqlite"
        before = path.read_bytes()
        with pytest.raises(LibraryError, match=said):
            opened(tmp_path / name)
        assert path.read_bytes() == before


def test_one_encoder_has_one_length(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    with pytest.raises(LibraryError, match="16 numbers"):
        Library.open(tmp_path, encoder="e1", dim=8)


def test_a_library_that_is_not_there_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no library"):
        Library.open(tmp_path / "no", encoder="e", dim=2, create=False)
    assert not (tmp_path / "no").exists()
    library = opened(tmp_path / "yes")
    library.close()
    library.close()
    with pytest.raises(LibraryError, match="closed"):
        library.search(film(0).embedding)


def test_a_lost_picture_is_said_and_adding_the_film_brings_it_back(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        case = library.add(film(1)).case
        for damage in ("UPDATE pictures SET png = x'00'", "DELETE FROM pictures"):
            with closing(sqlite3.connect(tmp_path / "cases.sqlite")) as database, database:
                database.execute(damage)
            with pytest.raises(LibraryError, match="damaged"):
                library.preview(case)
            library.add(film(1, preview=png(2)))  # another picture of it does not help
            with pytest.raises(LibraryError, match="damaged"):
                library.preview(case)
            library.add(film(1))
            assert library.preview(case) == film(1).preview


def test_a_library_of_the_first_version_keeps_all_it_held(tmp_path: Path) -> None:
    cases = filled(tmp_path, 12)
    with opened(tmp_path) as library:
        before = library.snapshot_id()
    as_version_1(tmp_path)
    lost, *kept = cases
    name = hashlib.sha256(cases[lost].preview).hexdigest()
    (tmp_path / "previews" / name[:2] / f"{name}.png").unlink()
    for _ in range(2):
        with opened(tmp_path) as library:
            assert library.snapshot_id() == before
            assert {case: library.preview(case) for case in kept} == {
                case: cases[case].preview for case in kept
            }
            with pytest.raises(LibraryError, match="missing"):
                library.preview(lost)
            library.remove(kept.pop())
            before = library.snapshot_id()
        assert not (tmp_path / "previews").exists()


def test_a_library_of_the_second_version_gains_its_checksums_and_loses_nothing(
    tmp_path: Path,
) -> None:
    cases = filled(tmp_path, 30)
    with opened(tmp_path, encoder="e2") as library:
        library.set_embedding(short(film(3)), film(103).embedding)
    with opened(tmp_path) as library:
        before = library.snapshot_id(), [*library.cases()]
    as_version_2(tmp_path)
    for _ in range(2):
        with opened(tmp_path) as library:
            assert (library.snapshot_id(), [*library.cases()]) == before
            agree(found(library, film(99).embedding), brute(cases, film(99).embedding, 5))
            assert library.search(film(1).embedding, 1, exclude_patient="patient-0")[0].case.id != (
                short(film(1))
            )
            library.rebuild()  # the triggers still log what changes
            library.remove(library.add(film(77)).case)
    with opened(tmp_path, encoder="e2") as library:
        assert library.embedding(short(film(3))).tolist() == film(103).embedding.tolist()


def test_threads_may_share_one_library(tmp_path: Path) -> None:
    def work(start: int) -> None:
        for i in range(start, start + 15):
            case = library.add(film(i)).case
            assert library.search(film(i).embedding, 1)[0].case.id == case

    with opened(tmp_path) as library, ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(0, 60, 15)))  # what fails in a thread fails here
        assert library.stats().cases == 60


def test_the_room_loads_no_faiss_and_nothing_of_ours() -> None:
    code = (
        "import retrieval, sys; print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'faiss', 'torch', 'assistant', 'adapters', 'evals', 'gradio', 'PIL'}))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
