"""A library survives `kill -9` at any moment, and several processes at once."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from library_adder import DIM, film

from retrieval import Library
from retrieval.errors import WetreadError

ADDER = Path(__file__).parents[1] / "support" / "library_adder.py"
ROOT = ADDER.parents[2]


def start(folder: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ADDER), str(folder), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


def kill_after(
    process: subprocess.Popen[str], lines: int, seconds: float
) -> tuple[list[str], bool]:
    """What it had acknowledged when killed, so long after so many; and if the kill came first."""
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    first = [process.stdout.readline() for _ in range(lines)]
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate()
    whole = "".join(first) + rest
    ids = [line for line in whole.split("\n")[:-1] if line and line != "done"]
    return ids, process.returncode == -signal.SIGKILL


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "library"
    shutil.rmtree(tmp_path / "library", ignore_errors=True)


def test_killing_it_while_adding_loses_and_doubles_nothing(folder: Path) -> None:
    total, kills = 300, 0
    chance = random.Random(7)  # noqa: S311 (a test's dice)
    acknowledged: set[str] = set()
    ids = {film(i).film_sha256[:16]: i for i in range(total)}
    for _ in range(6):
        process = start(folder, total)
        ids_now, killed = kill_after(process, chance.randrange(30), chance.uniform(0.0, 0.06))
        acknowledged.update(ids_now)
        kills += killed
        with Library.open(folder, encoder="e1", dim=DIM) as library:
            held = [case.id for case in library.cases()]
            assert len(held) == len(set(held))
            assert acknowledged <= set(held) <= set(ids)
            assert library.stats().embedded == len(held)  # no case without its vector
            for case in held:
                assert library.preview(case) == film(ids[case]).preview  # nor without its picture
            for case in acknowledged:
                best = library.search(film(ids[case]).embedding, 1)[0]
                assert (best.case.id, best.similarity) == (case, 1.0)
    assert acknowledged
    assert kills >= 3, "most processes were done before they were killed: this shows nothing"
    last = start(folder, total)
    printed, _ = last.communicate(timeout=60)
    assert last.returncode == 0
    assert printed.endswith("done\n")
    with Library.open(folder, encoder="e1", dim=DIM) as library:
        assert library.stats().cases == library.stats().embedded == total
        assert sorted(case.id for case in library.cases()) == sorted(ids)
        library.rebuild()
    assert not list(folder.rglob("*.part"))
    with sqlite3.connect(folder / "cases.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchone() is None
        assert database.execute("SELECT count(*) FROM pictures").fetchone() == (total,)


def test_two_processes_adding_the_same_films_make_each_one_case(folder: Path) -> None:
    total = 120
    both = [start(folder, total), start(folder, total)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with Library.open(folder, encoder="e1", dim=DIM) as library:
        assert library.stats().cases == library.stats().embedded == total


def test_all_who_open_a_new_library_at_the_same_moment_get_it(tmp_path: Path) -> None:
    for round_ in range(60):  # each meets the others' writing at another moment
        together, failed = threading.Barrier(6), []

        def open_it(folder: Path, together: threading.Barrier, failed: list[WetreadError]) -> None:
            together.wait()
            try:
                Library.open(folder, encoder="e1", dim=DIM).close()
            except WetreadError as error:
                failed.append(error)

        given = (tmp_path / str(round_), together, failed)
        threads = [threading.Thread(target=open_it, args=given) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []


def test_a_search_sees_what_another_process_wrote(folder: Path) -> None:
    with Library.open(folder, encoder="e1", dim=DIM) as library:
        assert library.search(film(3).embedding) == ()
        other = start(folder, 10)
        other.communicate(timeout=60)
        best = library.search(film(3).embedding, 1)[0]
        assert best.case.id == film(3).film_sha256[:16]
        assert library.get(best.case.id).report == "Report 3."
