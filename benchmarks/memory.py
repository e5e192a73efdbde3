"""Memory of a long batch beside that of a short one: it must not grow with the rows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.figures import PairedFigure
from benchmarks.weights import make_films

SHORT, LONG = 500, 10_000
FILMS = 20  # of which the rows are links


def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """The most that `wetread batch` held at once, over 500 films and over 10,000."""
    short, long = (40, 200) if quick else (SHORT, LONG)
    peaks = {count: _measure_peak(scratch, count) for count in (short, long)}
    yield PairedFigure(
        name=f"memory of a batch of {long:,}",
        unit="GB",
        ours=(peaks[long],),
        peer=f"of a batch of {short:,}",
        theirs=(peaks[short],),
        bar=0.9,  # flat: at most a ninth more
        note=f"whole drafts of {FILMS} films over and over, one reader; peak resident size",
    )


def _measure_peak(scratch: Path, count: int) -> float:
    """Gigabytes that the process which drafts so many films held at most."""
    folder = scratch / f"batch-{count}"
    if not folder.is_dir():
        folder.mkdir()
        for number, film in enumerate(make_films(FILMS)):
            Image.fromarray((film.pixels * 255).astype("uint8")).save(folder / f"{number:05}.png")
        for number in range(FILMS, count):
            os.link(folder / f"{number % FILMS:05}.png", folder / f"{number:05}.png")
    out, environment = (
        scratch / "drafts.jsonl",
        {**os.environ, "WETREAD_HOME": str(scratch / "home")},
    )
    command = ["-m", "wetread", "batch", str(folder), "--out", str(out), "--no-resume"]
    with subprocess.Popen(
        [sys.executable, *command, "--workers", "1"], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _peak_resident(process.pid))
            try:
                process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
    return peak


def _peak_resident(pid: int) -> float:
    """The most that a process has held so far, by Linux's own count; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1e6 if lines else 0.0
