"""From a recipe to a backbone folder: the three stages, the gate's reference, the card.

A run keeps its checkpoints in one folder, so that the same command resumes it after a kill. The
result is written to a temporary folder and renamed when it is complete.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import JanusForConditionalGeneration, PreTrainedTokenizerFast, set_seed

from adapters.backbone_recipe import Recipe
from adapters.data.phantom_arrays import PhantomArrays, load_phantom_arrays, questions_of
from adapters.pretrain.architecture import build_model, build_tokenizer
from adapters.pretrain.embedding import fit_embedding, fit_label_thresholds
from adapters.pretrain.encoder import EncoderStage, FilmBatches, initialise_encoder
from adapters.pretrain.gate_reference import fit_reference
from adapters.pretrain.language_model import (
    READ,
    SPEAK,
    TALK,
    LanguageBatches,
    LanguageStage,
    cache_frozen_outputs,
)
from adapters.pretrain.measurements import fit_measurements
from adapters.pretrain.picture_tokeniser import (
    CodebookCallback,
    PictureBatches,
    Tokeniser,
    grain_of,
)
from adapters.pretrain.probe import cache_probe_features, train_probe
from adapters.trainer import run_stage
from assistant.atomic import new_file, new_folder
from assistant.backbones.hashes import HASHES, hash_files
from assistant.backbones.probe.measurements import MEASUREMENTS_FILE, MeasurementModel
from assistant.backbones.probe.pooling import pool_patches
from assistant.backbones.probe.probe import Probe
from assistant.backbones.probe.test_time import label_logits_of_views
from assistant.chest.phantoms import FINDINGS, SITES
from assistant.errors import SettingsError
from assistant.types import OnMessage

MIRROR_FILMS = 8000  # films whose mirror images the probe is trained on
EMBEDDING_FILMS = 3000  # films for the embedding, the measurements and the gate's reference


def train_backbone(
    recipe: Recipe, folder: Path, out: Path, on_message: OnMessage = lambda text: None
) -> Path:
    """Train a backbone by a recipe and write it to `out`; returns `out`.

    `folder` holds phantoms and checkpoints: run again with the same folder to resume. `on_message`
    gets a line at every step. Runs on a GPU if torch finds one.
    """
    _check_output_folder(out)
    started = time.monotonic()
    run_folder = folder / f"{recipe.name}-{recipe.sha256[:12]}"
    run_folder.mkdir(parents=True, exist_ok=True)
    data = recipe.data
    on_message(f"phantoms: {data.train} of site A and {data.others} of each other site to train on")
    train_arrays = _load_phantoms(recipe, folder, "A", "train", data.train, on_message)
    held_out_arrays = _load_phantoms(recipe, folder, "A", "validation", data.validation, on_message)
    other_sites = [s for s in SITES if s != "A" and data.others]
    parts = [
        train_arrays,
        *(_load_phantoms(recipe, folder, s, "train", data.others, on_message) for s in other_sites),
    ]
    set_seed(recipe.seed)
    tokenizer = build_tokenizer(_iterate_texts(train_arrays.records), recipe.model.vocabulary)
    model: Any = build_model(recipe.model, tokenizer)
    if torch.cuda.is_available():
        model.to("cuda")
    probe = _train_encoder(model, train_arrays, recipe, run_folder, on_message)
    reference, measurements = _finish_encoder(
        model, probe, train_arrays, held_out_arrays, tokenizer, recipe, on_message
    )
    _train_tokeniser(model, parts, recipe, run_folder, on_message)
    size = recipe.model.painting_size
    for site, part in zip(("A", *other_sites), parts, strict=True):
        reference[f"grain.{site}"] = grain_of(model.model.vqmodel, part.films, size)
    _train_language_model(model, tokenizer, parts, recipe, run_folder, on_message)
    minutes = (time.monotonic() - started) / 60
    _write_backbone(model, tokenizer, probe, measurements, reference, recipe, out, minutes)
    on_message(f"written to {out} after {minutes:.0f} minutes of this run")
    return out


def _iterate_texts(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Iterate over the texts that the base and its adapters are to write, for the tokenizer."""
    for number, record in enumerate(records):
        yield f" Findings: {record['findings']}\nImpression: {record['impression']}"
        yield f" {record['caption']} {record['comparison']}"
        if number < 2000:
            for question in questions_of(record, np.random.default_rng([0, number])):
                yield f" {question.question}\n {question.answer} {question.prior}"


