"""Feed Wetread damaged and hostile inputs for some minutes: `python -m tests.fuzz --minutes N`.

Each attempt makes one input by its own seed and gives it to the program's public surface. It must
be read rightly or refused in one sentence (`WetreadError`): a wrong value, another exception, or
more than a few seconds is a fault. Faults are printed with the command that makes them again, and
the exit code is then 1.
"""

from __future__ import annotations

import collections
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import typer

from tests.fuzz.targets import TARGETS, Outcome

SLOWEST = 3.0  # seconds of processor time: an input that takes more stops others
LONGEST = 60.0  # seconds by the clock, which a busy machine may well take
OURS = str(Path(__file__).resolve().parents[2])


class TooSlowError(Exception):
    """An attempt took longer than any input may."""


def fuzz(
    minutes: Annotated[float, typer.Option(min=0.0, help="How long, all targets together.")] = 2.0,
    target: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(TARGETS)}.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The attempts are made from it.")] = 0,
    start: Annotated[int, typer.Option(min=0, help="The first attempt's number.")] = 0,
    attempts: Annotated[int, typer.Option(min=0, help="At most as many a target; 0: any.")] = 0,
) -> None:
    """Give damaged and hostile inputs to Wetread, and count what it makes of them."""
    unknown = set(target or ()) - set(TARGETS)
    if unknown:
        raise typer.BadParameter(f"there is no target {', '.join(sorted(unknown))}")
    names = [*(target or TARGETS)]
    counts = {name: collections.Counter[str]() for name in names}
    seconds = dict.fromkeys(names, 0.0)
    shown: set[str] = set()  # a fault that comes a thousand times is printed once
    end = time.monotonic() + 60 * minutes
    number = start
    with tempfile.TemporaryDirectory(prefix="wetread-fuzz-") as place:
        os.environ["WETREAD_HOME"] = str(Path(place) / "home")
        while time.monotonic() < end and (not attempts or number < start + attempts):
            for name in names:
                # Quick targets are tried as long as the slow ones take, not once for each.
                stop = time.monotonic() + 1.0
                inner = number
                while inner == number or (time.monotonic() < stop and not attempts):
                    begun = time.monotonic()
                    outcome, fault = _attempt(name, seed, inner, Path(place))
                    seconds[name] += time.monotonic() - begun
                    counts[name][outcome] += 1
                    if fault and fault not in shown:
                        shown.add(fault)
                        typer.echo(
                            f"{fault}\n  python -m tests.fuzz --target {name} --seed {seed} "
                            f"--start {inner} --attempts 1"
                        )
                    inner += 1
            number += 1 if attempts else 10_000  # rounds do not repeat each other's attempts
    typer.echo(f"{'target':<12}{'tried':>9}{'read':>9}{'refused':>9}{'faults':>8}{'each':>10}")
    for name in names:
        tried = counts[name].total()
        each = f"{1000 * seconds[name] / max(tried, 1):.1f} ms"
        read, refused, faults = (counts[name][k] for k in ("read", "refused", "fault"))
        typer.echo(f"{name:<12}{tried:>9}{read:>9}{refused:>9}{faults:>8}{each:>10}")
    if any(counter["fault"] for counter in counts.values()):
        raise typer.Exit(1)


def _attempt(name: str, seed: int, number: int, place: Path) -> tuple[Outcome, str]:
    """One input of a target: its outcome, and of a fault what it was and where."""
    folder = place / "attempt"
    folder.mkdir()
    try:
        with _time_limit():
            return TARGETS[name](Random(f"{name} {seed} {number}"), folder), ""
    except Exception as error:  # noqa: BLE001 - finding every exception is what this is for
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((f for f in reversed(frames) if f.filename.startswith(OURS)), frames[-1])
        place_of = f"{Path(frame.filename).relative_to(OURS)}:{frame.lineno}"
        words = re.sub(r"\d+", "N", str(error))[:200]
        return "fault", f"{type(error).__name__} at {place_of}: {words!r}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Raises `TooSlowError` in what takes longer than `SLOWEST`, or hangs."""

    def end(number: int, _: object) -> None:
        raise TooSlowError("it hangs" if number == signal.SIGALRM else "it takes too long")

    timers = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {number: signal.signal(number, end) for number in timers}
    signal.setitimer(signal.ITIMER_PROF, SLOWEST)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        for number, timer in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


if __name__ == "__main__":
    typer.run(fuzz)
