"""How long one waits before the first draft, and what the chat holds at rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image

from benchmarks.figures import PairedFigure, time_call
from benchmarks.weights import make_films

PYTHON = sys.executable


def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Import, help and first draft, each as a new process; memory of the chat after a page."""
    turns = 2 if quick else 9
    film, home = scratch / "film.png", {**os.environ, "WETREAD_HOME": str(scratch / "home")}
    Image.fromarray((make_films(1)[0].pixels * 255).astype("uint8")).save(film)
    draft = ["-m", "wetread", "draft", str(film)]
    for name, words, bar in (
        ("import assistant", ["-c", "import assistant"], 0.3),
        ("wetread --help", ["-m", "wetread", "--help"], 0.5),
        ("first draft from cold", draft, 6.0),
    ):

        def run(words: Sequence[str] = words) -> None:
            subprocess.run([PYTHON, *words], env=home, check=True, capture_output=True)

        run()  # its files are in the system's cache, as they are for who starts it daily
        values = tuple(time_call(run) for _ in range(turns))
        yield PairedFigure(name, "s", values, bar=bar, note="a new process each")
    yield _measure_chat(home)


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
