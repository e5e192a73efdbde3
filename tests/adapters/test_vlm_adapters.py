"""The same recipes on any image-text-to-text model: five families, random and tiny."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from toy_vlms import FAMILIES, toy_vlm

from adapters.adapter_recipe import AdapterRecipe, FolderData, Lora, Schedule
from adapters.data.cases import load_cases
from adapters.lora.train import train_adapter
from adapters.lora.vlm import film_edge, load_adapted
from adapters.lora.vlm_batches import next_token_loss
from assistant.errors import BackboneError, SettingsError

QUICK = ("gemma3", "qwen2_5_vl")  # films of one size, and films of their own size


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    from assistant.chest.phantoms import write_phantoms

    folder = tmp_path_factory.mktemp("films")
    write_phantoms(folder, 8, seed=3, split="train", workers=1)
    return folder


def recipe(task: str, films: Path) -> AdapterRecipe:
    return AdapterRecipe(
        name=f"toy-{task}",
        task=task,
        base="mini",
        licence="Apache-2.0",
        seed=1,
        lora=Lora(rank=2, alpha=4, dropout=0.0, targets=("all-linear",)),
        data=FolderData(films, 0.2),
        schedule=Schedule(steps=2, batch=2, learning_rate=0.05),
    )


@pytest.mark.parametrize(
    "family",
    [f if f in QUICK else pytest.param(f, marks=pytest.mark.long) for f in FAMILIES],
)
def test_reports_and_answers_are_learnt_on_a_base_that_stays_as_it_is(family, films, tmp_path):
    base, other = toy_vlm(family, tmp_path / "base"), toy_vlm(family, tmp_path / "other", seed=1)
    before = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    folders = []
    for task in ("report", "answer"):
        plan = recipe(task, films)
        out = train_adapter(plan, base, tmp_path / "work", tmp_path / task)
        card = json.loads((out / "card.json").read_text(encoding="utf-8"))
        assert card["base"]["revision"] == before
        assert np.isfinite(card["metrics"]["validation_loss"])
        weights = load_file(out / "adapter_model.safetensors")
        assert any(w.any() for name, w in weights.items() if "lora_B" in name)
        apart = ("vision", "visual", "projector", "connector", "aligner", "merger", "lm_head")
        assert not [name for name in weights if any(word in name for word in apart)]
        folders.append(out)
        with pytest.raises(BackboneError, match="trained on another base"):
            load_adapted(other, (out,))
    assert hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest() == before
    _check_loaded(base, folders, films, tmp_path)


def _check_loaded(base: Path, folders: list[Path], films: Path, tmp_path: Path) -> None:
    """Loaded twice the adapters say the same, and each something of its own."""
    losses = []
    for _ in range(2):
        model, chat, adapters = load_adapted(base, tuple(folders))
        assert adapters.tasks == ("report", "answer")
        data = FolderData(films, 0.2)
        edge = film_edge(chat.processor)
        cases = load_cases(data, tmp_path / "work", seed=1, edge=edge, on_message=lambda text: None)
        example = chat.build_example(cases.train.pictures[0], [("Is there a nodule?", "No.")])
        row = []
        for task in (None, "report", "answer"):
            with adapters.switched_to(task), torch.no_grad():
                row.append(float(next_token_loss(model, chat.collate([example]))))
        losses.append(row)
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 3


def test_a_batch_has_the_loss_of_its_rows_and_only_answers_are_learnt(films, tmp_path):
    from adapters.lora.vlm import load_base

    model, chat = load_base(toy_vlm("gemma3", tmp_path / "base"))
    picture = (np.random.default_rng(0).random((40, 40)) * 255).astype(np.uint8)
    turns = [("Is there a <pad> nodule?", "Yes, on the left."), ("And a mass?", "No.")]
    rows = [
        chat.build_example(picture, turns),
        chat.build_example(255 - picture, [("Report?", "Clear.")]),
    ]
    told = [[t for t in row["targets"] if t >= 0] for row in rows]
    ends = "<end>\n"
    assert chat.tokenizer.decode(told[0]) == f"Yes, on the left.{ends}No.{ends}"
    assert chat.tokenizer.pad_token_id not in rows[0]["input_ids"]  # no mark but the template's
    with torch.no_grad():
        losses = [float(next_token_loss(model, chat.collate([row]))) for row in rows]
        together = float(next_token_loss(model, chat.collate(rows)))
    assert together == pytest.approx(np.average(losses, weights=list(map(len, told))), abs=1e-4)


def test_what_such_a_model_cannot_learn_is_refused_in_one_sentence(films, tmp_path):
    base = toy_vlm("llava", tmp_path / "base")
    with pytest.raises(SettingsError, match="cannot paint"):
        train_adapter(recipe("image", films), base, tmp_path / "work", tmp_path / "out")
    (base / "preprocessor_config.json").unlink(missing_ok=True)
    (base / "processor_config.json").unlink(missing_ok=True)
    with pytest.raises(SettingsError, match="processor"):
        train_adapter(recipe("report", films), base, tmp_path / "work", tmp_path / "out")
