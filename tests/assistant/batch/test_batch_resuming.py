"""A batch that is killed, stopped, or given something else, and run again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest
from conftest import BACKBONE, REPO
from filelock import FileLock

from assistant.batch.checkpoint import RowFile
from assistant.batch.run import draft_folder, plan_of
from assistant.errors import SettingsError

WINDOW = plan_of().rows
FILMS = WINDOW + 4
FAILED = sum(number % 8 > 0 for number in range(FILMS))


@pytest.fixture
def films(tmp_path, phantoms):
    """More films than a window, of each eight one that can be read, and some there twice."""
    folder = tmp_path / "films"
    folder.mkdir()
    names = sorted((phantoms / "images").iterdir())
    for number in range(FILMS):
        place = folder / f"{number:02d}.png"
        if number % 8:
            place.write_bytes(b"no film")
        else:
            shutil.copyfile(names[number // 8 % 3], place)
    return folder


def rows_of(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row.get("draft", {"provenance": {}})["provenance"].pop("time", None)
    return rows


@pytest.mark.long
def test_a_killed_batch_goes_on_and_its_rows_are_those_of_an_undisturbed_one(films, tmp_path):
    command = [sys.executable, "-m", "wetread", "batch", films, "--backbone", BACKBONE]
    command += ["--library", tmp_path / "library", "--neighbours", "2", "--workers", "1", "--json"]
    place = {"cwd": REPO, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    subprocess.run([*command, "--out", tmp_path / "whole"], **place, check=True)
    killed, part = tmp_path / "killed", tmp_path / ".killed.part" / "rows.jsonl"
    process = subprocess.Popen([*command, "--out", killed], **place)
    deadline = time.monotonic() + 120
    while not part.is_file() or part.read_bytes().count(b"\n") < WINDOW:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    with part.open("ab") as torn:
        torn.write(b'{"image": "36.p')
    kept = part.read_bytes().splitlines()[:WINDOW]
    done = subprocess.run([*command, "--out", killed], **place, check=True, capture_output=True)
    assert rows_of(killed) == rows_of(tmp_path / "whole")
    assert len(rows_of(killed)) == json.loads(done.stdout)["cases"] == FILMS
    assert json.loads(done.stdout)["failed"] == FAILED
    assert killed.read_bytes().splitlines()[:WINDOW] == kept  # not drafted again
    assert not part.parent.exists()


def test_rows_count_by_whole_windows_and_what_is_torn_is_dropped(tmp_path):
    path = tmp_path / "rows"
    file = RowFile(path, 3)
    for number in range(7):
        file.add({"case": f"{number}", "row": number, "error": "why"})
    file.close()
    whole = path.read_bytes()
    assert len(whole.splitlines()) == 7
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        again = RowFile(path, 3)
        lines = whole[:cut].count(b"\n")
        assert again.rows == lines // 3 * 3 == again.counts.kinds["failed"]
        again.close()
        assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[: again.rows])


def stopped_after(rows):
    def progress(done, total):
        if done >= rows:
            raise KeyboardInterrupt

    return progress


def test_a_stopped_batch_goes_on_after_its_last_window_and_its_rows_are_the_same(
    films, assistant, tmp_path
):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    draft_folder(assistant, films, whole, neighbours=2)
    with pytest.raises(KeyboardInterrupt):
        draft_folder(assistant, films, stopped, neighbours=2, on_progress=stopped_after(WINDOW + 1))
    assert not stopped.exists()
    kept = (tmp_path / ".stopped.part" / "rows.jsonl").read_bytes().splitlines()[:WINDOW]
    begun: list[int] = []
    done = draft_folder(
        assistant, films, stopped, neighbours=2, on_progress=lambda at, total: begun.append(at)
    )
    assert begun[0] == WINDOW
    assert (done.cases, done.failed) == (FILMS, FAILED)
    assert rows_of(stopped) == rows_of(whole)
    assert stopped.read_bytes().splitlines()[:WINDOW] == kept  # not drafted again


def test_another_run_is_not_gone_on_with_unless_begun_anew(films, assistant, tmp_path):
    out = tmp_path / "drafts.jsonl"
    with pytest.raises(KeyboardInterrupt):
        draft_folder(assistant, films, out, neighbours=0, on_progress=stopped_after(2))
    with pytest.raises(SettingsError, match=r"another options.*--no-resume"):
        draft_folder(assistant, films, out, neighbours=0, seed=1)
    (films / "99.png").write_bytes(b"one more")
    with pytest.raises(SettingsError, match="another manifest"):
        draft_folder(assistant, films, out, neighbours=0)
    for path in sorted(films.iterdir())[2:]:
        path.unlink()
    assert draft_folder(assistant, films, out, neighbours=0, resume=False).cases == 2
    assert len(rows_of(out)) == 2


def test_two_runs_do_not_write_one_file(films, assistant, tmp_path):
    (tmp_path / ".drafts.part").mkdir()
    with (
        FileLock(tmp_path / ".drafts.part" / "lock"),
        pytest.raises(SettingsError, match="Another run is drafting to"),
    ):
        draft_folder(assistant, films, tmp_path / "drafts")


def test_ctrl_c_tells_in_one_sentence_how_to_go_on_and_leaves_no_process(films, tmp_path):
    for number in range(FILMS, 8 * FILMS):  # so many that it is not done before it is told
        os.link(films / f"{number % FILMS:02d}.png", films / f"{number:03d}.png")
    command = [sys.executable, "-m", "wetread", "batch", films, "--backbone", BACKBONE]
    command += ["--library", tmp_path / "library", "--neighbours", "0", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--out", tmp_path / "drafts"],
        cwd=REPO, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # Tests that a shell runs in the background are started deaf to Ctrl-C, and so were this.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    part = tmp_path / ".drafts.part" / "rows.jsonl"
    deadline = time.monotonic() + 120
    while not part.is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "run the same command again" in told
    assert "Traceback" not in told
    assert part.is_file()
    deadline = time.monotonic() + 20
    while living_in(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def living_in(group):
    """The processes of a group; one that only waits to be counted out is not among them."""
    found = []
    for one in psutil.process_iter():
        try:
            if os.getpgid(one.pid) == group and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
        except (ProcessLookupError, psutil.Error):  # it ended meanwhile
            continue
    return found
