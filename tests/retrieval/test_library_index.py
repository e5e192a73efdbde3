"""Search is right whatever happened to the index that it is made from."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_adder import DIM, film, png
from library_model import agree, brute, filled, found, opened, short

from retrieval import Added, LibraryError

SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_ties_are_ordered_by_id_and_never_cut_off_by_chance(tmp_path: Path) -> None:
    same = film(0).embedding
    with opened(tmp_path) as library:
        list(library.add_many(film(i, embedding=same * (i + 1)) for i in range(90)))
        hits = library.search(same, 7)
        assert [hit.case.id for hit in hits] == sorted(short(film(i)) for i in range(90))[:7]
        assert {hit.similarity for hit in hits} == {1.0}


@pytest.mark.parametrize("limit", [50, 20_000])
def test_what_was_removed_or_encoded_again_is_gone_from_the_index_at_once(
    tmp_path: Path, limit: int
) -> None:
    cases = filled(tmp_path, 120, exact_limit=limit)
    query = film(0).embedding
    with opened(tmp_path, exact_limit=limit) as library:
        for name, _ in brute(cases, query, 30):
            library.remove(name)
            del cases[name]
        agree(found(library, query, 3), brute(cases, query, 3))
        for name, _ in brute(cases, query, 30):
            cases[name] = dataclasses.replace(cases[name], embedding=-query)
            library.set_embedding(name, -query)
        agree(found(library, query, 3), brute(cases, query, 3))
        assert len(library.search(query, 200)) == 90


def test_what_comes_back_into_a_trained_index_is_found_like_all_the_rest(tmp_path: Path) -> None:
    cases = [film(i, preview=png(0)) for i in range(1500)]
    with opened(tmp_path, exact_limit=400) as library:
        list(library.add_many(cases, batch=500))
        for around in range(3):  # whatever a cell held in place of what was removed
            gone = cases[around * 100 : around * 100 + 77]
            library.search(cases[0].embedding)
            for case in gone:
                library.remove(short(case))
            library.search(cases[0].embedding)
            list(library.add_many(gone))
        assert library.stats().index == "trained"
        for case in cases:
            assert library.search(case.embedding, 1)[0].case.id == short(case)


def test_a_search_leaves_out_what_it_was_told_to_and_still_returns_k(tmp_path: Path) -> None:
    filled(tmp_path, 60)
    query = film(6)
    with opened(tmp_path) as library:
        own = library.get(short(query)).patient
        plain = library.search(query.embedding, 60)
        other = library.search(query.embedding, 57, exclude_patient=f" {query.patient} ")
        assert len(plain) == 60
        assert len(other) == 57
        assert own not in {hit.case.patient for hit in other}
        odd = library.search(query.embedding, 30, source="odd")
        assert len(odd) == 30
        assert {hit.case.source for hit in odd} == {"odd"}
        assert library.search(query.embedding, 5, source="nowhere") == ()
        assert library.search(query.embedding, 0) == ()
        assert len(library.search(query.embedding, 10**6)) == 60
        near = library.search(query.embedding, 60, minimum=0.2)
        assert near == tuple(hit for hit in plain if hit.similarity >= 0.2)
        for name in (short(query), query.film_sha256):
            assert library.search(query.embedding, 5, exclude_case=name) == plain[1:6]


def test_a_case_without_a_patient_is_never_left_out_as_somebody_s(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        library.add(film(1, patient=None))
        library.add(film(2, patient="  "))
        assert len(library.search(film(1).embedding, exclude_patient="")) == 2
        assert library.stats().without_patient == 2


@SLOW
@given(st.data())
def test_damage_to_any_byte_of_the_snapshot_changes_no_answer(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    if not folder.exists():
        filled(folder)
    query = film(999).embedding
    wanted = brute({short(film(i)): film(i) for i in range(40)}, query, 40)
    victim = data.draw(st.sampled_from(sorted((folder / "index").iterdir())))
    content = bytearray(victim.read_bytes())
    how = data.draw(st.sampled_from(["flip", "cut", "empty", "gone"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if how == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    victim.write_bytes(content[:at] if how == "cut" else b"" if how == "empty" else content)
    if how == "gone":
        victim.unlink()
    with opened(folder) as library:
        agree(found(library, query, 40), wanted)


def test_another_encoder_s_snapshot_is_not_used_and_its_vectors_can_be_made(
    tmp_path: Path,
) -> None:
    cases = filled(tmp_path)
    query = film(999).embedding
    other = {short(film(i)): film(i, embedding=film(i + 500).embedding) for i in range(40)}
    with opened(tmp_path, encoder="e2") as library:
        assert library.search(query) == ()
        assert not library.has(film(0).film_sha256)
        assert library.add(film(0, embedding=other[short(film(0))].embedding)) == Added(
            short(film(0)), False
        )
        assert library.has(film(0).film_sha256)
        stale = list(library.stale())
        assert len(stale) == 39
        for case, preview in stale:
            assert preview == cases[case.id].preview
            library.set_embedding(case.id, other[case.id].embedding)
        assert not list(library.stale())
        agree(found(library, query, 3), brute(other, query, 3))
    with opened(tmp_path) as library:  # finds the other's snapshot, of as many vectors
        agree(found(library, query, 3), brute(cases, query, 3))


def test_a_snapshot_of_another_history_is_not_used(tmp_path: Path) -> None:
    cases = filled(tmp_path / "one", 60)
    with opened(tmp_path / "two") as library:  # the same films in another order
        list(library.add_many(film(i) for i in reversed(range(60))))
    backup = tmp_path / "backup"
    shutil.copy(tmp_path / "one" / "cases.sqlite", backup)
    with opened(tmp_path / "one") as library:
        for i in range(10):
            library.remove(short(film(i)))
            library.add(film(i + 100))
    shutil.copy(backup, tmp_path / "one" / "cases.sqlite")  # index of the future, as it were
    shutil.copytree(tmp_path / "one" / "index", tmp_path / "two" / "index", dirs_exist_ok=True)
    for name in ("one", "two"):
        with opened(tmp_path / name) as library:
            query = film(0).embedding
            agree(found(library, query, 3), brute(cases, query, 3))


def test_the_trained_index_finds_what_the_exact_one_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(30, DIM))
    cases = [
        film(i, embedding=centres[i % 30] + rng.normal(size=DIM), preview=png(0))
        for i in range(2500)
    ]
    with opened(tmp_path, exact_limit=800) as library:
        list(library.add_many(cases[:1200], batch=400))
        library.search(cases[0].embedding)
        assert library.stats().index == "trained"
        list(library.add_many(cases[1200:], batch=400))
        for case in cases[:50]:
            library.remove(short(case))
    model = {short(case): case for case in cases[50:]}
    names = np.array(list(model))
    matrix = np.stack([case.embedding for case in model.values()])
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    right = filtered = 0
    with opened(tmp_path, exact_limit=800) as library:
        assert library.stats().index == "trained"
        for i in range(100):
            query = centres[i % 30] + rng.normal(size=DIM)
            wanted = set(names[np.argsort(-matrix @ query)[:10]])
            right += len(wanted & {name for name, _ in found(library, query, 10)})
            hits = library.search(query, 10, source="odd", exclude_patient=cases[99].patient)
            filtered += len(hits)
        assert len(library.search(query, 3000)) == 2450
    assert right / 1000 >= 0.95
    assert filtered == 1000


def test_the_snapshot_id_names_the_content(tmp_path: Path) -> None:
    filled(tmp_path / "a", 12)
    with opened(tmp_path / "b") as library:
        empty = library.snapshot_id()
        for i in reversed(range(12)):
            library.add(film(i))
        whole = library.snapshot_id()
        library.remove(short(film(3)))
        assert len({empty, whole, library.snapshot_id()}) == 3
        library.add(film(3))
        assert library.snapshot_id() == whole
    with opened(tmp_path / "a") as library:
        assert library.snapshot_id() == library.stats().snapshot == whole
    with opened(tmp_path / "a", encoder="e2") as library:
        assert library.snapshot_id() != whole


def test_a_query_that_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        for query in (np.zeros(DIM), np.ones(3), np.full(DIM, np.inf)):
            with pytest.raises(LibraryError):
                library.search(query)
        with pytest.raises(LibraryError, match="-1"):
            library.search(np.ones(DIM), -1)
