"""A library is its owner's alone, follows no link, and is searched where it cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from library_adder import film
from library_model import agree, brute, filled, found, opened, short
from library_versions import as_version_2

from retrieval import LibraryError, verify_library
from retrieval.files import replaced_when_whole, write_beside

NOBODY = 65534
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


def loose(folder: Path) -> list[str]:
    """The files and folders that somebody but their owner may read, write or enter."""
    return [str(p) for p in folder.rglob("*") if stat.S_IMODE(p.lstat().st_mode) & 0o077]


@pytest.fixture
def everyones() -> Iterator[Path]:
    """A folder that every user can enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def as_nobody(work: Callable[[], object]) -> object:
    """What a process of another user gets, as JSON; errors of ours as their words."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            answer = work()
        except LibraryError as error:
            answer = str(error)
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return json.loads(data)


@pytest.mark.usefixtures("wide_umask")
def test_nobody_else_can_read_a_library_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there" / "notes.txt").touch()
    (tmp_path / "empty").mkdir(mode=0o755)
    for name in ("there", "empty", "new/deep"):
        place = tmp_path / name
        with opened(place) as library:
            library.add(film(1))
            assert len(list(place.glob("cases.sqlite*"))) == 3  # with the log, while it is open
            assert set(loose(place)) <= {str(place / "notes.txt")}
            library.rebuild()
        assert set(loose(place)) <= {str(place / "notes.txt")}
    modes = [
        stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("there", "empty", "new/deep", "new")
    ]
    assert modes == [0o755, 0o700, 0o700, 0o700]  # a folder with other things keeps its rights


def test_a_library_that_was_open_to_all_is_closed_when_it_is_opened(tmp_path: Path) -> None:
    filled(tmp_path / "old")
    for path in (tmp_path / "old", *(tmp_path / "old").rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    opened(tmp_path / "old").close()
    assert loose(tmp_path) == []


@as_root
def test_another_users_library_is_searched_and_left_as_it_is(everyones: Path) -> None:
    cases = filled(everyones / "library")
    for path in (everyones / "library", *(everyones / "library").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = {p: p.read_bytes() for p in (everyones / "library").rglob("*") if p.is_file()}

    def search() -> object:
        with opened(everyones / "library") as library:
            refusals = []
            for change in (lambda: library.add(film(99)), lambda: library.remove(short(film(1)))):
                with pytest.raises(LibraryError, match="only searched") as error:
                    change()
                refusals.append(str(error.value))
            hits = found(library, film(50).embedding)
            others = found(library, film(50).embedding, exclude_patient="patient-3", source="odd")
            library.preview(short(film(4)))
            return [hits, others, len(list(library.cases())), refusals]

    hits, others, count, _ = as_nobody(search)  # type: ignore[misc]
    agree([tuple(hit) for hit in hits], brute(cases, film(50).embedding, 5))
    wanted = brute(cases, film(50).embedding, 5, patient="patient-3", source="odd")
    agree([tuple(hit) for hit in others], wanted)
    assert count == len(cases)
    assert as_nobody(lambda: len(verify_library(everyones / "library").damages)) == 0
    after = {p: p.read_bytes() for p in (everyones / "library").rglob("*") if p.is_file()}
    assert after == before


@as_root
def test_another_users_library_is_searched_while_its_owner_writes(everyones: Path) -> None:
    with opened(everyones / "library") as library:
        library.add(film(1))
        for path in (everyones / "library", *(everyones / "library").rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

        def search() -> object:
            with opened(everyones / "library") as theirs:
                return found(theirs, film(1).embedding, 1)

        assert as_nobody(search) == [[short(film(1)), 1.0]]


@as_root
def test_another_users_private_or_old_library_is_refused_in_a_sentence(everyones: Path) -> None:
    filled(everyones / "private")
    assert "cannot be" in str(as_nobody(lambda: opened(everyones / "private").close()))
    filled(everyones / "old")
    as_version_2(everyones / "old")
    for path in (everyones / "old", *(everyones / "old").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert "older Wetread" in str(as_nobody(lambda: opened(everyones / "old").close()))


@as_root
def test_a_link_that_another_user_laid_is_not_followed(tmp_path: Path) -> None:
    for name in ("cases.sqlite", "cases.sqlite-wal", "index"):
        place = tmp_path / f"with {name}"
        place.mkdir()
        target = tmp_path / f"target of {name}"
        (place / name).symlink_to(target)
        os.lchown(place / name, NOBODY, NOBODY)
        with pytest.raises(LibraryError, match="link"):
            opened(place)
        assert not target.exists()


def test_a_file_is_written_beside_its_place_and_a_link_there_is_replaced(tmp_path: Path) -> None:
    victim, place = tmp_path / "victim", tmp_path / "place"
    victim.write_text("mine")
    place.symlink_to(victim)
    write_beside(place, b"new")
    assert (place.read_bytes(), victim.read_text()) == (b"new", "mine")
    assert not place.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["place", "victim"]
    with replaced_when_whole(place) as temporary:
        assert temporary.name not in (".place.part", "place.part")
        assert temporary.lstat().st_size == 0


@pytest.mark.usefixtures("wide_umask")
@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("before", [None, 0o600, 0o640, 0o444, 0o666])
def test_a_file_that_is_replaced_gets_no_more_rights_than_it_had(
    tmp_path: Path, private: bool, before: int | None
) -> None:
    place = tmp_path / "place"
    if before is not None:
        place.write_text("old")
        place.chmod(before)
    with replaced_when_whole(place, private=private) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) & 0o077 == (
            0 if private else (0o066 if before is None else before & 0o077)
        )
        temporary.unlink()  # as some libraries do
        temporary.write_text("new")
    mode = stat.S_IMODE(place.stat().st_mode)
    assert mode == (0o600 if private else (0o666 if before is None else before))


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.write_text("old")
    with pytest.raises(ZeroDivisionError), replaced_when_whole(place) as temporary:
        temporary.write_text(str(1 / 0))
    assert [p.name for p in tmp_path.iterdir()] == ["place"]
    assert place.read_text() == "old"
    for odd in (tmp_path, Path("/dev/null"), Path()):
        with pytest.raises(OSError), replaced_when_whole(odd):  # noqa: PT011 (of several kinds)
            pass
    assert not Path("/dev/null").is_file()
