"""Commands that read films: draft, batch, ask, similar."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.errors import SettingsError
from cli.words import (
    NOTES,
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
    write,
)


def draft(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    indication: Annotated[str, typer.Option(help="Why the film was taken.")] = "",
    prior_report: PriorReport = None,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write there instead of printing.")] = None,
    neighbours: Annotated[int, typer.Option(min=0, help="Similar cases to cite at most.")] = 5,
    samples: Annotated[
        int | None,
        typer.Option(min=0, max=16, help="Other drafts to draw; default: what the risk needs."),
    ] = None,
    correct: Annotated[
        bool, typer.Option("--correct", help="First put right a film that is turned or inverted.")
    ] = False,
    anyway: Anyway = False,
    seed: Seed = 0,
    backbone: Backbone = "mini",
    adapter: Adapter = None,
    library: LibraryAt = None,
) -> None:
    """Draft the report of a film."""
    from assistant.exports import draft_json, draft_markdown

    if as_json and markdown:
        raise SettingsError("Choose one of --json and --markdown.")
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
    if out is not None and not markdown:
        as_json = as_json or out.suffix.lower() == ".json"
    if as_json or markdown or out is not None:
        text = draft_json(report) if as_json else draft_markdown(report)
        if out is None:
            sys.stdout.write(text)
        else:
            write(out, text.encode())
            NOTES.print(f"Written to {out}.", markup=False)
        return
    _show(report)


def batch(
    manifest: Annotated[Path, typer.Argument(help="A folder with cases.csv, or that file.")],
    out: Annotated[Path, typer.Option(help="File for the drafts, one line of JSON a film.")],
    neighbours: Annotated[int, typer.Option(min=0, help="Similar cases to cite at most.")] = 5,
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
    from assistant.exports import ANSWER_NOTICE, answer_dict
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


def _show(report: Any) -> None:
    """The draft on the terminal."""
    from assistant.exports import NOTICE, corrected, evidence_words, risk_words

    OUTPUT.print(NOTICE, style="dim")
    show_gate(report.gate)
    if report.gate.answer == "refuse" and report.gate.correction and not report.sentences:
        OUTPUT.print("With --correct Wetread puts it right before it reads it.")
    if done := corrected(report.study.films[0]):
        OUTPUT.print(f"\n{done}", style="bold yellow", markup=False)
    for section in ("findings", "impression"):
        chosen = [s for s in report.sentences if s.section == section]
        if chosen:
            OUTPUT.print(f"\n{section.capitalize()}", style="bold")
        for sentence in chosen:
            style = {"withhold": "strike", "flag": "yellow"}.get(sentence.action or "", "")
            OUTPUT.print(f"  {sentence.text}", style=style, markup=False, end=" ")
            OUTPUT.print(f"[{risk_words(sentence)}]", style="dim", markup=False)
            for words in evidence_words(sentence, len(report.neighbours)):
                OUTPUT.print(f"      {words}", style="dim", markup=False)
    if report.abstention and report.gate.answer == "pass":
        OUTPUT.print(f"\n{report.abstention}", style="bold yellow", markup=False)
    if report.neighbours:
        OUTPUT.print("\nSimilar cases", style="bold")
    for n in report.neighbours:
        show_neighbour(n)
    for text, reason in report.removed:
        OUTPUT.print(f"\nRemoved: {text} ({reason})", style="dim", markup=False)
    p = report.provenance
    OUTPUT.print(
        f"\n{p.backbone} {p.revision[:12]} · library {p.library} · seed {p.seed} · {p.time}",
        style="dim",
        markup=False,
    )
