"""Loading any image-text-to-text checkpoint of transformers as the base of an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from adapters.lora.vlm_batches import LessonChat
from assistant.backbones.vlm.loading import load_vlm
from assistant.errors import BackboneError, SettingsError


def load_base(base: Path, *, half: bool = False) -> tuple[Any, LessonChat]:
    """The model and the chat of a checkpoint folder; SettingsError where there is none.

    Weights come from safetensors alone, in bfloat16 where `half` and there is a GPU.
    """
    dtype = torch.bfloat16 if half and torch.cuda.is_available() else torch.float32
    try:
        model, processor = load_vlm(base, dtype)
    except BackboneError as error:
        raise SettingsError(f"This base cannot learn: {error}") from None
    return model, LessonChat(processor)
