"""Commands of the workshop: train, eval, serve."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from assistant.atomic import write_whole
from assistant.errors import SettingsError
from cli.options import (
    NOTES,
    OUTPUT,
    Backbone,
    Download,
    Json,
    LibraryAt,
    Seed,
    opened,
    print_json,
    progress_of,
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
    from adapters.adapter_recipe import AdapterRecipe, read_any
    from assistant.backbones.loading import backbone_folder
    from assistant.paths import cache_folder

    plan, folder = read_any(recipe), work or cache_folder() / "train"
    from transformers.utils import logging

    logging.disable_progress_bar()  # those of files; the training's own stays

    def say(text: str) -> None:
        NOTES.print(text, markup=False)

    if isinstance(plan, AdapterRecipe):
        from adapters.lora.train import train_adapter

        home = backbone_folder(base or plan.base)
        train_adapter(plan, home, folder, out or home / "adapters" / plan.task, say)
        return
    if base is not None or out is None:
        raise SettingsError("A backbone's recipe has no base, and needs a folder named with --out.")
    from adapters.pretrain.train import train as run

    run(plan, folder, out, say)


def calibrate(
    backbone: Backbone = "mini",
    cases: Annotated[
        Path | None,
        typer.Option(help="Case table, imagefolder or library; default: phantoms."),
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
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Teach the probe anew first, from half of the patients."),
    ] = False,
    library: LibraryAt = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for risk.json, or with --probe for the new backbone."),
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where films are kept.")] = None,
) -> None:
    """Fit a backbone's risk, and with --probe its probe, on films of which the truth is known."""
    from adapters.calibration.calibrate import calibrate as run
    from adapters.calibration.calibrate import known_cases, write_risk
    from adapters.calibration.probe import teach_half
    from assistant.backbones.loading import backbone_folder
    from assistant.cases.ingest import refresh
    from assistant.chest.phantoms.film import site_named
    from assistant.paths import cache_folder

    def say(text: str) -> None:
        NOTES.print(text, markup=False)

    sites = [site_named(letter).name for letter in site or ["A"]]
    home = out if out is not None and not probe else backbone_folder(backbone)
    known, about = known_cases(cases, n, sites, work or cache_folder() / "calibrate", say)
    if probe:
        if out is None:
            raise SettingsError("A probe taught anew makes a new backbone; name its folder: --out.")
        known = teach_half(home, known, out, say)
        backbone, home = str(out), out
    with opened(backbone, library) as assistant:
        refresh(assistant)  # its cases are found by what this probe says of them
        model = run(assistant, known, about, samples=samples, error=error, say=say)
    path = write_risk(model, out or home)
    OUTPUT.print(
        f"{path}: {model.sentences} sentences of {model.fitted_on}; kept up to risk "
        f"{model.keep:.3f}, withheld from {min(model.withhold, 1):.3f}",
        markup=False,
    )


def evaluate(
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            help="One or more of report, image, risk, gate, looking, shift, privacy, mini (the "
            "bars of the embedded default), smoke (a minute), real, fidelity, labeller, or all; "
            "default: mini. `compare A B` compares two results. See docs/evaluation.md."
        ),
    ] = None,
    only: Annotated[
        str, typer.Option(help="Parts of a suite, parted by commas; default: all.")
    ] = "",
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Films; default: what each part holds right.")
    ] = None,
    seed: Seed = 90210,
    site: Annotated[str, typer.Option(help="Letter of the phantoms' site.")] = "A",
    data: Annotated[Path | None, typer.Option(help="Folder of real films or reports.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Reports made elsewhere, JSON lines, for `report`.")
    ] = None,
    generated: Annotated[
        Path | None, typer.Option(help="Folder of pictures made elsewhere, for `image`.")
    ] = None,
    real: Annotated[
        Path | None, typer.Option(help="Folder of films that they are held against.")
    ] = None,
    canaries: Annotated[
        Path | None, typer.Option(help="Sentences planted in the training, for `privacy`.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="A neural score's weights, as NAME=PATH: see docs/evaluation.md."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json and card.html.")] = None,
    card: Annotated[
        Path | None, typer.Option(help="A backbone's card.json, to state the figures on.")
    ] = None,
    as_json: Json = False,
    backbone: Backbone = "mini",
) -> None:
    """Measure and print each figure with n, unscored, interval and bar."""
    import evals
    from assistant.paths import card_file

    named = suites or ["mini"]
    if named[0] == "compare":
        _compare(named[1:], out, as_json)
        return
    with progress_of(f"eval {' '.join(named)}") as progress:
        results = evals.run(
            named,
            backbone=backbone,
            n=n,
            seed=seed,
            data=data,
            predictions=predictions,
            generated=generated,
            real=real,
            canaries=canaries,
            weights=_placed(weights or []),
            only=[name.strip() for name in only.split(",") if name.strip()],
            site=site,
            out=out,
            progress=progress,
        )
    if card is not None:
        write_whole(card, evals.on_card(card, results))
    if as_json:
        print_json(results)
    else:
        for line in evals.table(results):
            OUTPUT.print(line, markup=False)
    evals.write_results(results, card_file().parent)  # the chat shows the last one's page


def _placed(weights: list[str]) -> dict[str, str]:
    """Names and paths of NAME=PATH."""
    if odd := [one for one in weights if "=" not in one]:
        raise SettingsError(f"--weights {odd[0]} names no score; write NAME=PATH.")
    return dict(one.split("=", 1) for one in weights)


def _compare(named: list[str], out: Path | None, as_json: bool) -> None:
    """The differences of two results, in pairs."""
    import evals

    if len(named) != 2:
        raise SettingsError("Name two results to compare: wetread eval compare A.json B.json.")
    found = evals.compare(*(evals.read_results(Path(name)) for name in named))
    if out is not None:
        write_whole(out / "comparison.json", (json.dumps(found, indent=2) + "\n").encode())
    if as_json:
        print_json(found)
    else:
        for line in evals.lines(found):
            OUTPUT.print(line, markup=False)


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the chat listens.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address; another than this machine's own is warned of.")
    ] = "127.0.0.1",
    user: Annotated[
        str | None,
        typer.Option(help="Name that visitors must give, with the password in WETREAD_PASSWORD."),
    ] = None,
    backbone: Backbone = "mini",
    download: Download = False,
    library: LibraryAt = None,
) -> None:
    """Serve the chat, by default to this machine alone."""
    import app as chat

    known = None
    if user is not None:
        # Never on the command line, where every user of the machine reads it.
        known = user, os.environ.get("WETREAD_PASSWORD", "")
        if not all(known):
            raise SettingsError(
                "A user needs a name and a password; put the password into the environment as "
                "WETREAD_PASSWORD."
            )
    chat.serve(opened(backbone, library, download=download), port=port, host=host, user=known)
