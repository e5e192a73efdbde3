"""From a recipe to a backbone folder: the encoder, the language, the gate's reference, the card.

A run keeps its checkpoints in one folder, so that the same command resumes it after a kill. The
result is written to a temporary folder and renamed when it is complete.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoTokenizer, PreTrainedTokenizerFast, set_seed

from adapters.backbone_recipe import Recipe
from adapters.data.composed_records import questions_of
from adapters.data.phantom_arrays import PhantomArrays
from adapters.pretrain.aligner import AlignerStage, CaptionBatches
from adapters.pretrain.architecture import build_model, build_tokenizer
from adapters.pretrain.encoder_training import hidden_of_films, train_encoder
from adapters.pretrain.films import TrainingFilms, composed_records, load_films, sites_of
from adapters.pretrain.finishing import finish_encoder
from adapters.pretrain.gate_reference import load_gate_films
from adapters.pretrain.language_model import (
    READ,
    SPEAK,
    TALK,
    LanguageBatches,
    LanguageStage,
    cache_frozen_outputs,
)
from adapters.pretrain.picture_tokeniser import (
    CodebookCallback,
    PictureBatches,
    Tokeniser,
    grain_of,
)
from adapters.trainer import run_stage
from assistant.atomic import new_folder
from assistant.backbones.adapters import weights_sha256
from assistant.backbones.hashes import CARD, HASHES, hash_files
from assistant.backbones.janus.model import Janus
from assistant.backbones.loading import backbone_folder
from assistant.backbones.probe.measurements import MEASUREMENTS_FILE, MeasurementModel
from assistant.backbones.probe.probe import Probe
from assistant.backbones.whole import load_whole
from assistant.errors import SettingsError
from assistant.types import OnMessage

ALIGNED_FILMS = 4000  # phantoms whose captions the aligner learns; real films are all taken
IMAGE_ADAPTER = "adapters/image"


def train_backbone(
    recipe: Recipe,
    folder: Path,
    out: Path,
    on_message: OnMessage = lambda text: None,
    data: Path | None = None,
) -> Path:
    """Train a backbone by a recipe and write it to `out`; returns `out`.

    `folder` holds phantoms and checkpoints: run again with the same folder to resume. `data` is a
    folder of real films with their reports; without it the encoder learns from phantoms alone.
    `on_message` gets a line at every step. Runs on a GPU if torch finds one.
    """
    _check_output_folder(out)
    started = time.monotonic()
    run_folder = folder / f"{recipe.name}-{recipe.sha256[:12]}"
    run_folder.mkdir(parents=True, exist_ok=True)
    films = load_films(recipe, folder, data, on_message)
    set_seed(recipe.seed)
    model, tokenizer, start = _build(recipe, films)
    if torch.cuda.is_available():
        model.to("cuda")
    on_message("stage 1 of 3: the encoder and its probe learn what films show")
    vision = model.model.vision_model
    stage, expected = train_encoder(
        vision, films.real, films.phantoms, recipe, run_folder, on_message
    )
    vision.eval()
    probe = stage.probe.cpu().eval()
    on_message("thresholds, embedding, measurements and the gate's reference are fitted")
    gate_films = None if data is None else load_gate_films(data)
    reference, measurements = finish_encoder(
        vision, probe, films, expected, tokenizer, recipe, gate_films
    )
    if start is None:
        _train_tokeniser(model, films.phantoms, recipe, run_folder, on_message)
        for site, part in zip(sites_of(recipe), films.phantoms, strict=True):
            size = recipe.model.painting_size
            reference[f"grain.{site}"] = grain_of(model.model.vqmodel, part.films, size)
        _train_language_model(model, tokenizer, films.phantoms, recipe, run_folder, on_message)
    else:
        old = load_file(start / "reference.safetensors")
        reference |= {key: value for key, value in old.items() if key.startswith("grain.")}
        _train_aligner(model, tokenizer, films, recipe, run_folder, on_message)
    minutes = (time.monotonic() - started) / 60
    _write_backbone(
        model, tokenizer, probe, measurements, reference, recipe, out, minutes, films, start
    )
    on_message(f"written to {out} after {minutes:.0f} minutes of this run")
    return out


def _build(
    recipe: Recipe, films: TrainingFilms
) -> tuple[Any, PreTrainedTokenizerFast, Path | None]:
    """The model before training, its tokenizer, and the backbone that its language is of."""
    if not recipe.language:
        texts = _iterate_texts(films.phantoms[0].records)
        tokenizer = build_tokenizer(texts, recipe.model.vocabulary)
        return build_model(recipe.model, tokenizer), tokenizer, None
    start = backbone_folder(recipe.language)
    tokenizer = AutoTokenizer.from_pretrained(start, local_files_only=True)
    model = build_model(recipe.model, tokenizer)
    old = load_whole(Janus, start, verified=False, dtype=torch.float32)
    own, theirs = model.state_dict(), old.state_dict()
    fitting = {
        name: value
        for name, value in theirs.items()
        if name in own and own[name].shape == value.shape and ".vision_model." not in name
    }
    model.load_state_dict(own | fitting)
    return model, tokenizer, start


def _iterate_texts(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Iterate over the texts that the base and its adapters are to write, for the tokenizer."""
    for number, record in enumerate(records):
        yield f" Findings: {record['findings']}\nImpression: {record['impression']}"
        yield f" {record['caption']} {record['comparison']}"
        if number < 2000:
            for question in questions_of(record, np.random.default_rng([0, number])):
                yield f" {question.question}\n {question.answer} {question.prior}"


