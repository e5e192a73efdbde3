"""Running an adapter's training on transformers' Trainer: resumable, and the same for a seed."""

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
from adapters.trainer import last_complete_checkpoint

LONGEST_LOST = 50  # steps between two checkpoints at most


def first_process() -> AbstractContextManager[None]:
    """Within it, of several processes of `accelerate launch` the first goes before the others."""
    return PartialState(cpu=not torch.cuda.is_available()).main_process_first()


def is_first_process() -> bool:
    """Whether this process is the one that measures and writes."""
    return PartialState(cpu=not torch.cuda.is_available()).is_main_process


def examples_for(schedule: Schedule) -> int:
    """How many examples all processes together go through."""
    state = PartialState(cpu=not torch.cuda.is_available())
    return schedule.steps * schedule.batch * state.num_processes


class TextTrainer(Trainer):
    """A Trainer for models whose loss is taken on the answers alone."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of `adapters.lora.vlm_batches.told_loss`."""
        loss = next_token_loss(model, inputs)
        return (loss, {}) if return_outputs else loss


class _Clock(TrainerCallback):
    """Keeps the minutes that all runs of one training took, with the checkpoints."""

    def __init__(self, path: Path) -> None:
        self._path, self._started = path, time.monotonic()
        self._before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else 0.0

    @property
    def minutes(self) -> float:
        """Minutes so far; what came after the last checkpoint of a killed run is lost."""
        return self._before + (time.monotonic() - self._started) / 60

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time with every checkpoint."""
        self._path.write_text(json.dumps(self.minutes), encoding="utf-8")


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

    `folder` keeps the checkpoints: a killed run goes on from the last. `examples` are taken in
    their order, so that the same seed gives the same adapter, however often it was interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clock = _Clock(folder / "minutes.json")
    trainer = trainer_class(
        model=adapted,
        args=_arguments(schedule, folder, seed),
        train_dataset=examples,
        data_collator=collate,
        callbacks=[clock],
    )
    trainer.train(resume_from_checkpoint=last_complete_checkpoint(folder))
    return clock.minutes


def _arguments(schedule: Schedule, folder: Path, seed: int) -> TrainingArguments:
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
        save_steps=max(1, min(LONGEST_LOST, schedule.steps // 4)),
        save_total_limit=1,
        seed=seed,
        report_to=[],
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=gpu,
        disable_tqdm=False,
    )


@torch.no_grad()
def mean_loss(
    adapted: Any,
    examples: torch.utils.data.Dataset,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    batch: int,
    loss: Callable[[Any, dict[str, Any]], torch.Tensor] = lambda model, batch: model(**batch)[
        "loss"
    ],
) -> float:
    """The loss on held-out examples, a mean over batches."""
    adapted.eval()
    count = len(examples)  # pyright: ignore[reportArgumentType]
    losses = []
    for start in range(0, count, batch):
        rows = collate([examples[i] for i in range(start, min(start + batch, count))])
        rows = {key: value.to(adapted.device) for key, value in rows.items()}
        losses.append(float(loss(adapted, rows)))
    return sum(losses) / len(losses)
