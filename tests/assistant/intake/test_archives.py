"""Unpacking a zip of films: what it holds comes out as it was, and nothing else can happen."""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.errors import IntakeError, SettingsError, WetreadError
from assistant.intake.zips import unpack

SECRET = "Doe^Jane"  # noqa: S105 - a patient's name, in names of files


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "films"
    place.mkdir()
    return place


def zipped(path, entries, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, bytes); names are written as they are given."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            entry = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo("x")
            if isinstance(name, str):
                entry.filename = name
                entry.compress_type = method
            archive.writestr(entry, data)
    return path


def refusal(path, folder, **limits):
    """The sentence that refuses an archive; nothing is left in the folder, nor about it."""
    around = sorted(folder.parent.rglob("*"))
    with pytest.raises(WetreadError) as caught:
        unpack(path, folder, **limits)
    assert sorted(folder.parent.rglob("*")) == around
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert ". " not in text
    assert SECRET not in text
    assert str(folder.parent) not in text
    return text


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_films_come_out_as_they_went_in(tmp_path, folder):
    inner = io.BytesIO()
    zipped(inner, [("a.png", b"1")])
    entries = {
        "cases.csv": b"image\ndeep/one.png\n",
        "deep/one.png": bytes(range(256)) * 400,
        "deep/er/two words.dcm": b"",
        "Kl\u00e4ger \u80f8.png": b"3",
        "nested.zip": inner.getvalue(),
    }
    path = zipped(tmp_path / "a.zip", entries.items())
    assert unpack(path, folder) == folder
    assert tree(folder) == entries


def test_what_macos_adds_and_hidden_files_are_left_out(tmp_path, folder):
    names = ["__MACOSX/._a.png", ".DS_Store", "in/.hidden/b.png", "in/", "./in/a.png"]
    zipped(tmp_path / "a.zip", [(name, b"" if name == "in/" else b"x") for name in names])
    unpack(tmp_path / "a.zip", folder, most_files=1)
    assert tree(folder) == {"in/a.png": b"x"}


def test_a_name_that_macos_wrote_is_read_as_it_was(tmp_path, folder):
    """Its Finder writes UTF-8 and does not say so."""
    name = unicodedata.normalize("NFD", "R\u00f6ntgen.png")
    raw = zipped(tmp_path / "a.zip", [("R" + "o" * 2 + "1ntgen.png", b"x")]).read_bytes()
    assert len("Roo1ntgen.png") == len(name.encode("utf-8"))
    (tmp_path / "a.zip").write_bytes(raw.replace(b"Roo1ntgen.png", name.encode("utf-8")))
    unpack(tmp_path / "a.zip", folder)
    assert [unicodedata.normalize("NFC", p.name) for p in folder.iterdir()] == ["R\u00f6ntgen.png"]


