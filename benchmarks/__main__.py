"""`python -m benchmarks`: every figure beside its peer, as a table, and into docs/performance.md.

What a benchmark measured is kept in the scratch folder, so that they may be run one at a time;
the page shows the last of each.
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
        found: list[dict[str, object]] = []
        for figure in importlib.import_module(f"benchmarks.{name}").figures(scratch, quick):
            Console().print(_table([figure]))
            found.append(asdict(figure))
            if not quick:  # one by one: the last peers may take an hour to be built
                kept = json.dumps({"machine": machine(), "figures": found})
                (scratch / f"{name}.json").write_text(kept, encoding="utf-8")
    if write:
        _write(scratch)


def machine() -> str:
    """This machine and what was measured on it, in a line."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        half = "with" if has_bfloat16() else "no"
        processor = f"{named[0]} ({half} bfloat16 instructions)"
    except (OSError, IndexError):
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {processor}, {memory:.0f} GiB, {platform.system()}"


def _cells(figure: PairedFigure) -> tuple[str, ...]:
    if figure.failed:
        return (figure.name, "not measured", figure.peer, "", figure.failed, _bar(figure))
    theirs = _spread(figure.theirs) if figure.theirs else ""
    ratio = _spread(figure.ratios) if figure.theirs else ""
    ours = f"{_spread(figure.ours)} {figure.unit}"
    return (figure.name, ours, figure.peer, theirs, ratio, _bar(figure))


def _bar(figure: PairedFigure) -> str:
    if figure.bar is None:
        return ""
    word = {True: "met", False: "missed", None: "not measured"}[figure.met]
    return f"{figure.bar:g}: {word}"


def _spread(values: Sequence[float]) -> str:
    """The median, and the least and greatest."""
    middle, least, most = (_short(value) for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def _short(value: float) -> str:
    """Three digits, or more where they are whole ones."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _table(figures: Sequence[PairedFigure]) -> Table:
    table = Table(*COLUMNS)
    for figure in figures:
        table.add_row(*_cells(figure))
        if figure.note:
            table.add_row(f"[dim]{figure.note}[/dim]")
    return table


def _markdown(kept: Sequence[tuple[str, str, list[PairedFigure]]]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for _, _, figures in kept:
        for figure in figures:
            yield f"| {' | '.join(_cells(figure))} |"
    yield ""
    told = (figure for _, _, figures in kept for figure in figures if figure.note)
    yield from dict.fromkeys(f"- {figure.name}: {figure.note}." for figure in told)
    yield ""
    for where in dict.fromkeys(machine for _, machine, _ in kept):
        names = ", ".join(name for name, machine, _ in kept if machine == where)
        yield f"Machine ({names}): {where}."
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    yield f"Versions: {versions}. Written {datetime.now(UTC):%Y-%m-%d}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _write(scratch: Path) -> None:
    """Put what is kept between the page's marks; the words around it stay."""
    kept = []
    for name in NAMES:
        file = scratch / f"{name}.json"
        if file.is_file():
            data = json.loads(file.read_text(encoding="utf-8"))
            figures = [
                PairedFigure(**one | {key: tuple(one[key]) for key in ("ours", "theirs")})
                for one in data["figures"]
            ]
            kept.append((name, data["machine"], figures))
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    middle = "\n".join(_markdown(kept))
    PAGE.write_text(f"{before}{BEGIN}\n{middle}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
