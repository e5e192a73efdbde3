"""Nothing of a patient is left behind: after a session, after any signal, after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from chat import PATIENT, free_port, phantom_png
from conftest import BACKBONE, REPO

from assistant.intake import read_film_bytes
from assistant.intake.png import png
from assistant.types import Film
from ui.film_store import StoredFilm
from ui.session import MAX_STUDIES, Session
from ui.web.folders import LOCK, delete_abandoned, own_folder

ENDING = [
    name
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM", "SIGABRT")
    if hasattr(signal, name)
]
# A chat whose assistant loads nothing, so that a process starts in a second.
SERVE = """
import sys, app
from contextlib import nullcontext
from types import SimpleNamespace
app.serve(nullcontext(SimpleNamespace(library=None, backbone=None)), port=int(sys.argv[1]))
"""


def _start(temp: Path) -> tuple[subprocess.Popen, str]:
    port = free_port()
    environment = {**os.environ, "TMPDIR": str(temp), "PYTHONPATH": str(REPO)}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(port)], cwd=REPO, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "Wetread reads at" in line, process.communicate()
    return process, f"http://127.0.0.1:{port}/"


def _upload(url: str) -> Path:
    files = {"files": (f"{PATIENT}.png", phantom_png(0))}
    (path,) = httpx.post(f"{url}gradio_api/upload", files=files, timeout=60).json()
    return Path(path)


def _folders(temp: Path) -> list[Path]:
    return [*temp.glob("wetread-*")]


def _open_page_of(url: str, path: Path) -> None:
    """Drop an upload as the page does, so that its session keeps the decoded film."""
    config = httpx.get(f"{url}config", timeout=60).json()
    take = next(d["id"] for d in config["dependencies"] if d["targets"][0][1] == "upload")
    told = {"path": str(path), "orig_name": f"{PATIENT}.png", "meta": {"_type": "gradio.FileData"}}
    body = {"data": [None, [told], "", ""], "fn_index": take, "session_hash": "closed"}
    httpx.post(f"{url}gradio_api/queue/join", json=body, timeout=60).raise_for_status()
    listen = {"session_hash": "closed"}
    with httpx.stream("GET", f"{url}gradio_api/queue/data", params=listen, timeout=60) as lines:
        assert any('"success":true' in line for line in lines.iter_lines())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM",
        *(pytest.param(name, marks=pytest.mark.long) for name in ENDING if name != "SIGTERM"),
    ],
)
def test_no_signal_leaves_anything_behind(tmp_path, name):
    process, url = _start(tmp_path)
    _open_page_of(url, _upload(url))
    waiting = _upload(url)
    (folder,) = _folders(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    assert sorted(path.suffix for path in kept) == [
        "",
        ".npy",
    ]  # the film, and what nobody has read
    assert waiting in kept
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        assert PATIENT not in str(path)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert _folders(tmp_path) == []
    assert "Traceback" not in out + err
    assert PATIENT not in out + err


HOLD = """
import time
from ui.web.folders import own_folder
with own_folder() as folder:
    (folder / "film").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""


