"""From an adapter's recipe to its folder: look, learn, measure, write.

The base stays as it is. A Janus base is looked through once for all films, and its language
model learns from that; any other image-text-to-text model learns in `adapters.lora.vlm`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, set_seed

from adapters.adapter_recipe import AdapterRecipe
from adapters.data.cases import load_cases
from adapters.data.tasks import cases_for_task
from adapters.lora import vlm
from adapters.lora.card import card_of, check_out, run_name, state_figures, write_adapter
from adapters.lora.datasets import AdapterDataset, both_splits, dataset_for
from adapters.lora.loop import first_process, is_first_process, mean_loss, train_loop
from adapters.lora.model import LANGUAGE, PAINTING, linear_layers, load_trainable, with_adapter
from adapters.lora.score import held_out_figures
from assistant.atomic import new_folder
from assistant.backbones.janus.backbone import FILES
from assistant.errors import SettingsError
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
    with the same folder to resume. `say` gets a line at every turn. Raises SettingsError for a
    base that cannot learn the task, or an `out` that holds anything but an adapter.
    """
    check_out(out)
    config = base_config(base)
    painted = recipe.task == "image"
    if config.model_type != "janus" or not (painted or _ours(base)):
        return vlm.train_adapter(recipe, base, folder, out, on_message)
    edge = config.vision_config.image_size
    with first_process():
        loaded = load_cases(recipe.data, folder, seed=recipe.seed, edge=edge, on_message=on_message)
    cases = cases_for_task(loaded, recipe.task)
    card = card_of(recipe, base, cases)
    # All tasks share what was seen, unless this one left some cases out.
    kept = all(
        len(a) == len(b)
        for (_, a), (_, b) in zip(both_splits(cases), both_splits(loaded), strict=True)
    )
    parts = (card["base"]["revision"][:12], cases.sha256[:12], "all" if kept else recipe.task)
    pupil = load_trainable(base, half=recipe.schedule.bf16)
    lesson = dataset_for(
        recipe, base, cases, pupil, folder / "-".join(("seen", *parts)), on_message
    )
    set_seed(recipe.seed)  # what came before, or did not because it was kept, must not matter
    layers = linear_layers(pupil, PAINTING if painted else LANGUAGE)
    adapted = with_adapter(pupil, recipe.lora, layers)
    trained, whole = adapted.get_nb_trainable_parameters()
    on_message(f"learning: {trained:,} of {whole:,} parameters, {recipe.schedule.steps} steps")
    run = folder / run_name(recipe, card)
    minutes = train_loop(
        adapted, lesson.train, lesson.collate, recipe.schedule, run, seed=recipe.seed
    )
    if not is_first_process():
        return out
    card["trained_minutes"] = round(minutes, 1)
    with new_folder(out) as temporary:
        write_adapter(adapted, temporary, card)
        state_figures(
            card, _figures(recipe, base, temporary, adapted, lesson), temporary, on_message
        )
    on_message(f"written to {out} after {minutes:.0f} minutes of training")
    return out


def _figures(
    recipe: AdapterRecipe, base: Path, temporary: Path, adapted: Any, lesson: AdapterDataset
) -> dict[str, Any]:
    """The held-out figures."""
    loss = mean_loss(adapted, lesson.held_out, lesson.held_out_collate, recipe.schedule.batch)
    figures = {"validation_loss": round(loss, 4), "n_examples": len(lesson.held_out)}
    if recipe.task == "image":
        return figures
    told = held_out_figures(base, temporary, recipe.task, lesson.cases, lesson.similar)
    return figures | told


def base_config(base: Path) -> Any:
    """The configuration of a checkpoint folder; SettingsError where it is none."""
    try:
        return AutoConfig.from_pretrained(base, local_files_only=True)
    except (OSError, ValueError):
        raise SettingsError(
            f"{base} is no checkpoint folder that transformers knows; name one with --base."
        ) from None


def _ours(base: Path) -> bool:
    """Whether the base is a whole backbone, which has an embedding and can be drafted with."""
    return all((base / name).is_file() for name in FILES)
