"""A folder or file of the user's is whole or not there, and no link leads it elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from assistant.atomic import make_own_folder, new_folder, take_place, write_file
from assistant.errors import SettingsError


def test_a_folder_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "out"
    for text in ("first", "second"):
        with new_folder(place) as temporary:
            (temporary / "deep").mkdir()
            (temporary / "deep" / "a").write_text(text)
        assert (place / "deep" / "a").read_text() == text
    with pytest.raises(ZeroDivisionError), new_folder(place) as temporary:
        (temporary / "a").write_text(str(1 / 0))
    assert (place / "deep" / "a").read_text() == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_planted_links_are_replaced_and_what_they_name_stays(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a").write_text("mine")
    (tmp_path / "out").symlink_to(victim)
    (tmp_path / ".out.part").symlink_to(victim)
    (tmp_path / ".out.old").symlink_to(victim)
    with new_folder(tmp_path / "out") as temporary:
        (temporary / "a").write_text("new")
    assert not (tmp_path / "out").is_symlink()
    assert (tmp_path / "out" / "a").read_text() == "new"
    (tmp_path / "file").symlink_to(victim / "a")
    write_file(tmp_path / "file", b"new")
    assert [p.name for p in victim.iterdir()] == ["a"]
    assert (victim / "a").read_text() == "mine"


def test_rights_follow_the_umask_and_are_never_wider_than_before(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with new_folder(tmp_path / "new"):
            pass
        (tmp_path / "tight").mkdir(mode=0o700)
        with new_folder(tmp_path / "tight"):
            pass
        write_file(tmp_path / "file", b"")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("new", "tight", "file")]
    assert modes == [0o750, 0o700, 0o640]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "below", tmp_path, Path("/dev/null")):
        with pytest.raises(SettingsError, match="cannot be written"):
            write_file(place, b"x")
    with (
        pytest.raises(SettingsError, match="cannot be written"),
        new_folder(tmp_path / "file" / "below"),
    ):
        pass


def test_a_folder_of_ones_own_is_made_once_and_is_never_a_link(tmp_path: Path) -> None:
    for _ in range(2):
        make_own_folder(tmp_path / "own")
        assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(PermissionError):
        make_own_folder(tmp_path / "link")


def test_what_is_moved_into_a_place_keeps_the_rights_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "place").touch(mode=0o600)
    (tmp_path / "whole").write_text("new")
    (tmp_path / "whole").chmod(0o644)
    take_place(tmp_path / "whole", tmp_path / "place")
    assert (tmp_path / "place").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "place").stat().st_mode) == 0o600
