"""From a recipe to a backbone folder: the three stages, the reference of the gate, the card.

A run keeps everything it needs to go on in one folder, so that the same command resumes it
after a kill. The result is written beside its place and renamed once it is whole.
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
from adapters.data.phantom_arrays import PhantomArrays, phantom_arrays, questions_of
from adapters.pretrain.architecture import build_model, build_tokenizer
from adapters.pretrain.embedding import fit_embedding, fit_thresholds
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
from adapters.pretrain.measurements import fit_measures
from adapters.pretrain.picture_tokeniser import Codebook, PictureBatches, Tokeniser, grain_of
from adapters.pretrain.probe import cache_probe_features, train_probe
from adapters.trainer import run_stage
from assistant.atomic import new_file, new_folder
from assistant.backbones.probe.measurements import FILE as MEASURES
from assistant.backbones.probe.measurements import MeasurementModel
from assistant.backbones.probe.pooling import pool_patches
from assistant.backbones.probe.probe import Probe
from assistant.backbones.probe.test_time import label_logits
from assistant.chest.phantoms import FINDINGS, SITES
from assistant.errors import SettingsError
from assistant.types import OnMessage

MIRRORED = 8000  # films from which the probe learns to look into a mirror
ALIGNED = 3000  # films from which the embedding and the gate's reference learn


def train(
    recipe: Recipe, folder: Path, out: Path, on_message: OnMessage = lambda text: None
) -> Path:
    """Train a backbone by a recipe and write it to `out`; returns `out`.

    `folder` holds phantoms and checkpoints: run again with the same folder to resume. `say`
    gets a line at every turn. Runs on a GPU where torch sees one.
    """
    _check_out(out)
    started = time.monotonic()
    run = folder / f"{recipe.name}-{recipe.sha256[:12]}"
    run.mkdir(parents=True, exist_ok=True)
    data = recipe.data
    on_message(f"phantoms: {data.train} of site A and {data.others} of each other site to train on")
    arrays = _phantoms(recipe, folder, "A", "train", data.train, on_message)
    held_out = _phantoms(recipe, folder, "A", "validation", data.validation, on_message)
    others = [s for s in SITES if s != "A" and data.others]
    parts = [
        arrays,
        *(_phantoms(recipe, folder, s, "train", data.others, on_message) for s in others),
    ]
    set_seed(recipe.seed)
    tokenizer = build_tokenizer(_texts(arrays.records), recipe.model.vocabulary)
    janus: Any = build_model(recipe.model, tokenizer)
    if torch.cuda.is_available():
        janus.to("cuda")
    probe = _train_encoder(janus, arrays, recipe, run, on_message)
    reference, measures = _finish_encoder(
        janus, probe, arrays, held_out, tokenizer, recipe, on_message
    )
    _train_tokeniser(janus, parts, recipe, run, on_message)
    size = recipe.model.painting_size
    for site, part in zip(("A", *others), parts, strict=True):
        reference[f"grain.{site}"] = grain_of(janus.model.vqmodel, part.films, size)
    _train_language_model(janus, tokenizer, parts, recipe, run, on_message)
    minutes = (time.monotonic() - started) / 60
    _write(janus, tokenizer, probe, measures, reference, recipe, out, minutes)
    on_message(f"written to {out} after {minutes:.0f} minutes of this run")
    return out


def _texts(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """All wording that the base and its adapters are to write, for the tokenizer."""
    for number, record in enumerate(records):
        yield f" Findings: {record['findings']}\nImpression: {record['impression']}"
        yield f" {record['caption']} {record['comparison']}"
        if number < 2000:
            for question in questions_of(record, np.random.default_rng([0, number])):
                yield f" {question.question}\n {question.answer} {question.prior}"


def _phantoms(
    recipe: Recipe, folder: Path, site: str, split: str, count: int, on_message: OnMessage
) -> PhantomArrays:
    def report(done: int, total: int) -> None:
        if done % 1000 == 0 or done == total:
            on_message(f"phantoms: {done} of {total} rendered (site {site}, {split})")

    return phantom_arrays(folder, count, recipe.data.seed, site=site, split=split, report=report)


def _train_encoder(
    janus, arrays: PhantomArrays, recipe: Recipe, run: Path, on_message: OnMessage
) -> Probe:
    on_message("stage 1 of 3: the encoder and its probe learn where findings lie")
    initialise_encoder(janus.model.vision_model, arrays.films)
    films = FilmBatches(arrays, augment=True)
    seer = EncoderStage(janus.model.vision_model)
    run_stage(seer, films, films.collate, recipe.see, run / "see", seed=recipe.seed)
    seer.focus()
    run_stage(seer, films, films.collate, recipe.focus, run / "focus", seed=recipe.seed + 1)
    return _train_probe_mirrored(janus, seer.probe.cpu(), arrays, recipe, run, on_message)


def _train_probe_mirrored(
    janus, probe: Probe, arrays: PhantomArrays, recipe: Recipe, run: Path, on_message: OnMessage
) -> Probe:
    """The probe, taught to read mirrored films too; once that is done, it is loaded."""
    final = run / "mirror.safetensors"
    if final.is_file():
        return Probe.load(final)
    on_message("the probe learns to read films in a mirror too")
    films, see = FilmBatches(arrays, augment=True), _patch_encoder(janus)
    count = min(len(arrays), MIRRORED)

    def shown() -> Iterator[tuple[torch.Tensor, torch.Tensor, np.ndarray]]:
        torch.manual_seed(recipe.seed)
        for start in range(0, count, 32):
            batch = films.collate(list(range(start, min(start + 32, count))))
            pixels = batch["pixels"]
            yield see(pixels), see(pixels.flip(-1)), batch["labels"].numpy()

    kept = run / "mirror.npy"
    train_probe(probe, cache_probe_features(count, shown(), kept), seed=recipe.seed)
    kept.unlink()
    with new_file(final) as temporary:
        probe.save(temporary)
    return probe


def _patch_encoder(janus) -> Callable[[torch.Tensor], torch.Tensor]:
    """Patch features (B, N, W) of pixels (B, 3, H, W)."""
    vision = janus.model.vision_model.eval()

    @torch.no_grad()
    def see(pixels: torch.Tensor) -> torch.Tensor:
        return vision(pixel_values=pixels.to(janus.device)).last_hidden_state.cpu()

    return see


@torch.no_grad()
def _features(janus, films: np.ndarray, probe: Probe) -> tuple[torch.Tensor, ...]:
    """Label logits (N, L), mean features (N, W) and profiles (N, P) of films."""
    see, patch = _patch_encoder(janus), janus.config.vision_config.patch_size
    parts = []
    for start in range(0, len(films), 32):
        batch = torch.from_numpy(films[start : start + 32]).float().div(255).mul(2).sub(1)
        pixels = batch.unsqueeze(1).expand(-1, 3, -1, -1)
        hidden = see(pixels)
        told = label_logits(probe, see, pixels, hidden, patch)
        parts.append(
            (told.mean(dim=1), hidden.mean(dim=1), torch.from_numpy(pool_patches(hidden.numpy())))
        )
    logits, mean, profiles = zip(*parts, strict=True)
    return torch.cat(logits), torch.cat(mean), torch.cat(profiles)


def _finish_encoder(
    janus, probe: Probe, arrays, held_out, tokenizer, recipe: Recipe, on_message: OnMessage
) -> tuple[dict[str, np.ndarray], MeasurementModel]:
    """The gate's reference and the measurements; the probe's embedding and thresholds in place."""
    on_message(
        "the embedding learns from reports; thresholds and the gate's limit from validation films"
    )
    some = arrays.first(min(len(arrays), ALIGNED))
    logits, mean, profiles = _features(janus, some.films, probe)
    fit_embedding(probe, (logits, mean), some.records, tokenizer, FINDINGS, seed=recipe.seed)
    known, middle, limits = _features(janus, held_out.films, probe)
    fit_thresholds(probe, known, held_out.labels)
    measures = fit_measures(
        torch.cat([logits, mean], dim=1).numpy(),
        [record["measured"] for record in some.records],
        torch.cat([known, middle], dim=1).numpy(),
        [record["measured"] for record in held_out.records],
    )
    return fit_reference(profiles.numpy(), limits.numpy()), measures


def _train_tokeniser(
    janus, parts: Sequence[PhantomArrays], recipe: Recipe, run: Path, on_message: OnMessage
) -> None:
    on_message("stage 2 of 3: the picture tokeniser")
    whole = PictureBatches([part.films for part in parts], recipe.model.painting_size)
    cover = np.concatenate([part.cover() for part in parts])
    sharper = PictureBatches(whole.films, whole.size, cover)
    tokeniser = Tokeniser(janus.model.vqmodel)
    stages = (("tokenise", whole, recipe.tokenise), ("sharpen", sharper, recipe.sharpen))
    for number, (name, pictures, stage) in enumerate(stages):
        set_seed(recipe.seed)  # each begins alike, whether the one before it ran or was loaded
        run_stage(
            tokeniser,
            pictures,
            pictures.collate,
            stage,
            run / name,
            seed=recipe.seed + number,
            callbacks=(Codebook(tokeniser),),
        )
    tokeniser.settle()


def _train_language_model(
    janus: JanusForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    parts: Sequence[PhantomArrays],
    recipe: Recipe,
    run: Path,
    on_message: OnMessage,
) -> None:
    def report(done: int, total: int) -> None:
        if done % 3200 == 0 or done == total:
            on_message(f"films seen once for the last stage: {done} of {total}")

    parts = [parts[0].first(recipe.data.speak), *parts[1:]]
    films = [part.films for part in parts]
    seen = cache_frozen_outputs(janus, films, run / "seen", recipe.model.painting_size, report)
    on_message("stage 3 of 3: the language model learns films and words together")
    set_seed(recipe.seed)
    for number, (name, stage, mix) in enumerate(
        (("speak", recipe.speak, SPEAK), ("read", recipe.read, READ), ("talk", recipe.talk, TALK))
    ):
        batches = LanguageBatches(parts, seen, tokenizer, mix)
        seed = recipe.seed + number
        run_stage(LanguageStage(janus), batches, batches.collate, stage, run / name, seed=seed)


def _write(
    janus,
    tokenizer,
    probe: Probe,
    measures: MeasurementModel,
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
        "trained_on": str(janus.device.type),
        "minutes_of_last_run": round(minutes, 1),
        "quality": {},  # `wetread eval mini --card` states it
    }
    with new_folder(out) as temporary:
        # Half the bytes: what is lost in rounding is measured with everything else, after loading.
        janus.to(torch.bfloat16).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        save_file(reference, temporary / "reference.safetensors")
        probe.save(temporary / "probe.safetensors")
        measures.save(temporary / MEASURES)
        (temporary / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _check_out(out: Path) -> None:
    """Refuse to put a backbone in the place of anything but a backbone."""
    if out.exists() and not (
        out.is_dir() and (not any(out.iterdir()) or (out / "card.json").exists())
    ):
        raise SettingsError(f"{out} exists and is no backbone folder; name another with --out.")
