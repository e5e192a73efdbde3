"""Commands that measure: eval, and eval compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.atomic import write_file
from assistant.errors import SettingsError
from cli.options import OUTPUT, OUTPUT_PANEL, Backbone, Json, Seed, print_json, show_progress


def _data_option(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel="Data")


def _films_option(text: str, **limits: Any) -> Any:
    return typer.Option(help=text, rich_help_panel="Real films, for `films`", **limits)


def _output_option(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=OUTPUT_PANEL)


Uncovered = Annotated[
    int,
    _data_option(
        "With `labeller`: print this many of the commonest abnormal sentences of the reports in "
        "which it reads no claim, and of their word groups. A sentence is abnormal if its report "
        "is coded so, no normal report holds it, and it neither denies, calls normal nor advises: "
        "see docs/labeller.md. The text is printed and kept nowhere."
    ),
]


Split = Annotated[
    str, _films_option("Take the films with this value in the column `split`; default: all.")
]
Train = Annotated[
    Path | None,
    _films_option(
        "Folder of known cases, for the nearest case and similar cases; default: the films of "
        "--data that are marked `train`, where another split is measured."
    ),
]
Laterals = Annotated[
    Path | None,
    _films_option(
        "Folder or table of the lateral films of the same patients; default: the laterals.csv of "
        "--data, and its films whose view is a lateral one."
    ),
]
Others = Annotated[
    list[Path] | None,
    _films_option(
        "Folder of films that should be refused or warned of, children's say; may be repeated."
    ),
]
Positives = Annotated[
    int, _films_option("Positive films that a finding needs to count in the mean.", min=1)
]
Only = Annotated[
    str,
    typer.Option(
        help="Parts of a suite, parted by commas; default: all. Those of films are findings, "
        "reports, risk, gate, looking, similar, places, groups and views."
    ),
]
Predictions = Annotated[
    Path | None, _data_option("Reports made elsewhere, JSON lines, for `report`.")
]
Generated = Annotated[Path | None, _data_option("Folder of pictures made elsewhere, for `image`.")]
RealPictures = Annotated[Path | None, _data_option("Folder of films that they are held against.")]
Weights = Annotated[
    list[str] | None,
    _data_option("A neural score's weights, as NAME=PATH: see docs/evaluation.md."),
]


def evaluate(
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            help="One or more of report, image, risk, gate, looking, shift, privacy, mini (the "
            "bars of the embedded default), smoke (a minute), films (real films with reports or "
            "labels), fidelity, labeller, or all; "
            "default: mini. `compare A B` compares two results. See docs/evaluation.md."
        ),
    ] = None,
    only: Only = "",
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Films; default: what each part holds right.")
    ] = None,
    seed: Seed = 90210,
    site: Annotated[str, typer.Option(help="Letter of the phantoms' site.")] = "A",
    data: Annotated[Path | None, _data_option("Folder of real films or reports.")] = None,
    predictions: Predictions = None,
    generated: Generated = None,
    real: RealPictures = None,
    canaries: Annotated[
        Path | None, _data_option("Sentences planted in the training, for `privacy`.")
    ] = None,
    weights: Weights = None,
    split: Split = "",
    train: Train = None,
    laterals: Laterals = None,
    others: Others = None,
    positives: Positives = 15,
    uncovered: Uncovered = 0,
    out: Annotated[Path | None, _output_option("Folder for results.json and card.html.")] = None,
    card: Annotated[
        Path | None, _output_option("A backbone's card.json, to state the figures on.")
    ] = None,
    as_json: Json = False,
    backbone: Backbone = "mini",
) -> None:
    """Measure and print each figure with n, unscored, interval and bar."""
    import evals
    from assistant.paths import card_file

    names = suites or ["mini"]
    if names[0] == "compare":
        _compare_results(names[1:], out, as_json)
        return
    with show_progress(f"eval {' '.join(names)}") as progress:
        results = evals.run(
            names,
            backbone=backbone,
            n=n,
            seed=seed,
            data=data,
            predictions=predictions,
            generated=generated,
            real=real,
            canaries=canaries,
            weights=_parse_weights(weights or []),
            only=[name.strip() for name in only.split(",") if name.strip()],
            site=site,
            split=split,
            train=train,
            laterals=laterals,
            others=others or (),
            positives=positives,
            out=out,
            on_progress=progress,
        )
    if card is not None:
        write_file(card, evals.update_backbone_card(card, results))
    if as_json:
        print_json(results)
    else:
        for line in evals.format_results(results):
            OUTPUT.print(line, markup=False)
    if uncovered and data is not None and not as_json:
        for text, count in evals.list_uncovered(data, uncovered):
            OUTPUT.print(f"{count:5} {text}", markup=False)
    evals.write_results(results, card_file().parent)  # the chat shows the last one's page


def _parse_weights(weights: list[str]) -> dict[str, str]:
    """Names and paths of NAME=PATH."""
    if malformed := [value for value in weights if "=" not in value]:
        raise SettingsError(f"--weights {malformed[0]} names no score; write NAME=PATH.")
    return dict(value.split("=", 1) for value in weights)


def _compare_results(names: list[str], out: Path | None, as_json: bool) -> None:
    """The differences of two results, in pairs."""
    import evals

    if len(names) != 2:
        raise SettingsError("Name two results to compare: wetread eval compare A.json B.json.")
    comparison = evals.compare(*(evals.read_results(Path(name)) for name in names))
    if out is not None:
        write_file(out / "comparison.json", (json.dumps(comparison, indent=2) + "\n").encode())
    if as_json:
        print_json(comparison)
    else:
        for line in evals.format_comparison(comparison):
            OUTPUT.print(line, markup=False)
