"""What the commands share: options, the two streams, and writing to disk.

What a person reads goes to the error stream's console, so that --json leaves only JSON on the
output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from assistant import parsing

# The panels that the help of a command groups its options by.
OUTPUT_PANEL = "Output"
MODEL_PANEL = "Backbone and library"
EMBEDDED = "mini"  # the backbone that ships
MAX_REPORT = 1_000_000  # bytes of a text with a report

Json = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT_PANEL)]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same output.")]
Backbone = Annotated[
    str,
    typer.Option(
        help="`mini`, a checkpoint folder, ORG/NAME@COMMIT of the hub, or a settings file that "
        "names an encoder, a writer and a painter (docs/backbones.md).",
        rich_help_panel=MODEL_PANEL,
    ),
]
Download = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Fetch from the hub what is not on this machine yet.",
        rich_help_panel=MODEL_PANEL,
    ),
]
Adapter = Annotated[
    list[Path] | None,
    typer.Option(
        "--adapter",
        help="Adapter folder, instead of the backbone's own for its task.",
        rich_help_panel=MODEL_PANEL,
    ),
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Read the film even where the gate refuses it.")
]
LibraryAt = Annotated[
    Path | None,
    typer.Option(
        "--library",
        help="Folder of the library; default: the user's own.",
        rich_help_panel=MODEL_PANEL,
    ),
]
PriorReport = Annotated[
    Path | None, typer.Option(help="Text file with the report of an earlier film.")
]
Prior = Annotated[
    list[Path] | None,
    typer.Option(
        "--prior", help="An earlier film of the patient, or its study's folder, to compare with."
    ),
]
NOTES = Console(stderr=True, highlight=False)
OUTPUT = Console(highlight=False, soft_wrap=True)


def prepare_one_film(backbone: str) -> None:
    """Make a command on one film quick, before the libraries are imported that it takes.

    The process that decodes the film starts on another core meanwhile. The embedded default gains
    little from a second thread, and loses much where another program has the second core
    (`assistant.backbones.threads`): it gets one, unless the user has chosen.
    """
    from assistant.intake.decoding import start_decoder

    if backbone == EMBEDDED:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    start_decoder()


@contextmanager
def open_assistant(
    backbone: str,
    library: Path | None,
    adapters: Sequence[Path] | None = None,
    *,
    download: bool = False,
) -> Iterator[Any]:
    """The assistant with its library, closed at the end."""
    from transformers.utils import logging

    from assistant import Assistant

    logging.disable_progress_bar()
    with Assistant.load(backbone, library, adapters or (), download=download) as loaded:
        stats = loaded.library.stats() if loaded.library else None
        if stats and stats.embedded < stats.cases:
            NOTES.print(
                f"{stats.cases - stats.embedded} cases of the library were filed with another "
                "backbone and cannot be found; run `wetread library rebuild` to embed them.",
                style="yellow",
            )
        yield loaded


class _Rate(ProgressColumn):
    """How many are done a second, or a minute where they are few."""

    def render(self, task: Task) -> Text:
        """The rate, empty as long as it is not known."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{speed * 60:.1f}/min")


@contextmanager
def show_progress(title: str) -> Iterator[Any]:
    """A bar on the error stream; gives a function of how much is done, of how much."""
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_json(value: Any) -> None:
    """JSON on the output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_note(text: str) -> None:
    """A line for a person, on the error stream."""
    NOTES.print(text, markup=False)


def read_text(path: Path) -> str:
    """The text of a file of 1 MB at most; SettingsError where it is none."""
    return parsing.read_text(path, most=MAX_REPORT)


def show_gate(gate: Any) -> None:
    """What the gate says, if that is more than that the film passes."""
    if gate.answer != "pass":
        from assistant.export.wording import GATE_HEADS

        head = GATE_HEADS[gate.answer].upper()
        OUTPUT.print(f"\n{head}: {gate.reason}", style="bold yellow", markup=False)


def show_neighbour(neighbour: Any) -> None:
    """A similar case in one line."""
    words = describe_case(neighbour)
    OUTPUT.print(f"  {neighbour.case}  {neighbour.similarity:5.2f}  {words}", markup=False)


def describe_case(case: Any) -> str:
    """How the report of a case or a similar case begins, or its labels."""
    words = " ".join(case.report.split()) or ", ".join(case.labels) or "no report"
    return words if len(words) <= 110 else words[:107] + "..."
