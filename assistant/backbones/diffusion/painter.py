"""Paints with any text-to-image pipeline of diffusers, with a LoRA if the settings name one.

Weights come from safetensors alone, and no code from the checkpoint is run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from assistant.backbones.diffusion.settings import DiffusionSettings
from assistant.backbones.hearer import Hearer
from assistant.backbones.protocols import Identity
from assistant.errors import BackboneError
from assistant.types import OnProgress, PaintRequest


class DiffusionPainter:
    """A diffusers pipeline as painter; one call at a time."""

    def __init__(self, settings: DiffusionSettings) -> None:
        """Load the pipeline and its LoRA.

        Raises BackboneError without diffusers, for a checkpoint that is missing, damaged, gated,
        not in safetensors or not text-to-image, and for a LoRA that does not fit.
        """
        from assistant.backbones.diffusion.loading import load_pipeline

        loaded = load_pipeline(settings)
        self.settings = settings
        self.identity = loaded.identity
        self._pipeline: Any = loaded.pipeline
        self._adapter = loaded.adapter
        self._lock = threading.Lock()

    @property
    def tasks(self) -> tuple[str, ...]:
        """("image",) where there is a LoRA."""
        return ("image",) if self._adapter else ()

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the LoRA of the task "image"; BackboneError if there is none."""
        if task is not None and task not in self.tasks:
            raise BackboneError(
                f"The painter {self.identity.name!r} has no adapter for the task {task!r}; "
                "name a LoRA's folder as the settings' `adapter`."
            )
        return replace(self.identity, adapter=None if task is None else self._adapter)

    def paint(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> list[np.ndarray]:
        """Paint films, each float32 (H, W) in [0, 1], air dark.

        The prompt is used unchanged; greys are the mean of the picture's colours. A film depends
        only on the seed and its number, not on how many are painted with it: they are painted
        one by one. `guidance` is classifier-free guidance, none at 1. `temperature` has no effect
        in diffusion. `on_progress` receives the number of steps done and of all steps of all
        films, in this thread; an error that it raises ends the painting and is passed on, and it
        may not call the painter. Raises BackboneError for a site, since pipelines are not trained
        on any, for a prompt that is too long, and where memory runs out.
        """
        if request.site.strip():
            raise BackboneError(
                "A diffusion painter knows no sites of phantoms; leave `site` empty."
            )
        with self._lock:
            self._check_length(request.prompt)
            return [
                self._paint_film(request, number, _StepProgress(on_progress, number, request.count))
                for number in range(request.count)
            ]

    def _paint_film(self, request: PaintRequest, number: int, steps: _StepProgress) -> np.ndarray:
        import torch

        from assistant.backbones.whole import Refusal

        sentence = (
            f"The parts of the painter {self.identity.name!r} do not belong together ({{}}); "
            "get its files again."
        )
        with Refusal(sentence, steps.hearer.has_raised):
            try:
                output = self._pipeline(
                    prompt=request.prompt,
                    num_inference_steps=self.settings.steps,
                    guidance_scale=request.guidance,
                    # On the CPU on every machine, so that all draw the same noise.
                    generator=torch.Generator("cpu").manual_seed(_film_seed(request.seed, number)),
                    output_type="np",
                    callback_on_step_end=steps,
                )
            except torch.OutOfMemoryError:
                output = None
        if output is None:
            raise BackboneError(
                f"Memory ran out while {self.identity.name!r} painted; choose a dtype of 16 bits "
                "or another device in the settings."
            )
        picture = np.asarray(output.images[0], np.float32)  # (H, W, 3) in [0, 1]
        if not np.isfinite(picture).all():
            raise BackboneError(
                f"The numbers of {self.settings.dtype} were too small for {self.identity.name!r}, "
                'which painted nothing; choose dtype = "bfloat16" or "float32" in the settings.'
            )
        return picture.mean(axis=-1).clip(0, 1)

    def _check_length(self, prompt: str) -> None:
        """Raise BackboneError where every text encoder would truncate the prompt."""
        tokenizers = [
            part for name, part in self._pipeline.components.items()
            if name.startswith("tokenizer") and part is not None
        ]  # fmt: skip
        lengths = [(len(part(prompt).input_ids), part.model_max_length) for part in tokenizers]
        if lengths and all(length > limit for length, limit in lengths):
            length, limit = max(lengths, key=lambda pair: pair[1])
            raise BackboneError(
                f"The prompt has {length} tokens and the painter {self.identity.name!r} reads "
                f"{limit} at most; say it in fewer words."
            )


class _StepProgress:
    """Reports the steps done, of the steps of all films."""

    def __init__(self, on_progress: OnProgress | None, film: int, count: int) -> None:
        self.hearer = Hearer(on_progress)
        self._film = film
        self._count = count

    def __call__(
        self, pipeline: Any, step: int, timestep: Any, tensors: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the pipeline's tensors unchanged; some schedulers add steps."""
        steps = pipeline.num_timesteps
        self.hearer.hear(self._film * steps + step + 1, self._count * steps)
        return tensors


def _film_seed(seed: int, film: int) -> int:
    return int(np.random.SeedSequence([seed, film]).generate_state(1, np.uint64)[0] >> 1)
