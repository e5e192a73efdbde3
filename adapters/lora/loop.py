"""Runs an adapter's training on transformers' Trainer: resumable, and the same for a seed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import Trainer, TrainerCallback, TrainingArguments

from adapters.adapter_recipe import Schedule
from adapters.lora.vlm_batches import next_token_loss
from adapters.trainer import find_last_checkpoint
from assistant.atomic import write_file

CHECKPOINT_EVERY = 50  # steps between two checkpoints at most


def let_first_process_go_first() -> AbstractContextManager[None]:
    """A context that the first process of `accelerate launch` runs before all others."""
    return PartialState(cpu=not torch.cuda.is_available()).main_process_first()


def is_first_process() -> bool:
    """Whether this process is the one that measures and writes."""
    return PartialState(cpu=not torch.cuda.is_available()).is_main_process


def count_examples(schedule: Schedule, steps: int | None = None) -> int:
    """Count the examples that all processes together train on, in all steps or in so many."""
    state = PartialState(cpu=not torch.cuda.is_available())
    return (schedule.steps if steps is None else steps) * schedule.batch * state.num_processes


class TextTrainer(Trainer):
    """A Trainer for models whose loss is on the answers alone."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute `adapters.lora.vlm_batches.next_token_loss`."""
        loss = next_token_loss(model, inputs)
        return (loss, {}) if return_outputs else loss


class _TrainingClock(TrainerCallback):
    """Sums the minutes of all runs of one training, and saves them with each checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path, self._started = path, time.monotonic()
        self._before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else 0.0

    @property
    def minutes(self) -> float:
        """Minutes so far, without those after the last checkpoint of a killed run."""
        return self._before + (time.monotonic() - self._started) / 60

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the minutes at every checkpoint."""
        write_file(self._path, json.dumps(self.minutes).encode())


def train_loop(
    adapted: Any,
    examples: torch.utils.data.Dataset,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    schedule: Schedule,
    folder: Path,
    *,
    seed: int,
    trainer_class: type[Trainer] = Trainer,
) -> float:
    """Train the adapter in place and return the minutes it took, over all runs.

    `folder` keeps the checkpoints: a killed run resumes from the last. `examples` are taken in
    order, so that the same seed gives the same adapter, however often the run was interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clock = _TrainingClock(folder / "minutes.json")
    trainer = trainer_class(
        model=adapted,
        args=_training_arguments(schedule, folder, seed),
        train_dataset=examples,
        data_collator=collate,
        callbacks=[clock],
    )
    trainer.train(resume_from_checkpoint=find_last_checkpoint(folder))
    return clock.minutes


def _training_arguments(schedule: Schedule, folder: Path, seed: int) -> TrainingArguments:
    gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=schedule.warmup,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        use_cpu=not gpu,
        bf16=schedule.bf16,
        activation_checkpointing=schedule.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        ddp_find_unused_parameters=False,
        train_sampling_strategy="sequential",
        logging_steps=25,
        save_steps=max(1, min(CHECKPOINT_EVERY, schedule.steps // 4)),
        save_total_limit=1,
        seed=seed,
        report_to=[],
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=gpu,
        disable_tqdm=False,
    )


@torch.no_grad()
def compute_mean_loss(
    adapted: Any,
    examples: torch.utils.data.Dataset,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    batch: int,
    loss: Callable[[Any, dict[str, Any]], torch.Tensor] = lambda model, batch: model(**batch)[
        "loss"
    ],
) -> float:
    """Compute the loss on held-out examples, as a mean over batches."""
    adapted.eval()
    count = len(examples)  # pyright: ignore[reportArgumentType]
    losses = []
    for start in range(0, count, batch):
        rows = collate([examples[i] for i in range(start, min(start + batch, count))])
        rows = {key: value.to(adapted.device) for key, value in rows.items()}
        losses.append(float(loss(adapted, rows)))
    return sum(losses) / len(losses)
