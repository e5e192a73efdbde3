"""`python -m benchmarks`: every figure against its peer, as a table, and into docs/performance.md.

The figures of a benchmark are kept in the scratch folder, so that benchmarks can run one at a
time; the page shows the last figures of each.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from assistant.backbones.device import has_bfloat16
from benchmarks.figures import PairedFigure

NAMES = ("starting", "drafting", "painting", "decoding", "search", "adding", "memory")
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
LIBRARIES = ("torch", "transformers", "faiss-cpu", "hnswlib", "lancedb", "qdrant-edge-py")
COLUMNS = ("figure", "ours", "peer", "peer's", "ratio", "bar")


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(NAMES)}; all.")] = None,
    scratch: Annotated[Path, typer.Option(help="Folder for what is made once.")] = Path(
        ".wetread/benchmarks"
    ),
    quick: Annotated[bool, typer.Option(help="Small and once: to try them out.")] = False,
    write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Measure, print each figure, and keep it."""
    scratch = scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    for name in names or NAMES:
        if name not in NAMES:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(NAMES)}.")
        measured: list[dict[str, object]] = []
        for figure in importlib.import_module(f"benchmarks.{name}").measure(scratch, quick):
            Console().print(_make_table([figure]))
            measured.append(asdict(figure))
            if not quick:  # one by one: the last peers may take an hour to be built
                record = json.dumps({"machine": describe_machine(), "figures": measured})
                (scratch / f"{name}.json").write_text(record, encoding="utf-8")
    if write:
        _write_page(scratch)


def describe_machine() -> str:
    """Describe this machine in a line."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        half = "with" if has_bfloat16() else "no"
        processor = f"{models[0]} ({half} bfloat16 instructions)"
    except (OSError, IndexError):
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {processor}, {memory:.0f} GiB, {platform.system()}"


def _row_cells(figure: PairedFigure) -> tuple[str, ...]:
    if figure.failed:
        return (figure.name, "not measured", figure.peer, "", figure.failed, _format_bar(figure))
    theirs = _format_spread(figure.theirs) if figure.theirs else ""
    ratio = _format_spread(figure.ratios) if figure.theirs else ""
    ours = f"{_format_spread(figure.ours)} {figure.unit}"
    return (figure.name, ours, figure.peer, theirs, ratio, _format_bar(figure))


def _format_bar(figure: PairedFigure) -> str:
    if figure.bar is None:
        return ""
    word = {True: "met", False: "missed", None: "not measured"}[figure.met]
    return f"{figure.bar:g}: {word}"


def _format_spread(values: Sequence[float]) -> str:
    """The median, and the least and greatest."""
    middle, least, most = (
        _format_number(value) for value in (median(values), min(values), max(values))
    )
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def _format_number(value: float) -> str:
    """Three digits, or more where they are whole ones."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _make_table(figures: Sequence[PairedFigure]) -> Table:
    table = Table(*COLUMNS)
    for figure in figures:
        table.add_row(*_row_cells(figure))
        if figure.note:
            table.add_row(f"[dim]{figure.note}[/dim]")
    return table


def _markdown_lines(measured: Sequence[tuple[str, str, list[PairedFigure]]]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for _, _, figures in measured:
        for figure in figures:
            yield f"| {' | '.join(_row_cells(figure))} |"
    yield ""
    noted = (figure for _, _, figures in measured for figure in figures if figure.note)
    yield from dict.fromkeys(f"- {figure.name}: {figure.note}." for figure in noted)
    yield ""
    for measured_on in dict.fromkeys(machine for _, machine, _ in measured):
        names = ", ".join(name for name, machine, _ in measured if machine == measured_on)
        yield f"Machine ({names}): {measured_on}."
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    yield f"Versions: {versions}. Written {datetime.now(UTC):%Y-%m-%d}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _write_page(scratch: Path) -> None:
    """Write the kept figures between the marks of the page; the text around them stays."""
    measured = []
    for name in NAMES:
        path = scratch / f"{name}.json"
        if path.is_file():
            data = json.loads(path.read_text(encoding="utf-8"))
            figures = [
                PairedFigure(**fields | {key: tuple(fields[key]) for key in ("ours", "theirs")})
                for fields in data["figures"]
            ]
            measured.append((name, data["machine"], figures))
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    middle = "\n".join(_markdown_lines(measured))
    PAGE.write_text(f"{before}{BEGIN}\n{middle}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
