"""`wetread cases`: a published data set becomes a case folder that every other command reads."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import NOTES, OUTPUT, OUTPUT_PANEL, Json, print_json, show_progress


class FilmMode(StrEnum):
    """How the films come into the folder."""

    link = "link"
    hard = "hard"
    copy = "copy"


def cases(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="SET",
            help="openi, nih, chexpert, chexpert-plus, mimic-cxr, padchest, padchest-gr, "
            "vindr-cxr, rsna or brax: see docs/datasets.md.",
        ),
    ],
    root: Annotated[Path, typer.Argument(help="Folder with the set as it is published.")],
    out: Annotated[
        Path,
        typer.Option(help="Case folder to make, beside the set.", rich_help_panel=OUTPUT_PANEL),
    ],
    reports: Annotated[
        Path | None,
        typer.Option(help="Folder or ZIP of the reports, where they are not in the set's folder."),
    ] = None,
    films: Annotated[
        FilmMode,
        typer.Option(
            help="`link`: symbolic links to the set's films, which takes no room and needs the set "
            "to stay where it is; `hard`: hard links, on the same disk; `copy`: copies.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = FilmMode.link,
    as_json: Json = False,
) -> None:
    """Make a case folder of a published data set: tables, labels, boxes, reports and priors.

    Its licence and citation are printed, and written beside it. Patients are called by hashes; no
    identifier of the set and no date is written.
    """
    from assistant.datasets.card import card_of, lines_of
    from assistant.datasets.writing import write_cases

    with show_progress("films") as progress:
        written = write_cases(
            dataset, root, out, reports=reports, films=films.value, on_progress=progress
        )
    if as_json:
        print_json(card_of(written))
        return
    for line in lines_of(written):
        OUTPUT.print(line, markup=False)
    NOTES.print(f"licence: {written.info.licence}", markup=False)
    NOTES.print(f"cite: {written.info.citation}", markup=False)
    OUTPUT.print(f"written to {out}; what is in it: {out / 'SOURCE.md'}", markup=False)
