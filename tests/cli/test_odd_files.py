"""What is no file, or no such file, ends every command with one sentence and exit code 2."""

from __future__ import annotations

import os

import pytest
from command import run

ODD = ("folder", "fifo", "device", "long name", "no utf-8", "deep", "long integer", "empty")


def placed(tmp_path, case):
    path = tmp_path / "odd.toml"
    if case == "folder":
        path.mkdir()
    elif case == "fifo":
        os.mkfifo(path)
    elif case == "long name":
        return tmp_path / ("x" * 300 + ".toml")
    elif case == "device":
        path.symlink_to("/dev/zero")
    else:
        odd = {"no utf-8": b"\xff\xfa\x80", "deep": b"x = " + b"[" * 99_999, "empty": b""}
        path.write_bytes(odd.get(case, b"x = " + b"7" * 5000))
    return path


COMMANDS = {
    "draft": ("draft", "ODD"),
    "check": ("check", "FILM", "ODD"),
    "prior report": ("draft", "FILM", "--prior-report", "ODD"),
    "settings": ("draft", "FILM", "--backbone", "ODD"),
    "recipe": ("train", "ODD"),
    "predictions": ("eval", "report", "--predictions", "ODD"),
    "compare": ("eval", "--compare", "ODD", "ODD"),
    "library add": ("library", "add", "ODD", "--library", "LIBRARY"),
    "batch": ("batch", "ODD", "--out", "OUT"),
}
# What these take: a table of nothing, a report of nothing or of any words.
TAKEN = {("settings", "empty"), ("prior report", "empty"), ("prior report", "deep"),
         ("prior report", "long integer"), ("check", "long integer")}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_an_odd_file_ends_every_command_with_two_and_one_sentence(phantoms, tmp_path, capfd, case):
    path = placed(tmp_path, case)
    film = next((phantoms / "images").iterdir())
    words = {"ODD": path, "FILM": film, "LIBRARY": tmp_path / "library", "OUT": tmp_path / "out"}
    for command, line in COMMANDS.items():
        if (command, case) in TAKEN or (command == "library add" and case == "folder"):
            continue
        done = run(capfd, *(words.get(word, word) for word in line))
        assert done.code == 2, (command, done)
        told = [x for x in done.err.splitlines() if x.startswith("wetread: ")]
        assert len(told) == 1 or "Usage:" in done.err, (command, done.err)
        assert "Traceback" not in done.err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_report_with_a_byte_order_mark_is_checked_without_it(phantoms, tmp_path, capfd, encoding):
    film = next((phantoms / "images").iterdir())
    report = tmp_path / "report.txt"
    report.write_bytes("Large left pleural effusion.\n".encode(encoding))
    done = run(capfd, "check", film, report, "--json", "--anyway")
    assert done.code == 0, done.err
    assert "\ufeff" not in done.out
    assert "\\ufeff" not in done.out
    assert "Large left pleural effusion." in done.out


def test_a_batch_whose_output_has_a_name_that_is_no_utf8_says_so_in_its_end(tmp_path, capfd):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"none")
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.jsonl")
    done = run(capfd, "batch", folder, "--out", out)
    assert done.code == 0, done.err
    assert os.path.isfile(out)  # noqa: PTH113 - a name that is no UTF-8
