"""Commands that read films: draft, batch, ask, similar."""

from __future__ import annotations

import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.checking import Correct, Html, Markdown, Neighbours, Out, choose_form, export_report
from cli.options import (
    NOTES,
    OUTPUT,
    OUTPUT_PANEL,
    Adapter,
    Anyway,
    Backbone,
    Download,
    Json,
    LibraryAt,
    Prior,
    PriorReport,
    Seed,
    open_assistant,
    prepare_one_film,
    print_json,
    read_text,
    show_gate,
    show_neighbour,
    show_progress,
)

Paths = Annotated[
    bool,
    typer.Option(
        "--paths",
        help="Name each film's file in its line; it may name the patient.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]


class Engine(StrEnum):
    """What drafts a batch."""

    LOCAL = "local"
    RAY = "ray"


def draft(
    films: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILM ...",
            help="The films of one study, frontal and lateral in any order: DICOM, PNG, JPEG or "
            "TIFF files, or the folder of the study.",
        ),
    ],
    indication: Annotated[str, typer.Option(help="Why the film was taken.")] = "",
    prior: Prior = None,
    prior_report: PriorReport = None,
    as_json: Json = False,
    markdown: Markdown = False,
    html: Html = False,
    out: Out = None,
    neighbours: Neighbours = 5,
    samples: Annotated[
        int | None,
        typer.Option(min=0, max=16, help="Other drafts to draw; default: what the risk needs."),
    ] = None,
    correct: Correct = False,
    anyway: Anyway = False,
    seed: Seed = 0,
    backbone: Backbone = "mini",
    download: Download = False,
    adapter: Adapter = None,
    library: LibraryAt = None,
) -> None:
    """Draft the report of a study: of a frontal film, with its laterals and an earlier film."""
    form = choose_form(out, as_json=as_json, markdown=markdown, html=html)
    prior_text = read_text(prior_report) if prior_report is not None else ""
    prepare_one_film(backbone)
    with open_assistant(backbone, library, adapter, download=download) as assistant:
        report = assistant.draft(
            films,
            indication=indication,
            prior_report=prior_text,
            prior=prior or None,
            neighbours=neighbours,
            seed=seed,
            samples=samples,
            correct=correct,
            anyway=anyway,
        )
    export_report(report, form, out)


def batch(
    manifest: Annotated[
        Path,
        typer.Argument(help="A folder of films, its table, a Parquet file or a folder of them."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="File for the drafts, one line of JSON a film.", rich_help_panel=OUTPUT_PANEL
        ),
    ],
    neighbours: Neighbours = 5,
    seed: Seed = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that read films; default: half the processors.",
            rich_help_panel="Engine",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Go on where the same command was stopped, or begin anew.")
    ] = True,
    paths: Paths = False,
    engine: Annotated[
        Engine,
        typer.Option(
            help="`local`, or `ray` for the actors of a Ray cluster.", rich_help_panel="Engine"
        ),
    ] = Engine.LOCAL,
    actors: Annotated[
        int,
        typer.Option(min=1, help="Backbones at work, with `ray`.", rich_help_panel="Engine"),
    ] = 1,
    gpus_per_actor: Annotated[
        float, typer.Option(min=0.0, help="Of each, with `ray`.", rich_help_panel="Engine")
    ] = 0.0,
    as_json: Json = False,
    backbone: Backbone = "mini",
    adapter: Adapter = None,
    library: LibraryAt = None,
) -> None:
    """Draft the reports of any number of films."""
    from assistant.batch.manifest import list_rows
    from assistant.batch.run import draft_folder

    list_rows(manifest)  # a wrong path is refused before anything is loaded
    settings = {"neighbours": neighbours, "seed": seed, "resume": resume, "show_paths": paths}
    try:
        if engine is Engine.RAY:
            from assistant.batch.ray_engine import RayPlan, draft_on_ray

            plan = RayPlan(backbone, library, tuple(adapter or ()), actors, gpus_per_actor)
            with show_progress("films") as progress:
                summary = draft_on_ray(plan, manifest, out, **settings, on_progress=progress)
        else:
            readers = (os.cpu_count() or 1) // 2 if workers is None else workers
            with (
                open_assistant(backbone, library, adapter) as assistant,
                show_progress("films") as progress,
            ):
                summary = draft_folder(
                    assistant, manifest, out, **settings, workers=readers, on_progress=progress
                )
    except KeyboardInterrupt:
        NOTES.print("Stopped; run the same command again to go on where it was.")
        raise typer.Exit(130) from None
    if as_json:
        print_json({"out": str(out), **asdict(summary)})
        return
    OUTPUT.print(
        f"{summary.drafted} of {summary.cases} films drafted to {out}; {summary.warned} of them "
        f"carry a warning, {summary.refused} were refused, {summary.failed} could not be read",
        markup=False,
    )


def ask(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    question: Annotated[str, typer.Argument(help="What you want to know of the film.")],
    prior: Prior = None,
    prior_report: PriorReport = None,
    anyway: Anyway = False,
    adapter: Adapter = None,
    as_json: Json = False,
    seed: Seed = 0,
    backbone: Backbone = "mini",
    download: Download = False,
) -> None:
    """Ask a question about a film."""
    prepare_one_film(backbone)
    from transformers.utils import logging

    from assistant.assistant import Assistant
    from assistant.backbones.loading import load_backbone
    from assistant.export.draft_json import answer_dict
    from assistant.export.wording import ANSWER_NOTICE, evidence_words, risk_words

    prior_text = read_text(prior_report) if prior_report is not None else ""
    logging.disable_progress_bar()
    assistant = Assistant(load_backbone(backbone, adapter or (), download=download))
    answer = assistant.ask(
        film, question, prior_report=prior_text, prior=prior or None, seed=seed, anyway=anyway
    )
    if as_json:
        print_json(answer_dict(answer))
        return
    OUTPUT.print(ANSWER_NOTICE, style="dim")
    show_gate(answer.gate)
    OUTPUT.print(f"\n{answer.text}", markup=False)
    if answer.sentence is not None:
        verdict = f"[{risk_words(answer.sentence)}] {answer.sentence.reason}"
        OUTPUT.print(f"  {verdict}", style="dim", markup=False)
        for words in evidence_words(answer.sentence, 0):
            OUTPUT.print(f"      {words}", style="dim", markup=False)


def similar(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many cases.")] = 5,
    as_json: Json = False,
    backbone: Backbone = "mini",
    download: Download = False,
    library: LibraryAt = None,
) -> None:
    """List the library's cases most like a film."""
    from assistant.export.draft_json import neighbour_dict

    prepare_one_film(backbone)
    with open_assistant(backbone, library, download=download) as assistant:
        neighbours = assistant.similar(film, k)
    if as_json:
        print_json({"neighbours": [neighbour_dict(neighbour) for neighbour in neighbours]})
        return
    if not neighbours:
        OUTPUT.print("The library holds no other case; add some with `wetread library add FOLDER`.")
    for neighbour in neighbours:
        show_neighbour(neighbour)
