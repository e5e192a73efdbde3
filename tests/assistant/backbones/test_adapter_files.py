"""An adapter's files: whole, plain, those of its card, and of this base, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_strange_files import SPOILT
from toy_vlms import toy_vlm

from adapters.adapter_recipe import Lora
from adapters.lora.card import write_adapter
from adapters.lora.model import add_adapter, find_linear_layers
from adapters.lora.vlm import load_base
from assistant.backbones.adapters import weights_sha256
from assistant.backbones.loading import load_checkpoint
from assistant.backbones.settings import Checkpoint
from assistant.errors import BackboneError

Weights = dict[str, torch.Tensor]
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return toy_vlm("llava", tmp_path_factory.mktemp("bases") / "llava")


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory) -> Path:
    """An adapter as our training writes it."""
    model, _ = load_base(base)
    lora = Lora(rank=2, alpha=4, dropout=0.0, targets=("all-linear",))
    adapted = add_adapter(model, lora, find_linear_layers(model))
    folder = tmp_path_factory.mktemp("adapters") / "mine"
    card = {"task": "report", "base": {"name": base.name, "revision": weights_sha256(base)}}
    write_adapter(adapted, folder, card)
    return folder


@pytest.fixture
def foreign(adapter, tmp_path) -> Path:
    """The same adapter with a card that notes no hashes, to be spoilt."""
    folder = Path(shutil.copytree(adapter, tmp_path / "mine"))
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    del card["sha256"]
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def refusal(base: Path, folder: Path) -> str:
    with pytest.raises(BackboneError) as caught:
        load_checkpoint(Checkpoint(str(base), (folder,)))
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert "mine" in text
    assert str(folder.parent) not in text
    return text


def adapter_name(base: Path, folder: Path) -> str:
    return str(load_checkpoint(Checkpoint(str(base), (folder,))).identity_for("report").adapter)


def test_the_files_of_our_training_are_those_of_their_card(base, adapter, tmp_path):
    assert "vouch" not in adapter_name(base, adapter)
    card = json.loads((adapter / "card.json").read_text(encoding="utf-8"))
    assert set(card["sha256"]) == {CONFIG, WEIGHTS}
    for name in (CONFIG, WEIGHTS):
        folder = Path(shutil.copytree(adapter, tmp_path / name / "mine"))
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[:-5] + bytes([raw[-5] ^ 4]) + raw[-4:])
        if name == WEIGHTS:
            assert f"The file {name}" in refusal(base, folder)
        else:
            refusal(base, folder)


def test_a_card_without_hashes_is_told_in_the_provenance(base, foreign):
    assert "its card does not vouch for" in adapter_name(base, foreign)


def without(word: str) -> Callable[[Weights], Weights]:
    return lambda weights: {key: w for key, w in weights.items() if word not in key}


FAULTS: dict[str, Callable[[Weights], Weights]] = {
    "nothing": lambda weights: {},
    "no A": without("lora_A"),
    "half of the layers": without("layers.0"),
    "one more": lambda weights: weights | {"base_model.model.x.lora_A.weight": torch.ones(2, 3)},
    "other names": lambda weights: {f"x.{key}": w for key, w in weights.items()},
    "the prefix twice": lambda weights: {f"base_model.model.{k}": w for k, w in weights.items()},
    "transposed": lambda weights: {key: w.T for key, w in weights.items()},
    "wider": lambda weights: {key: torch.cat([w, w]) for key, w in weights.items()},
    "NaN": lambda weights: {key: torch.full_like(w, torch.nan) for key, w in weights.items()},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_that_do_not_fit_are_named(fault, base, foreign):
    weights = load_file(foreign / WEIGHTS)
    changed = FAULTS[fault](weights)
    save_file({key: w.clone().contiguous() for key, w in changed.items()}, foreign / WEIGHTS)
    told = refusal(base, foreign)
    assert "lora_" in told
    assert any(word in told for word in ("missing", "unexpected", "of another shape", "NaN"))


@pytest.mark.parametrize(
    "raw", [b"", bytes(50), (10**8).to_bytes(8, "little") + b"{" * 99, b"\x02" + bytes(7) + b"{}!"]
)
def test_a_damaged_file_of_weights_is_told(raw, base, foreign):
    (foreign / WEIGHTS).write_bytes(raw)
    assert WEIGHTS in refusal(base, foreign)


@pytest.mark.parametrize("name", [CONFIG, "card.json"])
def test_a_damaged_card_or_configuration_is_told(name, base, foreign):
    raw = (foreign / name).read_bytes()
    for change in SPOILT.values():
        (foreign / name).write_bytes(change(raw))
        refusal(base, foreign)
        (foreign / name).write_bytes(raw)


MORE_THAN_LORA: list[tuple[str, Any]] = [
    ("arrow_config", {"top_k": 2}), ("arrow_config", "x"), ("megatron_config", {"a": 1}),
    ("eva_config", {"rho": 2}), ("loftq_config", {"loftq_bits": 4}), ("corda_config", [1]),
    ("an_option_of_a_later_peft", {"a": [1]}), ("an_option_of_a_later_peft", "x"),
    ("peft_type", "IA3"), ("peft_type", "OF_A_LATER_PEFT"), ("peft_type", None),
    ("peft_type", ["LORA"]), ("task_type", "SEQ_CLS"), ("task_type", 3), ("use_dora", True),
    ("modules_to_save", ["lm_head"]), ("lora_bias", True), ("layer_replication", [[0, 1]]),
    ("target_parameters", ["a.weight"]), ("bias", "all"), ("init_lora_weights", "pissa"),
]  # fmt: skip
ABSURD: list[tuple[str, Any]] = [
    ("r", 0), ("r", -1), ("r", 3), ("r", 2**40), ("r", None), ("r", "8"), ("r", 2.5), ("r", True),
    ("lora_alpha", float("nan")), ("lora_alpha", float("inf")), ("lora_alpha", 1e30),
    ("lora_alpha", "x"), ("lora_dropout", 2), ("lora_dropout", "x"), ("target_modules", None),
    ("target_modules", []), ("target_modules", ["nope"]), ("target_modules", 3),
    ("rank_pattern", {"q_proj": 2**40}), ("rank_pattern", [1]), ("rank_pattern", {"(": 2}),
    ("alpha_pattern", {"q_proj": 1e30}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), MORE_THAN_LORA + ABSURD)
def test_what_is_no_plain_lora_is_told(key, value, base, foreign):
    config = json.loads((foreign / CONFIG).read_text(encoding="utf-8"))
    (foreign / CONFIG).write_text(json.dumps(config | {key: value}), encoding="utf-8")
    told = refusal(base, foreign)
    if (key, value) in MORE_THAN_LORA:
        assert f"is no plain LoRA ({key})" in told


def test_options_of_other_versions_that_are_not_set_are_no_fault(base, foreign):
    config = json.loads((foreign / CONFIG).read_text(encoding="utf-8"))
    more = {"a_later_option": None, "another": False, "third": {}, "peft_version": "99.0.0"}
    (foreign / CONFIG).write_text(json.dumps(config | more), encoding="utf-8")
    assert adapter_name(base, foreign).startswith("report@")
    for key in ("arrow_config", "megatron_core", "qalora_group_size", "lora_bias"):
        config.pop(key)
    (foreign / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    assert adapter_name(base, foreign).startswith("report@")


def test_a_card_s_words_do_not_break_the_sentence(base, foreign):
    card = {"task": "report", "base": {"name": "a\nb. C", "revision": "x\ny"}}
    (foreign / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert "trained on another base" in refusal(base, foreign)
