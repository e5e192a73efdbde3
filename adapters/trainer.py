"""Runs one training stage on transformers' Trainer; a killed run resumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn
from transformers import Trainer, TrainingArguments

from adapters.backbone_recipe import Stage
from adapters.optimiser import build_optimiser
from assistant.atomic import new_file

FINISHED = "final.safetensors"  # in a stage's folder: the weights at its end


def run_stage(
    model: nn.Module,
    data: torch.utils.data.Dataset,
    collate: Callable[[list[int]], dict[str, Any]],
    stage: Stage,
    folder: Path,
    *,
    seed: int,
    callbacks: tuple = (),
    optimiser: torch.optim.Optimizer | None = None,
) -> None:
    """Train `model` in place for the stage's steps; a killed run resumes from its checkpoint.

    `folder` keeps the checkpoints and, once the stage is finished, its weights: a finished stage
    is loaded, not trained again. The same seed gives the same run, however often it was
    interrupted between stages. Without an `optimiser` it is Muon with AdamW.
    """
    final = folder / FINISHED
    if final.is_file():
        load_model(model, final)
        return
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=stage.steps,
        per_device_train_batch_size=stage.batch,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=min(100, stage.steps // 10),
        max_grad_norm=1.0,
        bf16=torch.cuda.is_available(),
        logging_steps=25,
        save_steps=100,
        save_total_limit=1,
        seed=seed,
        report_to=[],
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=False,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=data,
        data_collator=collate,
        callbacks=list(callbacks),
        optimizers=(
            optimiser or build_optimiser(model, stage.learning_rate, stage.muon_rate),
            None,
        ),
    )
    trainer.train(resume_from_checkpoint=find_last_checkpoint(folder))
    with new_file(final) as temporary:
        save_model(model, str(temporary))


def find_last_checkpoint(folder: Path) -> str | None:
    """The last complete checkpoint of a run: one with a trainer state, which is written last."""
    checkpoints = []
    for path in folder.glob("checkpoint-*"):
        try:
            state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        checkpoints.append((state["global_step"], str(path)))
    return max(checkpoints)[1] if checkpoints else None
