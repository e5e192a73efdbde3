"""A diffusion pipeline is loaded whole or refused: no part of it paints with random weights."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from test_diffusion_painter import films, refused, settings, toy_lora, toy_pipeline

from assistant.backbones.diffusion.painter import DiffusionPainter
from assistant.errors import BackboneError

Weights = dict[str, torch.Tensor]
PARTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return toy_pipeline(tmp_path_factory.mktemp("whole") / "toy-sd")


@pytest.fixture
def copy(base, tmp_path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "toy-sd"))


def half(weights: Weights) -> Weights:
    return dict(list(weights.items())[::2])


FAULTS: dict[str, Callable[[Weights], Weights]] = {
    "nothing": lambda weights: {},
    "half": half,
    "the prefix of PEFT": lambda weights: {f"base_model.model.{k}": w for k, w in weights.items()},
    "one more": lambda weights: weights | {"extra.weight": torch.ones(3)},
    "wider": lambda weights: {k: torch.cat([w, w]) for k, w in weights.items()},
    "NaN": lambda weights: {k: torch.full_like(w, torch.nan) for k, w in weights.items()},
}


@pytest.mark.parametrize("part", PARTS)
def test_no_fault_of_a_part_is_filled_up_with_random_numbers(part, base, copy):
    path = copy / part / PARTS[part]
    whole = load_file(base / part / PARTS[part])
    for fault, edit in FAULTS.items():
        save_file({k: w.clone() for k, w in edit(whole).items()}, path, {"format": "pt"})
        told = refused(settings(copy))
        assert part in told, fault
        assert re.search(r"\d+ (missing|unexpected|of another shape|weights of)", told), fault
        assert "device" not in told
    path.write_bytes(path.read_bytes()[:-9])
    assert "cut short" in refused(settings(copy))


@pytest.mark.parametrize("part", [*PARTS, "scheduler", "tokenizer"])
def test_a_part_that_is_missing_is_named(part, copy):
    index = json.loads((copy / "model_index.json").read_text(encoding="utf-8"))
    (copy / part).rename(copy / "away")
    assert part in refused(settings(copy))
    for entry in ([None, None], None):
        changed = {k: v for k, v in index.items() if k != part} | ({part: entry} if entry else {})
        (copy / "model_index.json").write_text(json.dumps(changed), encoding="utf-8")
        refused(settings(copy))


@pytest.mark.parametrize("raw", [b"[]", b"{", b"null", b"[" * 100_000, bytes(50)])
def test_damaged_configurations_of_parts_are_told(raw, base, copy):
    for name in ("model_index.json", "unet/config.json", "vae/config.json",
                 "text_encoder/config.json", "scheduler/scheduler_config.json",
                 "tokenizer/tokenizer.json"):  # fmt: skip
        (copy / name).write_bytes(raw)
        refused(settings(copy))
        shutil.copy(base / name, copy / name)
    assert films(DiffusionPainter(settings(copy)))


@pytest.mark.parametrize("size", [0, -1, 2**40])
def test_sizes_that_no_model_has_are_told(size, base, copy):
    for name, key in (("unet", "cross_attention_dim"), ("vae", "latent_channels"),
                      ("text_encoder", "hidden_size"), ("unet", "layers_per_block")):  # fmt: skip
        path = copy / name / "config.json"
        table = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(table | {key: size}), encoding="utf-8")
        refused(settings(copy))
        shutil.copy(base / name / "config.json", path)


@pytest.mark.parametrize("length", [1e30, 10**40])
def test_a_tokenizer_that_names_no_length_is_given_its_encoder_s(length, base, copy):
    path = copy / "tokenizer" / "tokenizer_config.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(table | {"model_max_length": length}), encoding="utf-8")
    first, second = (films(DiffusionPainter(settings(folder)))[0] for folder in (base, copy))
    assert np.array_equal(first, second)


def test_a_sharded_pipeline_paints_the_same(base, tmp_path):
    pipeline = StableDiffusionPipeline.from_pretrained(base)
    pipeline.save_pretrained(tmp_path / "toy-sd", max_shard_size="20KB")
    shards = sorted((tmp_path / "toy-sd" / "unet").glob("*-of-*.safetensors"))
    assert len(shards) > 2
    first, second = (films(DiffusionPainter(settings(f)))[0] for f in (base, tmp_path / "toy-sd"))
    assert np.array_equal(first, second)
    shards[1].unlink()
    assert shards[1].name in refused(settings(tmp_path / "toy-sd"))


LORA_FAULTS: dict[str, Callable[[Weights], Weights]] = {
    "nothing": lambda weights: {},
    "half": half,
    "no A": lambda weights: {k: w for k, w in weights.items() if "lora_A" not in k},
    "other layers": lambda weights: {k.replace("to_q", "to_x"): w for k, w in weights.items()},
    "wider": lambda weights: {k: torch.cat([w, w], dim=1 - i % 2)
                              for i, (k, w) in enumerate(weights.items())},
    "NaN": lambda weights: {k: torch.full_like(w, torch.nan) for k, w in weights.items()},
}  # fmt: skip


@pytest.mark.parametrize("fault", LORA_FAULTS)
def test_a_lora_whose_weights_do_not_fit_is_refused(fault, base, tmp_path):
    folder = toy_lora(base, tmp_path / "lora")
    (path,) = folder.glob("*.safetensors")
    changed = LORA_FAULTS[fault](load_file(path))
    save_file({k: w.clone() for k, w in changed.items()}, path)
    with pytest.raises(BackboneError) as caught:
        DiffusionPainter(settings(base, adapter=str(folder)))
    assert "lora" in str(caught.value)
    assert "\n" not in str(caught.value)
