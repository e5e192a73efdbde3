"""From a recipe to a backbone folder: the three stages, the reference of the gate, the card.

A run keeps everything it needs to go on in one folder, so that the same command resumes it
after a kill. The result is written beside its place and renamed once it is whole.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import JanusForConditionalGeneration, PreTrainedTokenizerFast, set_seed

from adapters.build import build_model, build_tokenizer
from adapters.data import PhantomArrays, phantom_arrays
from adapters.recipe import Recipe
from adapters.see import FilmBatches, Seer, start_well
from adapters.speak import Speaker, SpeechBatches, look
from adapters.stages import run_stage
from adapters.tokenise import PictureBatches, Revive, Tokeniser
from assistant.backbones.pooling import pool
from assistant.errors import SettingsError
from assistant.gate import fit_reference

PAINT_SHARE = 0.4  # paintings for every report in a batch of the last stage
Say = Callable[[str], None]


def train(recipe: Recipe, folder: Path, out: Path, say: Say = lambda text: None) -> Path:
    """Train a backbone by a recipe and write it to `out`; returns `out`.

    `folder` holds phantoms and checkpoints: run again with the same folder to resume. `say`
    gets a line at every turn. Runs on a GPU where torch sees one.
    """
    _check_out(out)
    started = time.monotonic()
    run = folder / f"{recipe.name}-{recipe.sha256[:12]}"
    run.mkdir(parents=True, exist_ok=True)
    say(f"phantoms: {recipe.data.train} to train, {recipe.data.validation} to validate")
    arrays, held_out = (_phantoms(recipe, folder, split, say) for split in ("train", "validation"))
    set_seed(recipe.seed)
    tokenizer = build_tokenizer((_text(*t) for t in arrays.texts), recipe.model.vocabulary)
    janus: Any = build_model(recipe.model, tokenizer)
    if torch.cuda.is_available():
        janus.to("cuda")
    _see(janus, arrays, recipe, run, say)
    _tokenise(janus, arrays, recipe, run, say)
    reference = _reference(janus, arrays, held_out, say)
    _speak(janus, tokenizer, arrays.first(recipe.data.speak), recipe, run, say)
    minutes = (time.monotonic() - started) / 60
    _write(janus, tokenizer, reference, recipe, out, minutes)
    say(f"written to {out} after {minutes:.0f} minutes of this run")
    return out


def _text(findings: str, impression: str) -> str:
    return f" Findings: {findings}\nImpression: {impression}"


def _phantoms(recipe: Recipe, folder: Path, split: str, say: Say) -> PhantomArrays:
    data = recipe.data
    count = data.train if split == "train" else data.validation

    def report(done: int, total: int) -> None:
        if done % 1000 == 0 or done == total:
            say(f"phantoms: {done} of {total} rendered ({split})")

    return phantom_arrays(folder, count, data.seed, site=data.site, split=split, report=report)


def _see(janus, arrays: PhantomArrays, recipe: Recipe, run: Path, say: Say) -> None:
    say("stage 1 of 3: the encoder learns where findings lie")
    start_well(janus.model.vision_model, arrays.films)
    films = FilmBatches(arrays, augment=True)
    seer = Seer(janus.model.vision_model)
    run_stage(seer, films, films.collate, recipe.see, run / "see", seed=recipe.seed)
    seer.focus()
    run_stage(seer, films, films.collate, recipe.focus, run / "focus", seed=recipe.seed + 1)


def _tokenise(janus, arrays: PhantomArrays, recipe: Recipe, run: Path, say: Say) -> None:
    say("stage 2 of 3: the picture tokeniser")
    set_seed(recipe.seed)  # each stage starts alike, whether the one before it ran or was loaded
    pictures = PictureBatches(arrays, recipe.model.painting_size)
    tokeniser = Tokeniser(janus.model.vqmodel)
    run_stage(
        tokeniser,
        pictures,
        pictures.collate,
        recipe.tokenise,
        run / "tokenise",
        seed=recipe.seed,
        callbacks=(Revive(tokeniser),),
    )
    tokeniser.settle()


def _speak(
    janus: JanusForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    arrays: PhantomArrays,
    recipe: Recipe,
    run: Path,
    say: Say,
) -> None:
    def report(done: int, total: int) -> None:
        if done % 3200 == 0 or done == total:
            say(f"films seen once for the last stage: {done} of {total}")

    seen = look(janus, arrays, run / "seen", recipe.model.painting_size, report)
    say("stage 3 of 3: the language model learns to write and to paint")
    set_seed(recipe.seed)
    batches = SpeechBatches(arrays, seen, tokenizer, PAINT_SHARE)
    run_stage(
        Speaker(janus), batches, batches.collate, recipe.speak, run / "speak", seed=recipe.seed
    )


@torch.no_grad()
def _reference(
    janus: JanusForConditionalGeneration, arrays: PhantomArrays, held_out: PhantomArrays, say: Say
) -> dict[str, np.ndarray]:
    """What the gate needs: how the encoder's features of known films are spread."""
    say("the gate's reference: features of training films, limit from validation films")
    vision = janus.model.vision_model.eval()

    def profiles(films: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(films), 32):
            batch = torch.from_numpy(films[start : start + 32]).float().div(255).mul(2).sub(1)
            pixels = batch.unsqueeze(1).expand(-1, 3, -1, -1).to(janus.device)
            parts.append(pool(vision(pixel_values=pixels).last_hidden_state.cpu().numpy()))
        return np.concatenate(parts)

    return fit_reference(profiles(arrays.films[:3000]), profiles(held_out.films))


def _write(janus, tokenizer, reference, recipe: Recipe, out: Path, minutes: float) -> None:
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    # Half the bytes: what is lost in rounding is measured with everything else, after loading.
    janus.to(torch.bfloat16).save_pretrained(beside)
    tokenizer.save_pretrained(beside)
    save_file(reference, beside / "reference.safetensors")
    card = {
        "name": recipe.name,
        "architecture": "Janus (transformers), trained from scratch",
        "licence": recipe.licence,
        "knows": f"synthetic chest phantoms of site {recipe.data.site}",
        "data": f"{recipe.data.train} phantoms of site {recipe.data.site}, seed "
        f"{recipe.data.seed}, split train; no patient's film or report",
        "recipe": recipe.as_dict(),
        "trained_on": str(janus.device.type),
        "minutes_of_last_run": round(minutes, 1),
        "quality": {},  # `wetread eval mini --card` states it
    }
    (beside / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    old = out.with_name(f".{out.name}.old")
    if out.exists():
        out.rename(old)
    beside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _check_out(out: Path) -> None:
    """Refuse to put a backbone in the place of anything but a backbone."""
    if out.exists() and not (
        out.is_dir() and (not any(out.iterdir()) or (out / "card.json").exists())
    ):
        raise SettingsError(f"{out} exists and is no backbone folder; name another with --out.")