def _load_phantoms(
    recipe: Recipe, folder: Path, site: str, split: str, count: int, on_message: OnMessage
) -> PhantomArrays:
    def on_progress(done: int, total: int) -> None:
        if done % 1000 == 0 or done == total:
            on_message(f"phantoms: {done} of {total} rendered (site {site}, {split})")

    return load_phantom_arrays(
        folder, count, recipe.data.seed, site=site, split=split, on_progress=on_progress
    )


def _train_encoder(
    model, arrays: PhantomArrays, recipe: Recipe, run_folder: Path, on_message: OnMessage
) -> Probe:
    on_message("stage 1 of 3: the encoder and its probe learn where findings lie")
    initialise_encoder(model.model.vision_model, arrays.films)
    films = FilmBatches(arrays, augment=True)
    encoder_stage = EncoderStage(model.model.vision_model)
    run_stage(encoder_stage, films, films.collate, recipe.see, run_folder / "see", seed=recipe.seed)
    encoder_stage.focus()
    run_stage(
        encoder_stage,
        films,
        films.collate,
        recipe.focus,
        run_folder / "focus",
        seed=recipe.seed + 1,
    )
    return _train_probe_on_mirror_images(
        model, encoder_stage.probe.cpu(), arrays, recipe, run_folder, on_message
    )


def _train_probe_on_mirror_images(
    model,
    probe: Probe,
    arrays: PhantomArrays,
    recipe: Recipe,
    run_folder: Path,
    on_message: OnMessage,
) -> Probe:
    """Train the probe on mirror images too, or load it if that is finished."""
    final = run_folder / "mirror.safetensors"
    if final.is_file():
        return Probe.load(final)
    on_message("the probe learns to read films in a mirror too")
    films, encode = FilmBatches(arrays, augment=True), _build_patch_encoder(model)
    count = min(len(arrays), MIRROR_FILMS)

    def iterate_views() -> Iterator[tuple[torch.Tensor, torch.Tensor, np.ndarray]]:
        torch.manual_seed(recipe.seed)
        for start in range(0, count, 32):
            batch = films.collate(list(range(start, min(start + 32, count))))
            pixels = batch["pixels"]
            yield encode(pixels), encode(pixels.flip(-1)), batch["labels"].numpy()

    features = run_folder / "mirror.npy"
    train_probe(probe, cache_probe_features(count, iterate_views(), features), seed=recipe.seed)
    features.unlink()
    with new_file(final) as temporary:
        probe.save(temporary)
    return probe


def _build_patch_encoder(model) -> Callable[[torch.Tensor], torch.Tensor]:
    """Build a function to patch features (B, N, W) from pixels (B, 3, H, W)."""
    vision = model.model.vision_model.eval()

    @torch.no_grad()
    def encode(pixels: torch.Tensor) -> torch.Tensor:
        return vision(pixel_values=pixels.to(model.device)).last_hidden_state.cpu()

    return encode


@torch.no_grad()
def _encode_films(model, films: np.ndarray, probe: Probe) -> tuple[torch.Tensor, ...]:
    """Label logits (N, L), mean features (N, W) and profiles (N, P) of films."""
    encode, patch = _build_patch_encoder(model), model.config.vision_config.patch_size
    parts = []
    for start in range(0, len(films), 32):
        batch = torch.from_numpy(films[start : start + 32]).float().div(255).mul(2).sub(1)
        pixels = batch.unsqueeze(1).expand(-1, 3, -1, -1)
        hidden = encode(pixels)
        logits = label_logits_of_views(probe, encode, pixels, hidden, patch).mean(dim=1)
        profiles = torch.from_numpy(pool_patches(hidden.numpy()))
        parts.append((logits, hidden.mean(dim=1), profiles))
    logits, mean, profiles = zip(*parts, strict=True)
    return torch.cat(logits), torch.cat(mean), torch.cat(profiles)


