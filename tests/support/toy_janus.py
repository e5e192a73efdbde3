"""A toy base of the Janus architecture, untrained, made in a second."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from transformers import JanusForConditionalGeneration

from adapters.adapter_recipe import AdapterRecipe, FolderData, Lora, Schedule
from adapters.backbone_recipe import Model
from adapters.pretrain.architecture import build_model, build_tokenizer
from adapters.pretrain.gate_reference import fit_reference
from assistant.backbones.adapters import weights_sha256
from assistant.backbones.probe.pooling import pool_patches
from assistant.backbones.probe.probe import Label, Probe

TOY = Model(
    image_size=32,
    painting_size=16,
    patch_size=4,
    vision_width=32,
    text_width=32,
    text_layers=2,
    text_heads=2,
    vocabulary=400,
    codebook=32,
    code_width=4,
    painter_channels=32,
)
WORDS = (
    "Write the report of this chest film. Similar cases: Question: Findings: Impression: "
    "The heart size is normal. There is a small right pleural effusion. No pneumothorax. "
    "Is there a nodule? Yes, on the left. The lungs are clear. Left mid zone nodule."
)


def toy_base(folder: Path, seed: int = 0) -> Path:
    """Write an untrained backbone that loads, writes and paints; another seed, another base."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer([WORDS], TOY.vocabulary)
    model = build_model(TOY, tokenizer, trunk="")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    profiles = pool_patches(np.random.default_rng(0).standard_normal((80, 64, TOY.vision_width)))
    save_file(fit_reference(profiles[:60], profiles[60:], keep=8), folder / "reference.safetensors")
    card = {"name": f"toy{seed}", "licence": "Apache-2.0", "knows": "nothing"}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def dressed_toy(folder: Path) -> Path:
    """A toy base that can do all there is: a probe, and adapters that change nothing."""
    toy_base(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["recipe"] = {"data": {"seed": 1, "train": 12}}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    labels = [Label("nodule", "right", "upper"), Label("nodule", "left"), Label("cardiomegaly")]
    Probe(TOY.vision_width, labels, ("nodule", "cardiomegaly")).save(folder / "probe.safetensors")
    model = JanusForConditionalGeneration.from_pretrained(folder)
    lora = LoraConfig(r=2, target_modules=r".*language_model.*q_proj")
    for task in ("report", "answer", "image"):
        home = folder / "adapters" / task
        get_peft_model(copy.deepcopy(model), lora).save_pretrained(home)
        base = {"name": "toy0", "revision": weights_sha256(folder)}
        (home / "card.json").write_text(json.dumps({"task": task, "base": base}), encoding="utf-8")
    return folder


# Enough to change what an untrained model writes, which is all that is asked of it here.
QUICK = Schedule(steps=4, batch=4, learning_rate=0.1)
LORA = Lora(rank=4, alpha=16, dropout=0.05, targets=("all-linear",))


def recipe(task: str, films: Path, **changes: Any) -> AdapterRecipe:
    """A quick recipe for a toy base, on a folder of films."""
    values = {
        "name": f"toy-{task}",
        "task": task,
        "base": "mini",
        "licence": "Apache-2.0",
        "seed": 3,
        "lora": LORA,
        "data": FolderData(films, 0.3),
        "schedule": QUICK,
    }
    return AdapterRecipe(**(values | changes))
