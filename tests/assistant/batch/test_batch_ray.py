"""A batch by Ray: its stages without a cluster, and on one whose actor is killed on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from conftest import BACKBONE, REPO

from assistant.batch import ray_engine
from assistant.batch.run import check_listing, draft_folder, plan_of, run_header

WINDOW = plan_of().rows


def rows_of(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row.get("draft", {"provenance": {}})["provenance"].pop("time", None)
    return rows


def actors_of(process):
    """The processes that hold a backbone."""
    found = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if child.cmdline() and child.cmdline()[0].startswith("ray::MapWorker"):
                found[child.pid] = child.ppid()
        except psutil.Error:  # it ended meanwhile
            continue
    return [pid for pid, parent in found.items() if parent not in found]


def test_windows_are_drafted_once_and_all_rows_are_those_of_a_local_batch(phantoms, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    films, shards = tmp_path / "films", tmp_path / "shards"
    films.mkdir()
    shards.mkdir()
    for number in range(WINDOW + 3):
        image = (phantoms / "images" / f"test-A-501-{number % 3:06d}.png").read_bytes()
        (films / f"{number:02d}.png").write_bytes(b"no film" if number % WINDOW else image)
    listing, plan = check_listing(films, tmp_path / "out"), plan_of(neighbours=0)
    crew = ray_engine.RayPlan(BACKBONE, tmp_path / "library")
    with crew.load() as assistant:
        draft_folder(assistant, films, tmp_path / "local", neighbours=0)
        header = run_header(assistant, listing, plan)
    actor = ray_engine.DraftActor(crew, listing, plan, shards, header["library"])
    starts = (0, WINDOW)

    def draft_all():
        for start in starts:
            window = pyarrow.table({"start": [start]})
            actor(ray_engine._read_window(window, listing, plan.rows))

    draft_all()
    ray_engine._merge_shards(listing, plan, shards, tmp_path / "out")
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "local")
    first, second = (ray_engine.shard_of(shards, listing, start, plan.rows) for start in starts)
    written = second.stat().st_mtime_ns
    first.unlink()
    draft_all()
    assert second.stat().st_mtime_ns == written
    ray_engine._merge_shards(listing, plan, shards, tmp_path / "again")
    assert rows_of(tmp_path / "again") == rows_of(tmp_path / "local")


@pytest.mark.timeout(600)  # Ray starts twice, and slowly on a busy machine
@pytest.mark.long
def test_a_killed_actor_changes_no_row_and_a_second_run_draws_none_again(phantoms, tmp_path):
    pytest.importorskip("ray.data", reason="no Ray: pip install 'wetread[ray]'")
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(3 * WINDOW):
        place = folder / f"{number:02d}.png"
        if number % 8:
            place.write_bytes(b"no film")
        else:
            shutil.copyfile(sorted((phantoms / "images").iterdir())[number // 8], place)
    place = {"cwd": REPO, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    command = [sys.executable, "-m", "wetread", "batch", folder, "--backbone", BACKBONE]
    command += ["--library", tmp_path / "library", "--neighbours", "0", "--json", "--out"]
    subprocess.run([*command, tmp_path / "local"], **place, check=True)
    on_ray = [*command, tmp_path / "ray", "--engine", "ray", "--actors", "2"]
    process = subprocess.Popen(on_ray, **place)
    shards, deadline = tmp_path / "ray.shards", time.monotonic() + 300
    while not list(shards.glob("*.parquet")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    actors = actors_of(process)
    assert len(actors) == 2
    os.kill(actors[0], signal.SIGKILL)
    assert process.wait(timeout=300) == 0
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "local")
    names = sorted(path.name for path in shards.glob("*.parquet"))
    starts = (0, WINDOW, 2 * WINDOW)
    assert names == [f"drafts-{n:09d}-{n + WINDOW - 1:09d}.parquet" for n in starts]
    before = {path: path.stat().st_mtime_ns for path in shards.glob("*.parquet")}
    next(iter(before)).unlink()
    (tmp_path / "ray").unlink()
    subprocess.run(on_ray, **place, check=True)
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "local")
    kept = {path: path.stat().st_mtime_ns for path in list(before)[1:]}
    assert kept == dict(list(before.items())[1:])
