"""How long one waits before the first draft, and what the chat holds at rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image

from assistant.chest.samples.films import read_samples
from benchmarks.figures import PairedFigure, time_call
from benchmarks.weights import make_films

PYTHON = sys.executable


def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Import, help and first drafts, each as a new process; memory of the chat after a page."""
    turns = 2 if quick else 9
    phantom, home = scratch / "film.png", {**os.environ, "WETREAD_HOME": str(scratch / "home")}
    Image.fromarray((make_films(1)[0].pixels * 255).astype("uint8")).save(phantom)
    real = [str(sample.file) for sample in read_samples().films]
    draft = ["-m", "wetread", "draft"]
    for name, commands, bar in (
        ("import assistant", [["-c", "import assistant"]], 0.3),
        ("wetread --help", [["-m", "wetread", "--help"]], 0.5),
        ("first draft from cold, a phantom", [[*draft, str(phantom)]], 6.0),
        ("first draft from cold, a real film", [[*draft, film] for film in real], 6.0),
    ):
        _time_process(commands[0], home)  # its files are in the system's cache, as for daily use
        runs = [_time_process(commands[turn % len(commands)], home) for turn in range(turns)]
        note = "a new process each"
        if len(commands) > 1:
            note = f"a new process each, {len(commands)} films in turn"
        yield PairedFigure(name, "s", tuple(run.elapsed for run in runs), bar=bar, note=note)
        yield PairedFigure(
            f"{name}, processor time", "s", tuple(run.processor for run in runs), note=note
        )
    yield _measure_chat(home)


@dataclass(frozen=True, slots=True)
class ProcessTime:
    """What a process took, in seconds."""

    elapsed: float  # by the clock
    processor: float  # of all cores together, with the processes that it started


def _time_process(words: Sequence[str], home: dict[str, str]) -> ProcessTime:
    """Run Python with some words to its end."""
    before = os.times()
    elapsed = time_call(
        lambda: subprocess.run([PYTHON, *words], env=home, check=True, capture_output=True)
    )
    after = os.times()
    return ProcessTime(
        elapsed,
        after.children_user + after.children_system - before.children_user - before.children_system,
    )


def _measure_chat(home: dict[str, str]) -> PairedFigure:
    with socket.socket() as free_socket:
        free_socket.bind(("127.0.0.1", 0))
        port = free_socket.getsockname()[1]
    command = [PYTHON, "-m", "wetread", "serve", "--port", str(port)]
    process = subprocess.Popen(
        command, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _fetch_page(f"http://127.0.0.1:{port}/")
        time.sleep(10)  # the backbone is loaded behind the first page
        values = tuple(_resident_gigabytes(process.pid) for _ in range(3))
    finally:
        process.terminate()
        process.wait(timeout=30)
    return PairedFigure(
        "memory of the chat at rest", "GB", values, bar=1.0, note="resident, one process"
    )


def _fetch_page(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=10) as page:  # noqa: S310 (loopback)
                page.read()
            return
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _resident_gigabytes(pid: int) -> float:
    """Resident gigabytes of a process, by Linux's own count."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1e6
