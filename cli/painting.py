"""Commands that make films: paint, phantom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.atomic import write_file
from assistant.errors import SettingsError
from cli.options import (
    OUTPUT,
    Backbone,
    Download,
    Json,
    LibraryAt,
    Seed,
    open_assistant,
    print_json,
    read_text,
    show_progress,
)


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
    download: Download = False,
    library: LibraryAt = None,
) -> None:
    """Paint synthetic films from text, read them back, and compare them with the library."""
    from assistant.chest.phantoms.film import site_named
    from assistant.painting.painting import (
        SUFFIXES,
        caption_of,
        file_of,
        painting_dict,
        prompt_of_report,
    )

    if form not in SUFFIXES:
        raise SettingsError(f"--format {form} is not known; choose {' or '.join(SUFFIXES)}.")
    if bool(prompt) == (report is not None):
        raise SettingsError("Say what the film should show, or give --report; one of the two.")
    if site:
        site_named(site)
    if report is not None:
        prompt = prompt_of_report(read_text(report))
    with open_assistant(backbone, library, download=download) as assistant:
        paintings = assistant.paint(prompt, seed=seed, count=count, guidance=guidance, site=site)
    written = []
    for number, painting in enumerate(paintings):
        prompt_hash = painting.provenance.prompt_sha256[:12]
        path = out / f"painting-{prompt_hash}-seed{seed}-{number}{SUFFIXES[form]}"
        write_file(path, file_of(painting, form))
        written.append({"file": str(path), **painting_dict(painting)})
    if as_json:
        print_json({"paintings": written})
        return
    for item, painting in zip(written, paintings, strict=True):
        OUTPUT.print(f"Synthetic film written to {item['file']}", markup=False)
        OUTPUT.print(f"  {caption_of(painting)}", style="dim", markup=False)


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

    with show_progress("phantoms") as progress:
        write_phantoms(
            out, n, seed=seed, site=site, split=split, priors=priors, on_progress=progress
        )
    if as_json:
        print_json({"out": str(out), "n": n, "seed": seed, "site": site, "split": split})
    else:
        OUTPUT.print(f"{n} phantoms written to {out}", markup=False)