def _train_aligner(
    model: Any,
    tokenizer: Any,
    films: TrainingFilms,
    recipe: Recipe,
    run_folder: Path,
    on_message: OnMessage,
) -> None:
    on_message("stage 2 of 2: the language model learns to see by the new features")
    first = films.phantoms[0].first(min(len(films.phantoms[0]), ALIGNED_FILMS))
    pictures, records = [first.films], [*first.records]
    if films.real is not None:
        frontal = films.real.select(~films.real.lateral)
        pictures.append(frontal.films)
        records += composed_records(frontal, recipe.seed + 1)
    vision = model.model.vision_model
    count, width = len(records), recipe.model.vision_width
    path = run_folder / "aligned-features.npy"
    features = np.lib.format.open_memmap(
        path, "w+", np.float16, (count, recipe.model.grid**2, width)
    )
    start = 0
    for part in pictures:
        for first_row in range(0, len(part), 32):
            hidden = hidden_of_films(vision, part[first_row : first_row + 32])
            features[start : start + len(hidden)] = hidden.half().numpy()
            start += len(hidden)
    batches = CaptionBatches(features, [record["caption"] for record in records], tokenizer)
    stage = AlignerStage(model)
    run_stage(
        stage,
        batches,
        batches.collate,
        recipe.align,
        run_folder / "align",
        seed=recipe.seed,
        optimiser=torch.optim.AdamW(stage.parameters(), recipe.align.learning_rate),
    )
    path.unlink()


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
    model: Any,
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
    films: TrainingFilms,
    start: Path | None,
) -> None:
    phantoms = (
        f"{recipe.data.train} phantoms of site A and {recipe.data.others} of each other site, "
        f"seed {recipe.data.seed}, split train"
    )
    real = "; no patient's film or report"
    if films.real is not None:
        real = f", and {len(films.real)} real films with what their reports assert"
    card = {
        "name": recipe.name,
        "architecture": "Janus (transformers) with an EfficientNet-Lite2 as its encoder",
        "licence": recipe.licence,
        "knows": "adult frontal chest films, and synthetic chest phantoms of site A"
        if films.real is not None
        else "synthetic chest phantoms of site A",
        "data": phantoms + real,
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
        if start is not None and (start / IMAGE_ADAPTER).is_dir():
            _take_painter(start / IMAGE_ADAPTER, temporary, recipe.name)
        card[HASHES] = hash_files(temporary)  # what is loaded is compared with it
        (temporary / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _take_painter(adapter: Path, folder: Path, name: str) -> None:
    """Copy the adapter that paints: all that it works on is taken from its base as it is."""
    shutil.copytree(adapter, folder / IMAGE_ADAPTER)
    path = folder / IMAGE_ADAPTER / CARD
    card = json.loads(path.read_text(encoding="utf-8"))
    card["trained_on_base"] = card["base"]
    card["base"] = {"name": name, "revision": weights_sha256(folder)}
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _check_output_folder(out: Path) -> None:
    """Raise SettingsError if `out` exists and is neither empty nor a backbone's folder."""
    if out.exists() and not (
        out.is_dir() and (not any(out.iterdir()) or (out / "card.json").exists())
    ):
        raise SettingsError(f"{out} exists and is no backbone folder; name another with --out.")
