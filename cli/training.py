"""Commands that teach: train and calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.errors import SettingsError
from cli.options import (
    OUTPUT,
    Backbone,
    LibraryAt,
    open_assistant,
    print_note,
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
    data: Annotated[
        Path | None,
        typer.Option(help="Real films to learn from: a folder with cases.csv."),
    ] = None,
) -> None:
    """Train a backbone or an adapter by a recipe; a killed run goes on where it was."""
    from adapters.adapter_recipe import AdapterRecipe, read_any_recipe
    from assistant.backbones.loading import backbone_folder
    from assistant.paths import cache_folder

    plan, checkpoints = read_any_recipe(recipe, data), work or cache_folder() / "train"
    from transformers.utils import logging

    logging.disable_progress_bar()  # those of files; the training's own stays

    if isinstance(plan, AdapterRecipe):
        from adapters.lora.train import train_adapter

        base_folder = backbone_folder(base or plan.base)
        if out is None and plan.is_private and (plan.notice or (base or plan.base) == "mini"):
            raise SettingsError(
                "What is learnt from a folder of films does not go into the installed `mini`; "
                "name a folder of your own with --out."
            )
        destination = out or base_folder / "adapters" / plan.task
        if plan.notice:
            print_note(plan.notice)
        train_adapter(plan, base_folder, checkpoints, destination, print_note)
        if plan.notice:  # again, since training has written many lines
            print_note(plan.notice)
        return
    if base is not None or out is None:
        raise SettingsError("A backbone's recipe has no base, and needs a folder named with --out.")
    from adapters.pretrain.train import train_backbone

    train_backbone(plan, checkpoints, out, print_note, data)


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
    split: Annotated[
        str | None, typer.Option(help="Only the table's films with this mark, such as val.")
    ] = None,
    phantoms: Annotated[int, typer.Option(min=0, help="Phantoms beside the cases.")] = 0,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="What a report does not mention counts as absent."),
    ] = False,
    library: LibraryAt = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for risk.json, or with --probe for the new backbone."),
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where films are kept.")] = None,
) -> None:
    """Fit a backbone's risk, and with --probe its probe, on films of which the truth is known."""
    from adapters.calibration.calibrate import (
        CalibrationFilms,
        load_cases_with_truth,
        write_risk,
    )
    from adapters.calibration.calibrate import calibrate as fit_risk
    from adapters.calibration.probe import refit_probe_on_half
    from assistant.backbones.loading import backbone_folder
    from assistant.cases.ingest import refresh
    from assistant.chest.phantoms.film import site_named
    from assistant.paths import cache_folder

    sites = [site_named(letter).name for letter in site or ["A"]]
    folder = out if out is not None and not probe else backbone_folder(backbone)
    films = CalibrationFilms(cases, n, tuple(sites), phantoms, split, complete)
    labelled, description = load_cases_with_truth(
        films, work or cache_folder() / "calibrate", print_note
    )
    if probe:
        if out is None:
            raise SettingsError("A probe taught anew makes a new backbone; name its folder: --out.")
        labelled = refit_probe_on_half(folder, labelled, out, print_note)
        backbone, folder = str(out), out
    with open_assistant(backbone, library) as assistant:
        # Its cases are found by what this probe says of them.
        refresh(assistant.backbone, assistant.require_library())
        model = fit_risk(
            assistant, labelled, description, samples=samples, error=error, on_message=print_note
        )
    path = write_risk(model, out or folder)
    OUTPUT.print(
        f"{path}: {model.sentences} sentences of {model.fitted_on}; kept up to risk "
        f"{model.keep:.3f}, withheld from {min(model.withhold, 1):.3f}",
        markup=False,
    )
