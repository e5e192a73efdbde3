"""Commands that read films: draft, batch, ask, similar."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.reviews import Correct, Html, Markdown, Neighbours, Out, form_of, give_out
from cli.words import (
    OUTPUT,
    Adapter,
    Anyway,
    Backbone,
    Json,
    LibraryAt,
    PriorReport,
    Seed,
    opened,
    print_json,
    progress_of,
    show_gate,
    show_neighbour,
    text_of,
)


def draft(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    indication: Annotated[str, typer.Option(help="Why the film was taken.")] = "",
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
    adapter: Adapter = None,
    library: LibraryAt = None,
) -> None:
    """Draft the report of a film."""
    form = form_of(out, as_json=as_json, markdown=markdown, html=html)
    before = text_of(prior_report) if prior_report is not None else ""
    with opened(backbone, library, adapter) as assistant:
        report = assistant.draft(
            film,
            indication=indication,
            prior_report=before,
            neighbours=neighbours,
            seed=seed,
            samples=samples,
            correct=correct,
            anyway=anyway,
        )
    give_out(report, form, out)


def batch(
    manifest: Annotated[Path, typer.Argument(help="A folder with cases.csv, or that file.")],
    out: Annotated[Path, typer.Option(help="File for the drafts, one line of JSON a film.")],
    neighbours: Neighbours = 5,
    seed: Seed = 0,
    as_json: Json = False,
    backbone: Backbone = "mini",
    adapter: Adapter = None,
    library: LibraryAt = None,
) -> None:
    """Draft the reports of a folder of films."""
    from assistant.batch import draft_folder, read_manifest

    read_manifest(manifest)  # a wrong path is told before anything is loaded
    with opened(backbone, library, adapter) as assistant, progress_of("films") as progress:
        done = draft_folder(
            assistant, manifest, out, neighbours=neighbours, seed=seed, progress=progress
        )
    if as_json:
        print_json({"out": str(out), **asdict(done)})
        return
    OUTPUT.print(
        f"{done.drafted} of {done.cases} films drafted to {out}; {done.warned} of them carry a "
        f"warning, {done.refused} were refused, {done.failed} could not be read",
        markup=False,
    )


def ask(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    question: Annotated[str, typer.Argument(help="What you want to know of the film.")],
    prior_report: PriorReport = None,
    anyway: Anyway = False,
    adapter: Adapter = None,
    as_json: Json = False,
    seed: Seed = 0,
    backbone: Backbone = "mini",
) -> None:
    """Ask a question about a film."""
    from transformers.utils import logging

    from assistant.backbones.load import load_backbone
    from assistant.exports import ANSWER_NOTICE, answer_dict, evidence_words, risk_words
    from assistant.walk import Assistant

    before = text_of(prior_report) if prior_report is not None else ""
    logging.disable_progress_bar()
    assistant = Assistant(load_backbone(backbone, adapter or ()))
    answer = assistant.ask(film, question, prior_report=before, seed=seed, anyway=anyway)
    if as_json:
        print_json(answer_dict(answer))
        return
    OUTPUT.print(ANSWER_NOTICE, style="dim")
    show_gate(answer.gate)
    OUTPUT.print(f"\n{answer.text}", markup=False)
    if answer.sentence is not None:
        told = f"[{risk_words(answer.sentence)}] {answer.sentence.reason}"
        OUTPUT.print(f"  {told}", style="dim", markup=False)
        for words in evidence_words(answer.sentence, 0):
            OUTPUT.print(f"      {words}", style="dim", markup=False)


def similar(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many cases.")] = 5,
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """List the library's cases most like a film."""
    from assistant.exports import neighbour_dict

    with opened(backbone, library) as assistant:
        found = assistant.similar(film, k)
    if as_json:
        print_json({"neighbours": [neighbour_dict(n) for n in found]})
        return
    if not found:
        OUTPUT.print("The library holds no other case; add some with `wetread library add FOLDER`.")
    for neighbour in found:
        show_neighbour(neighbour)
