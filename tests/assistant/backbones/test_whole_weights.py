"""A checkpoint is loaded whole or refused in one sentence: no weight of it is ever made up."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from toy_janus import dressed_toy
from toy_vlms import EVERY, FAMILIES, copy_of, toy_vlm
from transformers import AutoModelForImageTextToText

from adapters.lora.card import hash_files
from assistant.backbones.loading import load_checkpoint
from assistant.backbones.settings import Checkpoint
from assistant.errors import BackboneError

Weights = dict[str, torch.Tensor]
VISION = re.compile("vision|visual")
MANY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for family in FAMILIES:
        toy_vlm(family, folder / family)
    dressed_toy(folder / "ours")
    return folder


def refusal(folder: Path) -> str:
    """The sentence with which a checkpoint is refused."""
    with pytest.raises(BackboneError) as caught:
        load_checkpoint(Checkpoint(str(folder)))
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert str(folder.parent) not in text
    return text


def change(folder: Path, edit: Callable[[Weights], Weights]) -> Path:
    path = folder / "model.safetensors"
    weights = load_file(path)  # a mapped file that is written over would change under the tensors
    save_file({key: w.clone() for key, w in edit(weights).items()}, path, {"format": "pt"})
    return folder


def without(pattern: str) -> Callable[[Weights], Weights]:
    return lambda weights: {k: w for k, w in weights.items() if not re.search(pattern, k)}


FAULTS: dict[str, Callable[[Weights], Weights]] = {
    "no vision model": without("vision|visual"),
    "no language model": without("language_model|model.layers"),
    "no projector": without("projector|merger|aligner|connector"),
    "half of the layers": without(r"layers\.0\."),
    "no norms": without("norm"),
    "the prefix of PEFT": lambda weights: {f"base_model.model.{k}": w for k, w in weights.items()},
    "the prefix of a compiled model": lambda weights: {
        f"_orig_mod.{k}": w for k, w in weights.items()
    },
    "nothing": lambda weights: {},
    "something else": lambda weights: {"other.weight": torch.ones(3)},
    "one more": lambda weights: weights | {"model.extra.weight": torch.ones(3)},
    "wider": lambda weights: {k: torch.cat([w, w]) for k, w in weights.items()},
    "NaN": lambda weights: {k: torch.full_like(w, torch.nan) for k, w in weights.items()},
}


@pytest.mark.parametrize("family", EVERY)
def test_no_fault_of_the_weights_is_filled_up_with_random_numbers(family, toys, tmp_path):
    for fault, edit in FAULTS.items():
        told = refusal(change(copy_of(toys / family, tmp_path), edit))
        assert re.search(r"\d+ (missing|unexpected|of another shape|weights of)", told), fault
        assert re.search(r"\([\w.]+", told), fault  # the first of them by name


@pytest.mark.parametrize("part", ["vision_model", "aligner", "generation_head", "vqmodel"])
def test_a_janus_lacks_no_part(part, toys, tmp_path):
    for name in ("janus", "ours"):
        told = refusal(change(copy_of(toys / name, tmp_path), without(rf"\b{part}\.")))
        assert re.search(rf"do not fit: \d+ missing \(model\.{part}", told)


@MANY
@given(data=st.data())
def test_any_weight_that_is_missing_reshaped_or_broken_is_named(data, toys, tmp_path):
    family = data.draw(st.sampled_from(sorted(FAMILIES)))
    folder = copy_of(toys / family, tmp_path)
    weights = load_file(folder / "model.safetensors")
    key = data.draw(st.sampled_from(sorted(weights)))
    kind = data.draw(st.sampled_from(["missing", "reshaped", "broken"]))
    weight = weights[key].clone()
    if kind == "broken":
        place = data.draw(st.integers(0, weight.numel() - 1))
        weight.view(-1)[place] = data.draw(st.sampled_from([torch.nan, torch.inf, -torch.inf]))
    changed = {"reshaped": weight[None], "broken": weight}
    rest = {k: w for k, w in weights.items() if k != key}
    told = refusal(
        change(folder, lambda _: rest | ({key: changed[kind]} if kind in changed else {}))
    )
    assert key.split(".")[-1] in told, (family, key, kind)


@MANY
@given(st.data())
def test_a_file_that_is_cut_short_or_has_an_absurd_header_is_refused(toys, tmp_path, data):
    folder = copy_of(toys / "llava", tmp_path)
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    header = data.draw(st.sampled_from([0, 1, 10**8, 2**63, len(whole)]))
    path.write_bytes(
        data.draw(
            st.sampled_from([whole[:cut], header.to_bytes(8, "little") + whole[8:], whole + b"\0"])
        )
    )
    assert "model.safetensors" in refusal(folder)


@pytest.mark.parametrize("family", EVERY)
def test_whole_checkpoints_load_in_every_form_that_save_pretrained_writes(family, toys, tmp_path):
    first = weights_of(toys / family)
    for form in ("sharded", "bfloat16", "tied"):
        folder = copy_of(toys / family, tmp_path)
        if form == "tied":
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            for part in (config, config.get("text_config", {})):
                part["tie_word_embeddings"] = True
            (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
            change(folder, without("lm_head"))
        else:
            model: Any = AutoModelForImageTextToText.from_pretrained(folder)
            (folder / "model.safetensors").unlink()
            if form == "bfloat16":
                model = model.to(torch.bfloat16)
            model.save_pretrained(folder, max_shard_size="20KB" if form == "sharded" else "1GB")
        again = weights_of(folder)
        assert again.keys() == first.keys(), form
        for key, weight in first.items():
            if form != "tied" or "lm_head" not in key:
                assert torch.allclose(weight, again[key], rtol=0.01), (form, key)


def weights_of(folder: Path) -> Weights:
    """The weights that a checkpoint computes with."""
    return load_checkpoint(Checkpoint(str(folder), dtype="float32"))._model.state_dict()


def test_a_missing_shard_and_a_strange_index_are_named(toys, tmp_path):
    folder = copy_of(toys / "gemma3", tmp_path)
    loaded: Any = AutoModelForImageTextToText.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    loaded.save_pretrained(folder, max_shard_size="20KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    shards[1].rename(folder / "gone")
    assert shards[1].name in refusal(folder)
    (folder / "gone").rename(shards[1])
    index = folder / "model.safetensors.index.json"
    for text in ("[]", "{", '{"weight_map": {"a": "../../a.safetensors"}}', '{"weight_map": 3}'):
        index.write_text(text, encoding="utf-8")
        assert "index" in refusal(folder)


def test_the_command_line_drafts_with_no_damaged_checkpoint(toys, phantoms, tmp_path, capfd):
    film = next((phantoms / "images").glob("*.png"))
    for family, pattern in (("llava", "vision"), ("janus", "vision_model")):
        folder = change(copy_of(toys / family, tmp_path), without(pattern))
        done = run(capfd, "draft", film, "--backbone", folder)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.strip().splitlines()) == 1, done.err
        assert "missing" in done.err


def test_a_folder_with_an_adapter_in_place_of_a_base_is_no_base(toys, tmp_path):
    folder = copy_of(toys / "llava", tmp_path)
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert "--adapter" in refusal(folder)


TABLES = ("reference.safetensors", "probe.safetensors", "model.safetensors")


@pytest.mark.parametrize("name", TABLES)
def test_the_files_beside_the_weights_are_whole_too(name, toys, tmp_path):
    whole = load_file(toys / "ours" / name)
    for key in sorted(whole)[:: max(1, len(whole) // 6)]:
        folder = copy_of(toys / "ours", tmp_path)
        metadata = _metadata_of(folder / name)
        if whole[key].is_floating_point():
            broken = whole | {key: torch.full_like(whole[key], torch.nan)}
            save_file(broken, folder / name, metadata)
            assert key in refusal(folder)
        save_file({k: w for k, w in whole.items() if k != key}, folder / name, metadata)
        refusal(folder)
        save_file(whole | {key: whole[key][None]}, folder / name, metadata)
        refusal(folder)


def _metadata_of(path: Path) -> dict[str, str] | None:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()


def test_files_are_compared_with_the_hashes_of_their_card(toys, tmp_path):
    folder = copy_of(toys / "ours", tmp_path)
    shutil.rmtree(folder / "adapters")
    card = folder / "card.json"
    table = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps(table | {"sha256": hash_files(folder)}), encoding="utf-8")
    assert load_checkpoint(Checkpoint(str(folder))).identity.name == "toy0"
    for name in ("model.safetensors", "tokenizer.json", "config.json", "probe.safetensors"):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        told = refusal(folder)
        assert name in told
        assert "SHA-256" in told
        path.unlink()
        refusal(folder)
        path.write_bytes(whole)
    for hashes in ({}, [], "x", {"model.safetensors": 3}, {"../x": "0" * 64}):
        card.write_text(json.dumps(table | {"sha256": hashes}), encoding="utf-8")
        assert "does not name the SHA-256" in refusal(folder)


def test_cards_that_say_nothing_are_told(toys, tmp_path):
    folder = copy_of(toys / "ours", tmp_path)
    for text in (
        "[]",
        "{}",
        '{"name": 3, "licence": "x"}',
        "[" * 100_000,
        '{"name": ' + "9" * 5000,
    ):
        (folder / "card.json").write_text(text, encoding="utf-8")
        assert "card" in refusal(folder)
