"""From an adapter's recipe to its folder: encode the films, train, write, measure.

The base stays frozen. On a Janus base the encoder's outputs are cached, and the adapter is trained
on those; any other image-text-to-text model is trained in `adapters.lora.vlm`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import set_seed

from adapters.adapter_recipe import AdapterRecipe
from adapters.data.cases import load_cases
from adapters.data.composed_cases import add_composed
from adapters.data.tasks import select_for_task
from adapters.lora import vlm
from adapters.lora.card import (
    card_of,
    check_output_folder,
    report_figures,
    run_name_of,
    write_adapter,
)
from adapters.lora.datasets import AdapterDataset, build_dataset, splits_of
from adapters.lora.loop import (
    compute_mean_loss,
    is_first_process,
    let_first_process_go_first,
    train_loop,
)
from adapters.lora.model import (
    HEAD,
    LANGUAGE,
    PAINTING,
    add_adapter,
    find_linear_layers,
    load_trainable,
)
from adapters.lora.score import score_adapter
from assistant.atomic import new_folder
from assistant.backbones.janus.backbone import BACKBONE_FILES
from assistant.backbones.vlm.loading import load_config
from assistant.errors import BackboneError, SettingsError
from assistant.types import OnMessage


def train_adapter(
    recipe: AdapterRecipe,
    base: Path,
    folder: Path,
    out: Path,
    on_message: OnMessage = lambda text: None,
) -> Path:
    """Train an adapter on a frozen base and write it to `out`; returns `out`.

    `base` is a checkpoint folder. `folder` holds films, features and checkpoints: run again
    with the same folder to resume. `on_message` gets a line at every step. Raises SettingsError
    for a base that cannot learn the task, or an `out` that holds anything but an adapter.
    """
    check_output_folder(out)
    config = read_base_config(base)
    is_image_task = recipe.task == "image"
    if config.model_type != "janus" or not (is_image_task or _is_whole_backbone(base)):
        return vlm.train_adapter(recipe, base, folder, out, on_message)
    edge = config.vision_config.image_size
    with let_first_process_go_first():
        loaded = load_cases(recipe.data, folder, seed=recipe.seed, edge=edge, on_message=on_message)
        loaded = add_composed(loaded, recipe.data, folder, recipe.seed)
    cases = select_for_task(loaded, recipe.task)
    card = card_of(recipe, base, cases)
    # All tasks share the cached features, unless this one leaves out some cases.
    all_usable = all(
        len(a) == len(b) for (_, a), (_, b) in zip(splits_of(cases), splits_of(loaded), strict=True)
    )
    parts = (card["base"]["revision"][:12], cases.sha256[:12], "all" if all_usable else recipe.task)
    model = load_trainable(base, half=recipe.schedule.bf16)
    dataset = build_dataset(
        recipe, base, cases, model, folder / "-".join(("seen", *parts)), on_message
    )
    set_seed(recipe.seed)  # whether the features were computed or cached must not matter
    layers = find_linear_layers(model, PAINTING if is_image_task else LANGUAGE)
    adapted = add_adapter(model, recipe.lora, layers, None if is_image_task else HEAD)
    trainable, total = adapted.get_nb_trainable_parameters()
    on_message(f"learning: {trainable:,} of {total:,} parameters, {recipe.schedule.steps} steps")
    run_folder = folder / run_name_of(recipe, card)
    minutes = train_loop(
        adapted, dataset.train, dataset.collate, recipe.schedule, run_folder, seed=recipe.seed
    )
    if not is_first_process():
        return out
    card["trained_minutes"] = round(minutes, 1)
    with new_folder(out) as temporary:
        write_adapter(adapted, temporary, card)
        report_figures(
            card, _measure_figures(recipe, base, temporary, adapted, dataset), temporary, on_message
        )
    on_message(f"written to {out} after {minutes:.0f} minutes of training")
    return out


def _measure_figures(
    recipe: AdapterRecipe, base: Path, temporary: Path, adapted: Any, dataset: AdapterDataset
) -> dict[str, Any]:
    """Measure the held-out figures, the texts with the adapter as it was written."""
    loss = compute_mean_loss(
        adapted, dataset.held_out, dataset.held_out_collate, recipe.schedule.batch
    )
    figures = {"validation_loss": round(loss, 4), "n_examples": len(dataset.held_out)}
    if recipe.task == "image":
        return figures
    text_figures = score_adapter(base, temporary, recipe.task, dataset.cases, dataset.similar)
    return figures | text_figures


def read_base_config(base: Path) -> Any:
    """Read the configuration of a checkpoint folder; SettingsError if it is none."""
    try:
        return load_config(base)
    except BackboneError:
        raise SettingsError(
            f"{base} is no checkpoint folder that transformers knows; name one with --base."
        ) from None


def _is_whole_backbone(base: Path) -> bool:
    """Whether the base is a complete backbone, which has an embedding and can draft."""
    return all((base / name).is_file() for name in BACKBONE_FILES)
