"""The commands of the real films that ship: samples, demo."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.checking import Html, Markdown, Out, choose_form, export_report
from cli.options import (
    NOTES,
    OUTPUT,
    OUTPUT_PANEL,
    Backbone,
    Json,
    LibraryAt,
    Seed,
    open_assistant,
    prepare_one_film,
    print_json,
)

if TYPE_CHECKING:
    from assistant.chest.samples.films import SampleFilm, SampleSet


def samples(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to copy the films to.", rich_help_panel=OUTPUT_PANEL),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the real films that ship with Wetread, with their source and its terms.

    They are of patients that no training has used. `wetread demo NAME` drafts one.
    """
    from assistant.chest.samples.films import read_samples

    shipped = read_samples()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for film in shipped.films:
            shutil.copyfile(film.file, out / film.file.name)
        shutil.copyfile(shipped.file, out / shipped.file.name)
        NOTES.print(f"{len(shipped.films)} films copied to {out}.", markup=False)
    if as_json:
        print_json(asdict(shipped))
        return
    table = Table("film", "what", f"labels of {shipped.data_set}", box=None)
    for film in shipped.films:
        table.add_row(film.name, film.words, ", ".join(film.labels))
    OUTPUT.print(table)
    _print_source(shipped)


def demo(
    film: Annotated[str, typer.Argument(help="Name of a sample film: see `wetread samples`.")] = (
        "nih-2"
    ),
    as_json: Json = False,
    markdown: Markdown = False,
    html: Html = False,
    out: Out = None,
    seed: Seed = 0,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Draft the report of a real film that ships, beside what its data set says of it."""
    from assistant.chest.samples.films import read_samples

    form = choose_form(out, as_json=as_json, markdown=markdown, html=html)
    shipped = read_samples()
    sample = shipped.find(film)
    prepare_one_film(backbone)
    with open_assistant(backbone, library) as assistant:
        report = assistant.draft(sample.file, seed=seed)
    if form:
        export_report(report, form, out)
        return
    _print_labels(sample, shipped)
    export_report(report, form, out)
    _print_source(shipped)


def _print_labels(sample: SampleFilm, shipped: SampleSet) -> None:
    """What the data set says of a film, which the draft does not know."""
    OUTPUT.print(f"{sample.name}: {sample.words}", style="bold", markup=False)
    labels = ", ".join(sample.labels)
    OUTPUT.print(
        f"{shipped.data_set} labels it: {labels} ({shipped.labels}). "
        "The draft is made without these labels.\n",
        markup=False,
    )


def _print_source(shipped: SampleSet) -> None:
    OUTPUT.print(f"\nFilms: {source_of(shipped)}", style="dim", markup=False)


def source_of(shipped: SampleSet) -> str:
    """Where the films are from, on which terms, and what is to be cited."""
    return (
        f"{shipped.data_set}, provided by the {shipped.provider}, {shipped.source} "
        f"({shipped.terms}). {shipped.citation}."
    )