def _finish_encoder(
    model, probe: Probe, arrays, held_out, tokenizer, recipe: Recipe, on_message: OnMessage
) -> tuple[dict[str, np.ndarray], MeasurementModel]:
    """Fit the gate's reference and the measurements, and the probe's embedding and thresholds.

    The probe is changed in place.
    """
    on_message(
        "the embedding learns from reports; thresholds and the gate's limit from validation films"
    )
    sample = arrays.first(min(len(arrays), EMBEDDING_FILMS))
    logits, mean, profiles = _encode_films(model, sample.films, probe)
    fit_embedding(probe, (logits, mean), sample.records, tokenizer, FINDINGS, seed=recipe.seed)
    held_out_logits, held_out_mean, held_out_profiles = _encode_films(model, held_out.films, probe)
    fit_label_thresholds(probe, held_out_logits, held_out.labels)
    measurements = fit_measurements(
        torch.cat([logits, mean], dim=1).numpy(),
        [record["measured"] for record in sample.records],
        torch.cat([held_out_logits, held_out_mean], dim=1).numpy(),
        [record["measured"] for record in held_out.records],
    )
    return fit_reference(profiles.numpy(), held_out_profiles.numpy()), measurements


def _train_tokeniser(
    model, parts: Sequence[PhantomArrays], recipe: Recipe, run_folder: Path, on_message: OnMessage
) -> None:
    on_message("stage 2 of 3: the picture tokeniser")
    all_pictures = PictureBatches([part.films for part in parts], recipe.model.painting_size)
    cover = np.concatenate([part.cover() for part in parts])
    lesion_pictures = PictureBatches(all_pictures.films, all_pictures.size, cover)
    tokeniser = Tokeniser(model.model.vqmodel)
    stages = (
        ("tokenise", all_pictures, recipe.tokenise),
        ("sharpen", lesion_pictures, recipe.sharpen),
    )
    for number, (name, pictures, stage) in enumerate(stages):
        set_seed(recipe.seed)  # the same start, whether the stage before was trained or loaded
        run_stage(
            tokeniser,
            pictures,
            pictures.collate,
            stage,
            run_folder / name,
            seed=recipe.seed + number,
            callbacks=(CodebookCallback(tokeniser),),
        )
    tokeniser.normalise_codes()


def _train_language_model(
    model: JanusForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    parts: Sequence[PhantomArrays],
    recipe: Recipe,
    run_folder: Path,
    on_message: OnMessage,
) -> None:
    def on_progress(done: int, total: int) -> None:
        if done % 3200 == 0 or done == total:
            on_message(f"films seen once for the last stage: {done} of {total}")

    parts = [parts[0].first(recipe.data.speak), *parts[1:]]
    films = [part.films for part in parts]
    outputs = cache_frozen_outputs(
        model, films, run_folder / "seen", recipe.model.painting_size, on_progress
    )
    on_message("stage 3 of 3: the language model learns films and words together")
    set_seed(recipe.seed)
    for number, (name, stage, mix) in enumerate(
        (("speak", recipe.speak, SPEAK), ("read", recipe.read, READ), ("talk", recipe.talk, TALK))
    ):
        batches = LanguageBatches(parts, outputs, tokenizer, mix)
        seed = recipe.seed + number
        run_stage(
            LanguageStage(model), batches, batches.collate, stage, run_folder / name, seed=seed
        )


def _write_backbone(
    model,
    tokenizer,
    probe: Probe,
    measurements: MeasurementModel,
    reference,
    recipe: Recipe,
    out: Path,
    minutes: float,
) -> None:
    card = {
        "name": recipe.name,
        "architecture": "Janus (transformers), trained from scratch",
        "licence": recipe.licence,
        "knows": "synthetic chest phantoms of site A",
        "data": f"{recipe.data.train} phantoms of site A and {recipe.data.others} of each other "
        f"site, seed {recipe.data.seed}, split train; no patient's film or report",
        "recipe": recipe.as_dict(),
        "trained_on": str(model.device.type),
        "minutes_of_last_run": round(minutes, 1),
        "quality": {},  # `wetread eval mini --card` states it
    }
    with new_folder(out) as temporary:
        # In bfloat16: the evaluation loads these weights, so it includes the loss by rounding.
        model.to(torch.bfloat16).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        save_file(reference, temporary / "reference.safetensors")
        probe.save(temporary / "probe.safetensors")
        measurements.save(temporary / MEASUREMENTS_FILE)
        card[HASHES] = hash_files(temporary)  # what is loaded is compared with it
        (temporary / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _check_output_folder(out: Path) -> None:
    """Raise SettingsError if `out` exists and is neither empty nor a backbone's folder."""
    if out.exists() and not (
        out.is_dir() and (not any(out.iterdir()) or (out / "card.json").exists())
    ):
        raise SettingsError(f"{out} exists and is no backbone folder; name another with --out.")
