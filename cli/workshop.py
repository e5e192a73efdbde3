"""Commands of the workshop: train, eval, serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.errors import SettingsError
from cli.words import (
    NOTES,
    OUTPUT,
    Backbone,
    Json,
    LibraryAt,
    Seed,
    opened,
    print_json,
    progress_of,
    write,
)


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


def calibrate(
    backbone: Backbone = "mini",
    cases: Annotated[
        Path | None,
        typer.Option(help="Case table or imagefolder with reports; default: phantoms."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=20, help="Films at most.")] = 600,
    site: Annotated[
        list[str] | None,
        typer.Option(help="A site of phantoms, one or more; default: A."),
    ] = None,
    error: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of false sentences among the kept.")
    ] = 0.01,
    samples: Annotated[int, typer.Option(min=0, max=16, help="Other drafts of each film.")] = 5,
    library: LibraryAt = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for risk.json; default: the backbone's.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where films are kept.")] = None,
) -> None:
    """Fit the risk of a backbone's sentences on its own drafts of films whose truth is known."""
    from adapters.calibrate import calibrate as run
    from adapters.calibrate import known_cases, write_risk
    from assistant.backbones.load import backbone_folder
    from assistant.chest.phantoms.film import site_named
    from assistant.home import cache_folder

    def say(text: str) -> None:
        NOTES.print(text, markup=False)

    sites = [site_named(letter).name for letter in site or ["A"]]
    known, about = known_cases(cases, n, sites, work or cache_folder() / "calibrate", say)
    with opened(backbone, library) as assistant:
        model = run(assistant, known, about, samples=samples, error=error, say=say)
    path = write_risk(model, out or backbone_folder(backbone))
    OUTPUT.print(
        f"{path}: {model.sentences} sentences of {model.fitted_on}; kept up to risk "
        f"{model.keep:.3f}, withheld from {min(model.withhold, 1):.3f}",
        markup=False,
    )


def evaluate(
    suite: Annotated[
        str,
        typer.Argument(
            help="`mini`: held-out phantoms; `real`: a folder of real films; `fidelity`: how far "
            "phantoms lie from them; `gate`: what is refused and what let pass; `risk`: whether "
            "the risk of a sentence tells the false ones; `looking`: whether the writer looks at "
            "the film; `labeller`: "
            "how the words of the Open-i reports are read."
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
            write(out / "results.json", (json.dumps(results, indent=2) + "\n").encode())

    parts = [name.strip() for name in only.split(",") if name.strip()]
    with progress_of(f"eval {suite}") as progress:
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
        write(card, evals.on_card(card, results))
    if as_json:
        print_json(results)
    else:
        for line in evals.table(results):
            OUTPUT.print(line, markup=False)


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 7860,
    backbone: Backbone = "mini",
    library: LibraryAt = None,
) -> None:
    """Serve the chat at 127.0.0.1."""
    import app as chat

    with opened(backbone, library) as assistant:
        chat.serve(assistant, port=port)
