"""Reports on paper and screen: how a draft is given out, and the command that checks a text."""

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
    Adapter,
    Anyway,
    Backbone,
    Download,
    Json,
    LibraryAt,
    PriorReport,
    open_assistant,
    show_gate,
    show_neighbour,
    text_of,
)

Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Html = Annotated[bool, typer.Option("--html", help="Print one page of HTML, made for paper.")]
Out = Annotated[
    Path | None, typer.Option(help="Write there instead of printing: .json, .html, else Markdown.")
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

    form = form_of(out, as_json=as_json, markdown=markdown, html=html)
    text = text_to_check(text_of(report))  # a wrong text is told before anything is loaded
    before = text_of(prior_report) if prior_report is not None else ""
    with open_assistant(backbone, library, adapter, download=download) as assistant:
        found = assistant.check(
            film,
            text,
            indication=indication,
            prior_report=before,
            neighbours=neighbours,
            correct=correct,
            anyway=anyway,
        )
    give_out(found, form, out)


def form_of(out: Path | None, *, as_json: bool, markdown: bool, html: bool) -> str:
    """The form that is asked for: "json", "markdown", "html", or empty for the terminal.

    Without an option the ending of the file says it. Raises SettingsError for two forms.
    """
    asked = [form for form, on in (("json", as_json), ("markdown", markdown), ("html", html)) if on]
    if len(asked) > 1:
        raise SettingsError("Choose one of --json, --markdown and --html.")
    if asked or out is None:
        return asked[0] if asked else ""
    return FORMS.get(out.suffix.lower(), "markdown")


def give_out(report: Any, form: str, out: Path | None) -> None:
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
    from assistant.export.wording import NOTICES, correction_words, reasons_of, risk_words

    OUTPUT.print(NOTICES[report.author], style="dim")
    show_gate(report.gate)
    if report.gate.answer == "refuse" and report.gate.correction and not report.sentences:
        OUTPUT.print("With --correct Wetread puts it right before it reads it.")
    if done := correction_words(report.study.films[0]):
        OUTPUT.print(f"\n{done}", style="bold yellow", markup=False)
    for section in ("findings", "impression"):
        chosen = [s for s in report.sentences if s.section == section]
        if chosen:
            OUTPUT.print(f"\n{section.capitalize()}", style="bold")
        for sentence in chosen:
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