BAD_NAMES = [
    "/etc/x.png", "//host/x.png", "../x.png", "a/../../x.png", "a/..", "..", "C:/x.png", "C:x.png",
    "c:\\x.png", "a\\..\\x.png", "\\\\host\\x.png", "a\\b.png", "x.png:stream", "nul.png", "CON",
    "a/com1.txt", "a/Aux /x.png", "tab\t.png", "line\n.png", "del\x7f.png", "bell\x07.png",
    "x" * 201, "a/" * 100 + "x", "LPT\u00b9.png",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_refused_by_its_number(tmp_path, folder, name):
    path = zipped(tmp_path / "a.zip", [("fine.png", b"1"), (name, b"2"), ("too.png", b"3")])
    assert "Entry 2 of the archive" in refusal(path, folder)


@pytest.mark.parametrize("name", ["ok.png\0/../../x", "\0", f"{SECRET}\0.png"])
def test_a_nul_in_a_name_is_refused(tmp_path, folder, name):
    path = zipped(tmp_path / "a.zip", [(name.replace("\0", "\x01"), b"1")])
    path.write_bytes(path.read_bytes().replace(b"\x01", b"\0"))
    refusal(path, folder)


PAIRS = [
    ("a.png", "a.png"), ("a.png", "A.PNG"), ("a.png", "./a.png"), ("a/b.png", "a//b.png"),
    ("caf\u00e9.png", "cafe\u0301.png"), ("stra\u00dfe", "STRASSE"), ("a", "a/b.png"),
    ("a/b.png", "A"), ("a.png", "a.png."), ("a.png", "a.png "), ("\ufb01x.png", "fix.png"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pair", PAIRS)
def test_two_files_of_one_name_are_refused(tmp_path, folder, pair):
    path = zipped(tmp_path / "a.zip", [(name, b"1") for name in pair])
    assert "Entry 2 of the archive has the name of another" in refusal(path, folder)


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]
)
def test_links_and_devices_are_refused(tmp_path, folder, kind):
    entry = zipfile.ZipInfo(f"{SECRET}.png")
    entry.external_attr = (kind | 0o777) << 16
    path = zipped(tmp_path / "a.zip", [("fine.png", b"1"), (entry, b"/etc/passwd")])
    assert "Entry 2 of the archive is a link or a device" in refusal(path, folder)


def test_an_encrypted_entry_and_an_odd_method_are_refused(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", [(f"{SECRET}.png", b"1234")], zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(mark) + at] |= 1
    path.write_bytes(raw)
    assert "encrypted" in refusal(path, folder)
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        odd = zipped(tmp_path / "b.zip", [(f"{SECRET}.png", b"1" * 99)], method)
        assert "unusual" in refusal(odd, folder)


def test_what_is_no_whole_zip_is_refused(tmp_path, folder):
    whole = zipped(tmp_path / "a.zip", [(f"{SECRET}.png", bytes(range(256)) * 99)]).read_bytes()
    path = tmp_path / f"{SECRET}.zip"
    spoilt = bytearray(whole)
    spoilt[60:80] = bytes(20)
    for data in (b"", b"PK", b"no zip " * 999, whole[:-30], whole[40:], bytes(spoilt)):
        path.write_bytes(data)
        with pytest.raises(IntakeError):
            unpack(path, folder)
        refusal(path, folder)
    path.unlink()
    assert "cannot be unpacked" in refusal(path, folder)
    assert "no file" in refusal(tmp_path, folder)
    assert "no file" in refusal(zipped(tmp_path / "empty.zip", []), folder)
    assert "no file" in refusal(zipped(tmp_path / "empty.zip", [("a/", b"")]), folder)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_spoilt_byte_gets_past_as_another_error(tmp_path_factory, data):
    place = tmp_path_factory.mktemp("spoilt")
    (place / "films").mkdir()
    entries = [("a/b.png", b"12345" * 50), ("c.png", bytes(99))]
    raw = bytearray(zipped(place / "a.zip", entries).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (place / "a.zip").write_bytes(raw)
    try:
        unpack(place / "a.zip", place / "films")
    except WetreadError:
        assert not any((place / "films").iterdir())
    assert sorted(p.name for p in place.iterdir()) == ["a.zip", "films"]


def test_files_and_bytes_are_counted_as_they_come_out(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", [(f"{n}.png", b"12345") for n in range(10)])
    assert "over 9 files" in refusal(path, folder, most_files=9)
    assert "over 49 bytes" in refusal(path, folder, most_bytes=49)
    unpack(path, folder, most_files=10, most_bytes=50)
    assert len(tree(folder)) == 10


def test_a_header_that_claims_less_is_not_believed(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", [("a.png", bytes(range(256)) * 4000)])
    raw = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", raw, raw.index(mark) + at, 10)
    path.write_bytes(raw)
    refusal(path, folder)


def test_a_bomb_is_refused_whether_it_is_one_file_or_many(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", [("a.png", bytes(11 << 20))])
    assert "over 50 to 1" in refusal(path, folder)
    many = zipped(tmp_path / "b.zip", [(f"{n}.png", bytes(1 << 20)) for n in range(20)])
    assert "over 50 to 1" in refusal(many, folder)
    refusal(_overlapping(tmp_path / "d.zip"), folder)
    small = zipped(tmp_path / "c.zip", [("a.png", bytes(9 << 20))])
    unpack(small, folder)  # a black film is no bomb


def _overlapping(path):
    """A zip whose 60 entries all name the same bytes: 60 MB out of a few thousand."""
    block = bytes(1 << 20)
    raw = zipped(path, [("00.png", block)]).read_bytes()
    start = raw.index(b"PK\1\2")
    end = raw.index(b"PK\5\6")
    one = raw[start:end]
    many = b"".join(one.replace(b"00.png", f"{n:02}.png".encode()) for n in range(60))
    tail = bytearray(raw[end:])
    struct.pack_into("<HHII", tail, 8, 60, 60, len(many), start)
    path.write_bytes(raw[:start] + many + tail)
    return path


def test_a_long_list_is_not_even_read(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", [(f"{n:05}/", b"") for n in range(4000)])
    assert "lists more files than allowed" in refusal(path, folder, most_files=20)


def test_the_folder_must_be_there_and_empty(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", [("a.png", b"1")])
    (folder / "kept.txt").write_text("kept")
    for place in (folder, tmp_path / "nowhere", path):
        with pytest.raises(SettingsError, match="empty"):
            unpack(path, place)
    assert tree(folder) == {"kept.txt": b"kept"}


NAMES = st.lists(
    st.text(
        st.sampled_from("abAB.. /\\:\0\t\u00e9\u0301\u202f\ufb01~$%")
        | st.characters(codec="utf-8"),
        min_size=1,
        max_size=12,
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(max_examples=150, deadline=None)
@given(NAMES)
def test_whatever_the_names_only_the_folder_is_written_to_and_nothing_is_lost(
    tmp_path_factory, names
):
    place = tmp_path_factory.mktemp("names")
    (place / "films").mkdir()
    files = [(name, str(n).encode()) for n, name in enumerate(names)]
    zipped(place / "a.zip", [(name, b"" if name.endswith("/") else data) for name, data in files])
    try:
        unpack(place / "a.zip", place / "films")
    except WetreadError as error:
        assert not any((place / "films").iterdir())
        assert str(error).isascii()
    else:
        kept = [
            data
            for name, data in files
            if not name.endswith("/")
            and not any(part[0] == "." for part in name.split("/") if part not in ("", "."))
        ]
        assert sorted(tree(place / "films").values()) == sorted(kept)
    assert sorted(p.name for p in place.iterdir()) == ["a.zip", "films"]