def _hold(temp: Path) -> tuple[subprocess.Popen, Path]:
    """A process with a folder of its own."""
    environment = {**os.environ, "TMPDIR": str(temp), "PYTHONPATH": str(REPO)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_kill_leaves_goes_at_the_next_start_and_a_living_chat_keeps_its_own(tmp_path):
    living, kept = _hold(tmp_path)
    killed, left = _hold(tmp_path)
    killed.kill()
    killed.communicate(timeout=20)
    assert (left / "film").exists()
    foreign = tmp_path / "wetread-of-someone"  # without a lock: of something else
    foreign.mkdir()
    link = tmp_path / "wetread-link"
    link.symlink_to(kept)
    third, new = _hold(tmp_path)
    assert sorted(_folders(tmp_path)) == sorted([kept, foreign, link, new])
    assert (kept / "film").exists()
    for process in (living, third):
        process.kill()
        process.communicate(timeout=20)


def test_a_folder_of_ones_own_goes_with_an_error_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail_within() -> None:
        with own_folder() as folder:
            (folder / "film").write_bytes(b"x")
            delete_abandoned()  # another process that starts meanwhile
            assert (folder / "film").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_within()
    assert _folders(tmp_path) == []


def _film(seed: int) -> Film:
    return read_film_bytes(png(np.random.default_rng(seed).random((80, 96)).astype(np.float32)))


def test_films_of_a_session_lie_on_disk_and_are_the_same_films(tmp_path):
    session, film = Session(tmp_path), _film(0)
    study = session.open_study((film,))
    (kept,) = study.films
    assert isinstance(kept, StoredFilm)
    np.testing.assert_array_equal(kept.pixels, film.pixels)
    assert kept.pixels.dtype == np.float32
    assert not kept.pixels.flags.writeable
    assert isinstance(kept.pixels, np.memmap)
    assert (kept.sha256, kept.view, kept.flags) == (film.sha256, film.view, film.flags)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.stat().st_mode & 0o777 == 0o600
    assert film.sha256[:8] not in file.name
    session.close_study(study.number)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_session_keeps_a_bounded_number_of_films_and_deletes_them_all(tmp_path):
    session = Session(tmp_path)
    for seed in range(MAX_STUDIES + 5):
        session.open_study((_film(seed),))
    assert len([*tmp_path.rglob("*.npy")]) == MAX_STUDIES
    session.delete_all()
    assert [*tmp_path.iterdir()] == []


def test_a_closed_page_and_a_client_without_heartbeat_leave_nothing(tmp_path, chat_assistant):
    import app
    from ui.web.limits import Limits

    limits = Limits(silent_seconds=2, closed_seconds=0.5, sweep_seconds=0.2)
    with app.serve_chat(chat_assistant, free_port(), limits=limits) as url:
        home = Path(os.environ["GRADIO_TEMP_DIR"])
        _open_page_of(url, _upload(url))
        assert [*home.rglob("*.npy")]
        _wait_until(lambda: not [*home.rglob("*.npy")], 6)
        # With a page that is open nothing goes, until it is closed.
        with httpx.stream("GET", f"{url}gradio_api/heartbeat/closed", timeout=60):
            _open_page_of(url, _upload(url))
            time.sleep(2.5)
            assert [*home.rglob("*.npy")]
        _wait_until(lambda: not [*home.rglob("*.npy")], 6)
        assert sorted(path.name for path in home.iterdir()) == [LOCK, "uploads"]
        assert [*(home / "uploads").iterdir()] == []


def _wait_until(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_returns_after_two_hundred_films(tmp_path):
    """Of a served chat with the shipped backbone: 5 megapixels, each film in its own session."""
    port = free_port()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "WETREAD_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [sys.executable, "-m", "wetread", "serve", "--port", str(port), "--backbone", BACKBONE],
        cwd=REPO, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert "Wetread reads at" in process.stdout.readline()
        url = f"http://127.0.0.1:{port}/"
        for number in range(20):
            _draft(url, number)
        before = _resident(process.pid)
        for number in range(200):
            _draft(url, number)
        after = _resident(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    print(f"{before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after")
    assert after < 1.1 * before


def _draft(url: str, number: int) -> None:
    small = np.random.default_rng(number).random((22, 24)).astype(np.float32)
    film = png(np.kron(small, np.ones((100, 100), np.float32)))
    sent = httpx.post(f"{url}gradio_api/upload", files={"files": ("f.png", film)}, timeout=60)
    config = httpx.get(f"{url}config", timeout=60).json()
    dependencies = config["dependencies"]
    take = next(d["id"] for d in dependencies if d["targets"][0][1] == "upload")
    told = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    with httpx.stream("GET", f"{url}gradio_api/heartbeat/s{number}", timeout=60):
        for index, data in ((take, [None, [told], "", ""]), (take + 1, [None])):
            body = {"data": data, "fn_index": index, "session_hash": f"s{number}"}
            httpx.post(f"{url}gradio_api/queue/join", json=body, timeout=60).raise_for_status()
            listen = {"session_hash": f"s{number}"}
            with httpx.stream(
                "GET", f"{url}gradio_api/queue/data", params=listen, timeout=60
            ) as lines:
                end = next(line for line in lines.iter_lines() if "process_completed" in line)
        assert "data-draft" in end  # the page of the draft


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
