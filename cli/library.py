"""`wetread library`: what is in the library of cases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.options import (
    NOTES,
    OUTPUT,
    Backbone,
    Json,
    LibraryAt,
    describe_case,
    open_assistant,
    print_json,
    show_progress,
)

library_app = typer.Typer(no_args_is_help=True, help="The library of cases.")


@library_app.command("add")
def library_add(
    path: Annotated[Path, typer.Argument(help="A folder with cases.csv, or one film.")],
    report: Annotated[str, typer.Option(help="The report, when one film is added.")] = "",
    allow_synthetic: Annotated[bool, typer.Option(help="Take synthetic films too.")] = False,
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Add a folder of films, or one film, to the library."""
    from assistant.cases.ingest import IngestSummary, add_film, add_folder
    from assistant.intake import read_film

    with open_assistant(backbone, library) as assistant, show_progress("films") as progress:
        cases = assistant.require_library()
        if path.is_dir():
            summary = add_folder(
                assistant.backbone,
                cases,
                path,
                on_progress=progress,
                allow_synthetic=allow_synthetic,
            )
        else:
            film = read_film(path)
            added = add_film(
                assistant.backbone, cases, film, report=report, allow_synthetic=allow_synthetic
            )
            summary = IngestSummary(int(added.new), int(not added.new), ())
    if as_json:
        refused = [{"row": row, "reason": reason} for row, reason in summary.refused]
        print_json({"added": summary.added, "known": summary.known, "refused": refused})
        return
    OUTPUT.print(
        f"{summary.added} added, {summary.known} known already, {len(summary.refused)} refused"
    )
    for _, reason in summary.refused:
        NOTES.print(reason, markup=False)


@library_app.command("find")
def library_find(
    words: Annotated[
        list[str] | None, typer.Argument(help="Findings, as `left effusion`, or any words.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only cases from there.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many cases at most.")] = 50,
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Find cases by what they assert, or by words in them, the newest first."""
    from assistant.cases.search import case_dict, search_cases

    with open_assistant(backbone, library) as assistant:
        matches = search_cases(
            assistant.require_library(), " ".join(words or ()), source=source, limit=limit
        )
    if as_json:
        print_json({"cases": [case_dict(case) for case in matches]})
        return
    if not matches:
        OUTPUT.print("The library holds no such case.")
    for case in matches:
        OUTPUT.print(f"  {case.id}  {case.source}  {describe_case(case)}", markup=False)


@library_app.command("remove")
def library_remove(
    case: Annotated[str, typer.Argument(help="The case's id.")],
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Remove a case from the library."""
    with open_assistant(backbone, library) as assistant:
        assistant.library.remove(case)
    if as_json:
        print_json({"removed": case})
    else:
        OUTPUT.print(f"{case} removed")


@library_app.command("stats")
def library_stats(
    as_json: Json = False, backbone: Backbone = "mini", library: LibraryAt = None
) -> None:
    """Say what the library holds."""
    with open_assistant(backbone, library) as assistant:
        stats = asdict(assistant.library.stats())
    stats["sources"] = dict(stats["sources"])
    if as_json:
        print_json(stats)
        return
    for key, value in stats.items():
        OUTPUT.print(f"{key.replace('_', ' ')}: {value}", markup=False)


@library_app.command("rebuild")
def library_rebuild(
    as_json: Json = False, backbone: Backbone = "mini", library: LibraryAt = None
) -> None:
    """Embed what this backbone has not embedded yet, and build the index anew."""
    from assistant.cases.ingest import refresh

    with open_assistant(backbone, library) as assistant:
        embedded = refresh(assistant.backbone, assistant.require_library())
        cases = assistant.library.stats().cases
    if as_json:
        print_json({"cases": cases, "embedded_anew": embedded})
    else:
        OUTPUT.print(f"Index built over {cases} cases, {embedded} of them embedded anew")


@library_app.command("verify")
def library_verify(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Keep what is whole, and the damaged database aside."),
    ] = False,
    as_json: Json = False,
    library: LibraryAt = None,
) -> None:
    """Compare every row and file of the library with its checksum; 2 is returned for damage."""
    from assistant.paths import library_folder
    from retrieval import repair_library, verify_library

    folder = library or library_folder()
    result = repair_library(folder) if repair else verify_library(folder)
    if as_json:
        aside = result.kept_aside.name if result.kept_aside else None
        print_json({**asdict(result), "kept_aside": aside, "repaired": repair})
    else:
        for damage in result.damages:
            name = f"case {damage.case}: " if damage.case else ""
            OUTPUT.print(f"{name}{damage.fault}; {damage.remedy}", markup=False)
        OUTPUT.print(
            f"{result.cases} cases, {result.vectors} vectors and {result.pictures} pictures are "
            f"whole; {len(result.damages)} faults"
        )
        if result.kept_aside:
            OUTPUT.print(f"Repaired; the damaged database is {result.kept_aside}", markup=False)
    if result.damages and not repair:
        NOTES.print("The library is damaged: `wetread library verify --repair` mends it.")
        raise typer.Exit(2)
