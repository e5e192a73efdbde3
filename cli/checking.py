"""Reports on paper and screen: how a draft is exported, and the command that checks a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.atomic import write_file
from assistant.errors import SettingsError
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
    open_assistant,
    prepare_one_film,
    read_text,
    show_gate,
    show_neighbour,
)

Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print Markdown.", rich_help_panel=OUTPUT_PANEL)
]
Html = Annotated[
    bool,
    typer.Option(
        "--html", help="Print one page of HTML, made for paper.", rich_help_panel=OUTPUT_PANEL
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write there instead of printing: .json, .html, else Markdown.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
Neighbours = Annotated[int, typer.Option(min=0, help="Similar cases to cite at most.")]
Correct = Annotated[
    bool, typer.Option("--correct", help="First put right a film that is turned or inverted.")
]
FORMS = {".json": "json", ".html": "html", ".htm": "html"}


def check(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    report: Annotated[Path, typer.Argument(help="Text file with a report of that film.")],
    indication: Annotated[str, typer.Option(help="Why the film was taken.")] = "",
    prior: Prior = None,
    prior_report: PriorReport = None,
    as_json: Json = False,
    markdown: Markdown = False,
    html: Html = False,
    out: Out = None,
    neighbours: Neighbours = 5,
    correct: Correct = False,
    anyway: Anyway = False,
    backbone: Backbone = "mini",
    download: Download = False,
    adapter: Adapter = None,
    library: LibraryAt = None,
) -> None:
    """Check a report that someone wrote against its film, sentence by sentence."""
    from assistant.drafting.check import text_to_check

    form = choose_form(out, as_json=as_json, markdown=markdown, html=html)
    text = text_to_check(read_text(report))  # a wrong text is refused before anything is loaded
    prior_text = read_text(prior_report) if prior_report is not None else ""
    prepare_one_film(backbone)
    with open_assistant(backbone, library, adapter, download=download) as assistant:
        checked = assistant.check(
            film,
            text,
            indication=indication,
            prior_report=prior_text,
            prior=prior or None,
            neighbours=neighbours,
            correct=correct,
            anyway=anyway,
        )
    export_report(checked, form, out)


def choose_form(out: Path | None, *, as_json: bool, markdown: bool, html: bool) -> str:
    """The form that is asked for: "json", "markdown", "html", or empty for the terminal.

    Without an option the ending of the file says it. Raises SettingsError for two forms.
    """
    switches = (("json", as_json), ("markdown", markdown), ("html", html))
    chosen = [form for form, on in switches if on]
    if len(chosen) > 1:
        raise SettingsError("Choose one of --json, --markdown and --html.")
    if chosen or out is None:
        return chosen[0] if chosen else ""
    return FORMS.get(out.suffix.lower(), "markdown")


def export_report(report: Any, form: str, out: Path | None) -> None:
    """A report in one of the forms, printed or written to a file; on the terminal without one."""
    from assistant.export.draft_json import draft_json, draft_markdown
    from assistant.export.html import draft_page

    if not form:
        show_report(report)
        return
    text = {"json": draft_json, "markdown": draft_markdown, "html": draft_page}[form](report)
    if out is None:
        sys.stdout.write(text)
    else:
        write_file(out, text.encode())
        NOTES.print(f"Written to {out}.", markup=False)


def show_report(report: Any) -> None:
    """A draft, or a text that was checked, on the terminal."""
    from assistant.export.wording import (
        NOTICES,
        film_notes,
        reasons_of,
        risk_words,
        study_notes,
        use_words,
    )

    OUTPUT.print(NOTICES[report.author], style="dim")
    show_gate(report.gate)
    if report.gate.answer == "refuse" and report.gate.correction and not report.sentences:
        OUTPUT.print("With --correct Wetread puts it right before it reads it.")
    for note in (*film_notes(report.study.films[0]), *study_notes(report)):
        OUTPUT.print(f"\n{note}", style="bold yellow", markup=False)
    for section in ("findings", "impression"):
        sentences = [s for s in report.sentences if s.section == section]
        if sentences:
            OUTPUT.print(f"\n{section.capitalize()}", style="bold")
        for sentence in sentences:
            doubtful = "yellow" if sentence.action in ("flag", "withhold") else ""
            style = doubtful if report.shows(sentence) else "strike"
            OUTPUT.print(f"  {' '.join(sentence.text.split())}", style=style, markup=False, end=" ")
            OUTPUT.print(f"[{risk_words(sentence, report.author)}]", style="dim", markup=False)
            for words in reasons_of(sentence, len(report.neighbours)):
                OUTPUT.print(f"      {words}", style="dim", markup=False)
    if report.abstention and report.gate.answer == "pass":
        OUTPUT.print(f"\n{report.abstention}", style="bold yellow", markup=False)
    if report.neighbours:
        OUTPUT.print("\nSimilar cases", style="bold")
    for neighbour in report.neighbours:
        show_neighbour(neighbour)
    for text, reason in report.removed:
        OUTPUT.print(f"\nRemoved: {text} ({reason})", style="dim", markup=False)
    origin = report.provenance
    if origin.films:
        words = "; ".join(map(use_words, origin.films))
        OUTPUT.print(f"\nFilms: {words}", style="dim", markup=False)
    OUTPUT.print(
        f"\n{origin.backbone} {origin.revision[:12]} · library {origin.library} · "
        f"seed {origin.seed} · {origin.time}",
        style="dim",
        markup=False,
    )
