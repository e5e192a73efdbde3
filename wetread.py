"""The command line: `wetread COMMAND`.

It turns words into calls of the other rooms and values into words. Whatever a user can put
right ends as one sentence on the error stream and exit code 2.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from assistant.errors import SettingsError, WetreadError

# What a person reads goes to the error stream's console, so that --json leaves only JSON on
# the output. Libraries' own chatter would bury it.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
library_app = typer.Typer(no_args_is_help=True, help="The library of cases.")
app.add_typer(library_app, name="library")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same output.")]
Backbone = Annotated[str, typer.Option(help="`mini`, or a checkpoint folder.")]
LibraryAt = Annotated[
    Path | None, typer.Option("--library", help="Folder of the library; default: the user's own.")
]
NOTES = Console(stderr=True, highlight=False)
OUTPUT = Console(highlight=False, soft_wrap=True)


@contextmanager
def _assistant(backbone: str, library: Path | None) -> Iterator[Any]:
    from transformers.utils import logging

    from assistant import Assistant

    logging.disable_progress_bar()
    with Assistant.load(backbone, library) as loaded:
        stats = loaded.library.stats() if loaded.library else None
        if stats and stats.embedded < stats.cases:
            NOTES.print(
                f"{stats.cases - stats.embedded} cases of the library were filed with another "
                "backbone and cannot be found; run `wetread library rebuild` to embed them.",
                style="yellow",
            )
        yield loaded


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _write(path: Path, data: bytes) -> None:
    """Write beside and rename, so that what was there is whole until the new is."""
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); name another.") from None


@app.command()
def draft(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    indication: Annotated[str, typer.Option(help="Why the film was taken.")] = "",
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write there instead of printing.")] = None,
    neighbours: Annotated[int, typer.Option(min=0, help="Similar cases to cite at most.")] = 5,
    seed: Seed = 0,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Draft the report of a film."""
    from assistant.exports import draft_json, draft_markdown

    if as_json and markdown:
        raise SettingsError("Choose one of --json and --markdown.")
    with _assistant(backbone, library) as assistant:
        report = assistant.draft(film, indication=indication, neighbours=neighbours, seed=seed)
    if out is not None and not markdown:
        as_json = as_json or out.suffix.lower() == ".json"
    if as_json or markdown or out is not None:
        text = draft_json(report) if as_json else draft_markdown(report)
        if out is None:
            sys.stdout.write(text)
        else:
            _write(out, text.encode())
            NOTES.print(f"Written to {out}.", markup=False)
        return
    _show(report)


