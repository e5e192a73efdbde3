"""Averages a model's weights over its training steps; the average reads films better than the end.

Polyak and Juditsky 1992; with an exponential window as in Tarvainen and Valpola 2017
(arXiv:1703.01780).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn
from transformers import TrainerCallback

FILE = "average.safetensors"  # in a checkpoint's folder
WINDOW = 0.998


class WeightAverage(TrainerCallback):
    """Keeps the average while the model trains, and leaves it in the model at the end."""

    def __init__(self, model: nn.Module) -> None:
        self._average = copy.deepcopy(model).eval().requires_grad_(False)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Go on with the average of the checkpoint that is resumed."""
        self._average.to(next(kwargs["model"].parameters()).device)
        path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / FILE
        if path.is_file():
            load_model(self._average, path)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the average beside the checkpoint."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if folder.is_dir():
            save_model(self._average, str(folder / FILE))

    @torch.no_grad()
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the average towards the weights of this step."""
        keep = min(WINDOW, (1 + state.global_step) / (10 + state.global_step))
        ours, theirs = self._average.state_dict(), kwargs["model"].state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - keep)
            else:
                value.copy_(theirs[name])

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put the average into the model."""
        kwargs["model"].load_state_dict(self._average.state_dict())
