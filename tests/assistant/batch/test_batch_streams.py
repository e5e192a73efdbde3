"""Many studies at once: what fails, what is read elsewhere, in what order, how much memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import weakref

import numpy as np
import psutil
import pytest
from conftest import REPO
from films import dicom, levels, ramp, written
from toy_janus import toy_base

from assistant import Assistant
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.batch.manifest import list_rows
from assistant.batch.run import draft_folder, draft_lines, plan_of
from assistant.drafting.prefetch import prefetch
from assistant.drafting.sources import FailedStudy, FileSource
from assistant.errors import IntakeError, SettingsError
from assistant.export.draft_json import draft_dict
from assistant.intake import read_film
from assistant.types import Film, Report, Study


@pytest.fixture
def paths(phantoms):
    return sorted((phantoms / "images").iterdir())


def plain(report):
    drafted = draft_dict(report)
    drafted["provenance"].pop("time")
    return drafted


def test_a_failed_study_is_raised_in_its_place_or_given_there(assistant, paths, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no film")
    sources = [paths[0], tmp_path / "bad.png", paths[1]]
    drafts = assistant.draft_many(sources, neighbours=0, batch=1)
    assert isinstance(next(drafts), Report)
    with pytest.raises(IntakeError, match=r"bad\.png"):
        next(drafts)
    given = list(assistant.draft_many(sources, errors="give", neighbours=0))
    assert isinstance(given[1], FailedStudy)
    assert given[1].number == 1
    assert "bad.png" in given[1].reason
    assert [isinstance(one, Report) for one in given] == [True, False, True]


def test_order_window_and_processes_change_no_draft(assistant, paths):
    sources = [FileSource(path, "Cough." if n % 3 else "") for n, path in enumerate(paths[:6])]
    plainly = [plain(r) for r in assistant.draft_many(sources, batch=2)]
    widely = list(assistant.draft_many(sources, batch=2, window=3, workers=1, order="completion"))
    place = {r.study.films[0].sha256: number for number, r in enumerate(widely)}
    assert len(place) == 6
    for one in plainly:
        other = plain(widely[place[one["study"]["films"][0]["sha256"]]])
        assert [s["text"] for s in other["sentences"]] == [s["text"] for s in one["sentences"]]
        assert other["study"] == one["study"]


@pytest.mark.parametrize("bad", [{"batch": 0}, {"window": 0}, {"workers": -1}, {"order": "none"}])
def test_bad_options_are_told_at_once(assistant, bad):
    with pytest.raises(SettingsError, match=next(iter(bad))):
        assistant.draft_many([], **bad)


def test_films_read_elsewhere_are_those_read_here_and_never_far_ahead(paths, tmp_path):
    (tmp_path / "s.dcm").write_bytes(
        written(dicom(levels(ramp(), 12), ViewPosition="PA", PixelSpacing=[0.2, 0.3]))
    )
    (tmp_path / "broken").write_bytes(b"none")
    files = [*paths[:5], tmp_path / "s.dcm", tmp_path / "broken", paths[5].read_bytes()]
    taken = []

    def sources():
        for number, file in enumerate(files):
            taken.append(number)
            yield FileSource(file, f"reason {number}", "before")

    here = list(prefetch(sources(), 0, 2))
    taken.clear()
    there = []
    for one in prefetch(sources(), 1, 2):
        there.append(one)
        assert len(taken) <= len(there) + 2
    for a, b in zip(here, there, strict=True):
        if isinstance(a, FailedStudy):
            assert a == b
            continue
        assert isinstance(b, Study)
        assert (a.indication, a.prior_report) == (b.indication, b.prior_report)
        for name in ("sha256", "view", "laterality", "spacing_mm", "flags"):
            assert getattr(a.films[0], name) == getattr(b.films[0], name)
        np.testing.assert_array_equal(a.films[0].pixels, b.films[0].pixels)
        assert not b.films[0].pixels.flags.writeable


KILLING = """
import os, signal, sys
import assistant.intake, assistant.drafting.study_files
from assistant.drafting.prefetch import prefetch

def deadly(path):
    if "deadly" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path)

real = assistant.drafting.study_files.read_film
assistant.drafting.study_files.read_film = deadly  # in every process: they run this file
if __name__ == "__main__":
    for one in prefetch(sys.argv[1:], 2, 3):
        print(getattr(one, "reason", "") or one.films[0].sha256)
