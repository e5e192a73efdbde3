"""Running the command line in this process, as a shell would see it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

import wetread


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def run(capfd: pytest.CaptureFixture[str], *words: object) -> Outcome:
    """Run `wetread WORDS` and return exit code, output and error stream."""
    capfd.readouterr()
    patch = pytest.MonkeyPatch()
    patch.setattr(sys, "argv", ["wetread", *map(str, words)])
    patch.setenv("COLUMNS", "400")  # sentences are not wrapped for a narrow terminal
    try:
        wetread.main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    finally:
        patch.undo()
    captured = capfd.readouterr()
    return Outcome(code, captured.out, captured.err)