@app.command()
def batch(
    manifest: Annotated[Path, typer.Argument(help="A folder with cases.csv, or that file.")],
    out: Annotated[Path, typer.Option(help="File for the drafts, one line of JSON a film.")],
    neighbours: Annotated[int, typer.Option(min=0, help="Similar cases to cite at most.")] = 5,
    seed: Seed = 0,
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Draft the reports of a folder of films."""
    from assistant.batch import draft_folder, read_manifest

    read_manifest(manifest)  # a wrong path is told before anything is loaded
    with _assistant(backbone, library) as assistant, _progress("films") as progress:
        done = draft_folder(
            assistant, manifest, out, neighbours=neighbours, seed=seed, progress=progress
        )
    if as_json:
        _print_json({"out": str(out), **asdict(done)})
        return
    OUTPUT.print(
        f"{done.drafted} of {done.cases} films drafted to {out}; {done.warned} of them carry a "
        f"warning, {done.failed} could not be read",
        markup=False,
    )


def _show(report: Any) -> None:
    """The draft on the terminal."""
    from assistant.exports import NOTICE

    OUTPUT.print(NOTICE, style="dim")
    if report.gate.answer != "pass":
        OUTPUT.print(f"\nWARNING: {report.gate.reason}", style="bold yellow", markup=False)
    for section in ("findings", "impression"):
        chosen = [s for s in report.sentences if s.section == section]
        if chosen:
            OUTPUT.print(f"\n{section.capitalize()}", style="bold")
        for sentence in chosen:
            cited = f"; {len(sentence.citations)} of {len(report.neighbours)} similar cases agree"
            note = (
                f"[{sentence.verdict}{cited if sentence.assertions and report.neighbours else ''}]"
            )
            OUTPUT.print(f"  {sentence.text}", markup=False, end=" ")
            OUTPUT.print(note, style="dim", markup=False)
    if report.neighbours:
        OUTPUT.print("\nSimilar cases", style="bold")
    for n in report.neighbours:
        _show_neighbour(n)
    for text, reason in report.removed:
        OUTPUT.print(f"\nRemoved: {text} ({reason})", style="dim", markup=False)
    p = report.provenance
    OUTPUT.print(
        f"\n{p.backbone} {p.revision[:12]} · library {p.library} · seed {p.seed} · {p.time}",
        style="dim",
        markup=False,
    )


def _show_neighbour(neighbour: Any) -> None:
    words = " ".join(neighbour.report.split()) or ", ".join(neighbour.labels) or "no report"
    words = words if len(words) <= 110 else words[:107] + "..."
    OUTPUT.print(f"  {neighbour.case}  {neighbour.similarity:5.2f}  {words}", markup=False)


@app.command()
def paint(
    out: Annotated[Path, typer.Option(help="Folder for the films.")],
    prompt: Annotated[str, typer.Argument(help="What the film should show.")] = "",
    report: Annotated[
        Path | None, typer.Option(help="Report or draft (JSON) to paint, instead of a prompt.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="png or dicom.")] = "png",
    site: Annotated[str, typer.Option(help="Style of a site: A, B, C or D.")] = "",
    seed: Seed = 0,
    count: Annotated[int, typer.Option(min=1, max=16, help="How many films.")] = 1,
    guidance: Annotated[float, typer.Option(help="1 or more; higher follows closer.")] = 3.0,
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Paint synthetic films from text, read them back, and compare them with the library."""
    from assistant.chest.phantoms.film import site_named
    from assistant.paintings import SUFFIXES, caption, file_of, painting_dict, prompt_of_report

    if form not in SUFFIXES:
        raise SettingsError(f"--format {form} is not known; choose {' or '.join(SUFFIXES)}.")
    if bool(prompt) == (report is not None):
        raise SettingsError("Say what the film should show, or give --report; one of the two.")
    if site:
        site_named(site)
    if report is not None:
        prompt = prompt_of_report(_text_of(report))
    with _assistant(backbone, library) as assistant:
        paintings = assistant.paint(prompt, seed=seed, count=count, guidance=guidance, site=site)
    written = []
    for number, painting in enumerate(paintings):
        asked = painting.provenance.prompt_sha256[:12]
        path = out / f"painting-{asked}-seed{seed}-{number}{SUFFIXES[form]}"
        _write(path, file_of(painting, form))
        written.append({"file": str(path), **painting_dict(painting)})
    if as_json:
        _print_json({"paintings": written})
        return
    for item, painting in zip(written, paintings, strict=True):
        OUTPUT.print(f"Synthetic film written to {item['file']}", markup=False)
        OUTPUT.print(f"  {caption(painting)}", style="dim", markup=False)


@app.command()
def ask(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    question: Annotated[str, typer.Argument(help="What you want to know of the film.")],
    prior_report: Annotated[
        Path | None, typer.Option(help="Text file with the report of an earlier film.")
    ] = None,
    adapter: Annotated[
        list[Path] | None, typer.Option(help="Adapter folder, instead of the backbone's own.")
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    backbone: Backbone = "mini",
) -> None:
    """Ask a question about a film."""
    from transformers.utils import logging

    from assistant.backbones.load import load_backbone
    from assistant.exports import ANSWER_NOTICE, answer_dict
    from assistant.walk import Assistant

    before = _text_of(prior_report) if prior_report is not None else ""
    logging.disable_progress_bar()
    assistant = Assistant(load_backbone(backbone, adapter or ()))
    answer = assistant.ask(film, question, prior_report=before, seed=seed)
    if as_json:
        _print_json(answer_dict(answer))
        return
    OUTPUT.print(ANSWER_NOTICE, style="dim")
    if answer.gate.answer != "pass":
        OUTPUT.print(f"\nWARNING: {answer.gate.reason}", style="bold yellow", markup=False)
    OUTPUT.print(f"\n{answer.text}", markup=False)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{path} cannot be read as UTF-8 text; name another file.") from None


@app.command()
def similar(
    film: Annotated[Path, typer.Argument(help="A DICOM, PNG, JPEG or TIFF file.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many cases.")] = 5,
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """List the library's cases most like a film."""
    from assistant.exports import neighbour_dict

    with _assistant(backbone, library) as assistant:
        found = assistant.similar(film, k)
    if as_json:
        _print_json({"neighbours": [neighbour_dict(n) for n in found]})
        return
    if not found:
        OUTPUT.print("The library holds no other case; add some with `wetread library add FOLDER`.")
    for neighbour in found:
        _show_neighbour(neighbour)


@app.command()
def phantom(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    n: Annotated[int, typer.Option("--n", help="How many films.")] = 10,
    seed: Seed = 0,
    site: Annotated[str, typer.Option(help="Site: A, B, C or D.")] = "A",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    priors: Annotated[bool, typer.Option("--priors", help="Write earlier films too.")] = False,
    as_json: Json = False,
) -> None:
    """Write synthetic chest films with their exact truth."""
    from assistant.chest.phantoms import write_phantoms

    with _progress("phantoms") as progress:
        write_phantoms(out, n, seed=seed, site=site, split=split, priors=priors, progress=progress)
    if as_json:
        _print_json({"out": str(out), "n": n, "seed": seed, "site": site, "split": split})
    else:
        OUTPUT.print(f"{n} phantoms written to {out}", markup=False)


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
    from assistant.filing import Filed, add_film, add_folder
    from assistant.intake import read_film

    with _assistant(backbone, library) as assistant, _progress("films") as progress:
        if path.is_dir():
            filed = add_folder(assistant, path, progress=progress, allow_synthetic=allow_synthetic)
        else:
            film = read_film(path)
            one = add_film(assistant, film, report=report, allow_synthetic=allow_synthetic)
            filed = Filed(int(one.new), int(not one.new), ())
    if as_json:
        refused = [{"file": name, "reason": reason} for name, reason in filed.refused]
        _print_json({"added": filed.added, "known": filed.known, "refused": refused})
        return
    OUTPUT.print(f"{filed.added} added, {filed.known} known already, {len(filed.refused)} refused")
    for _, reason in filed.refused:
        NOTES.print(reason, markup=False)


@library_app.command("remove")
def library_remove(
    case: Annotated[str, typer.Argument(help="The case's id.")],
    as_json: Json = False,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Remove a case from the library."""
    with _assistant(backbone, library) as assistant:
        assistant.library.remove(case)
    if as_json:
        _print_json({"removed": case})
    else:
        OUTPUT.print(f"{case} removed")


@library_app.command("stats")
def library_stats(
    as_json: Json = False, backbone: Backbone = "mini", library: LibraryAt = None
) -> None:
    """Say what the library holds."""
    with _assistant(backbone, library) as assistant:
        stats = asdict(assistant.library.stats())
    stats["sources"] = dict(stats["sources"])
    if as_json:
        _print_json(stats)
        return
    for key, value in stats.items():
        OUTPUT.print(f"{key.replace('_', ' ')}: {value}", markup=False)


@library_app.command("rebuild")
def library_rebuild(
    as_json: Json = False, backbone: Backbone = "mini", library: LibraryAt = None
) -> None:
    """Embed what this backbone has not embedded yet, and build the index anew."""
    from assistant.filing import refresh

    with _assistant(backbone, library) as assistant:
        embedded = refresh(assistant)
        cases = assistant.library.stats().cases
    if as_json:
        _print_json({"cases": cases, "embedded_anew": embedded})
    else:
        OUTPUT.print(f"Index built over {cases} cases, {embedded} of them embedded anew")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name, or a TOML file.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; of an adapter, by default in its base's folder."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="An adapter's base: `mini`, or a checkpoint folder.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Checkpoints; name it again to resume.")] = None,
) -> None:
    """Train a backbone or an adapter by a recipe; a killed run goes on where it was."""
    from adapters.lora_recipe import AdapterRecipe, read_any
    from assistant.backbones.load import backbone_folder
    from assistant.home import cache_folder

    plan, folder = read_any(recipe), work or cache_folder() / "train"
    from transformers.utils import logging

    logging.disable_progress_bar()  # those of files; the training's own stays

    def say(text: str) -> None:
        NOTES.print(text, markup=False)

    if isinstance(plan, AdapterRecipe):
        from adapters.lora import train_adapter

        home = backbone_folder(base or plan.base)
        train_adapter(plan, home, folder, out or home / "adapters" / plan.task, say)
        return
    if base is not None or out is None:
        raise SettingsError("A backbone's recipe has no base, and needs a folder named with --out.")
    from adapters.train import train as run

    run(plan, folder, out, say)


@app.command("eval")
def evaluate(
    suite: Annotated[
        str,
        typer.Argument(
            help="`mini`: held-out phantoms; `real`: a folder of real films; `fidelity`: how far "
            "phantoms lie from them."
        ),
    ] = "mini",
    only: Annotated[
        str, typer.Option(help="Parts of `mini`, parted by commas; default: all.")
    ] = "",
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Films; default: what each part holds right.")
    ] = None,
    seed: Seed = 90210,
    site: Annotated[str, typer.Option(help="Letter of the phantoms' site.")] = "A",
    data: Annotated[Path | None, typer.Option(help="Folder of real films.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json.")] = None,
    card: Annotated[
        Path | None, typer.Option(help="A backbone's card.json, to state the figures on.")
    ] = None,
    as_json: Json = False,
    backbone: Backbone = "mini",
) -> None:
    """Measure a backbone and print each figure with n, unscored, interval and bar."""
    import evals

    def keep(results: dict[str, Any]) -> None:
        if out is not None:
            _write(out / "results.json", (json.dumps(results, indent=2) + "\n").encode())

    parts = [name.strip() for name in only.split(",") if name.strip()]
    with _progress(f"eval {suite}") as progress:
        results = evals.run(
            suite,
            backbone=backbone,
            n=n,
            seed=seed,
            data=data,
            only=parts,
            site=site,
            progress=progress,
            keep=keep,  # a part that is done is not lost with a run that is stopped
        )
    keep(results)
    if card is not None:
        _write(card, evals.on_card(card, results))
    if as_json:
        _print_json(results)
    else:
        for line in evals.table(results):
            OUTPUT.print(line, markup=False)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 7860,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Serve the chat at 127.0.0.1."""
    import app as chat

    with _assistant(backbone, library) as assistant:
        chat.serve(assistant, port=port)


def main() -> None:
    """Run the command line; errors a user can put right end in one sentence and exit code 2."""
    try:
        app()
    except WetreadError as error:
        NOTES.print(f"wetread: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