"""


def test_a_film_that_kills_its_process_takes_no_other_with_it(paths, tmp_path):
    (tmp_path / "main.py").write_text(KILLING)
    files = [*paths[:3], tmp_path / "deadly.png", *paths[3:6]]
    done = subprocess.run(
        [sys.executable, tmp_path / "main.py", *files],
        env=os.environ | {"PYTHONPATH": str(REPO)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert '"deadly.png" ended the process' in lines.pop(3)
    assert lines == [read_film(path).sha256 for path in paths[:6]]


WAITING = """
import sys, time
from assistant.drafting.prefetch import prefetch
if __name__ == "__main__":
    films = prefetch(sys.argv[1:], 1, 2)
    next(films)
    import multiprocessing
    print(*[p.pid for p in multiprocessing.active_children()], flush=True)
    time.sleep(100)
"""


def test_no_process_outlives_one_that_was_killed(paths, tmp_path):
    (tmp_path / "main.py").write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "main.py", *paths[:4]],
        env=os.environ | {"PYTHONPATH": str(REPO)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert workers
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_thousands_of_studies_stream_through_a_few_at_a_time(tmp_path):
    """Blank films, which the gate refuses: made, encoded by a toy, judged and let go."""
    assistant = Assistant(JanusBackbone(toy_base(tmp_path / "base")))
    made, gone, most, given = [], [], 0, 0

    def films():
        for number in range(3000):
            pixels = np.zeros((64, 64), np.float32)
            weakref.finalize(pixels, gone.append, number)
            made.append(number)
            yield Film(pixels, f"{number:064d}")

    for report in assistant.draft_many(films(), neighbours=0, batch=32):
        given += report.gate.answer == "refuse"
        most = max(most, len(made) - len(gone))
    assert given == 3000
    assert most <= 3 * 32


@pytest.mark.parametrize("form", ["struct", "path", "bytes"])
def test_parquet_is_drafted_as_its_films_are(assistant, paths, tmp_path, form):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tmp_path / "images").mkdir()
    names = []
    for path in paths[:3]:
        (tmp_path / "images" / path.name).write_bytes(path.read_bytes())
        names.append(f"images/{path.name}")
    data = [path.read_bytes() for path in paths[:3]]
    images = {
        "struct": [{"bytes": b, "path": n} for b, n in zip(data, names, strict=True)],
        "path": [*names[:2], "../outside.png"],
        "bytes": [{"bytes": data[0], "path": None}, {"bytes": None, "path": names[1]}, None],
    }[form]
    table = pyarrow.table({"image": images, "indication": ["Cough.", None, ""], "patient": [1] * 3})
    parquet.write_table(table, tmp_path / "films.parquet", row_group_size=2)
    out = tmp_path / "out.jsonl"
    done = draft_folder(assistant, tmp_path / "films.parquet", out, neighbours=0, show_paths=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert (done.cases, done.failed) == (3, form != "struct")
    called = {"struct": names, "path": images, "bytes": [None, names[1], None]}[form]
    assert [row.get("image") for row in rows] == called
    assert [row["row"] for row in rows] == [1, 2, 3]
    by_path = [FileSource(path, "Cough." if n == 0 else "") for n, path in enumerate(paths[:3])]
    for row, report in zip(rows, assistant.draft_many(by_path, neighbours=0), strict=True):
        if "draft" in row:
            row["draft"]["provenance"].pop("time")
            assert row["draft"]["study"] == plain(report)["study"]
    listing = list_rows(tmp_path / "films.parquet")
    assert [(n.row, n.image) for n in listing.rows(1)] == [(2, ""), (3, "")]
    assert [n.case for n in listing.rows()] == [row["case"] for row in rows]
    assert list_rows(tmp_path).digest == listing.digest  # the folder of it


def test_a_table_gives_prior_reports_too(assistant, paths, tmp_path):
    (tmp_path / "a.png").write_bytes(paths[0].read_bytes())
    (tmp_path / "cases.csv").write_text("image,prior_report\na.png,Large left effusion.\n")
    one = next(list_rows(tmp_path).rows())
    assert one.source == FileSource(tmp_path / "a.png", "", "Large left effusion.", "row 2")
    (tmp_path / "a.png").unlink()  # lost while the batch runs
    row = next(draft_lines(assistant, [one], plan_of(0)))
    assert set(row) == {"case", "row", "error"}
