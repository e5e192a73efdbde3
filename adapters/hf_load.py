"""Loading any image-text-to-text checkpoint of transformers from a folder, with its processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from adapters.hf_chat import Chat
from assistant.errors import SettingsError


def load_base(base: Path, *, half: bool = False) -> tuple[Any, Chat]:
    """The model and the chat of a checkpoint folder; SettingsError where there is none.

    Weights come from safetensors alone, in bfloat16 where `half` and there is a GPU.
    """
    gpu = torch.cuda.is_available()
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(
            base,
            dtype=torch.bfloat16 if half and gpu else torch.float32,
            local_files_only=True,
            use_safetensors=True,
        )
        processor = load_processor(base)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise SettingsError(
            f"The base {base.name!r} is no image-text-to-text checkpoint that transformers can "
            f"load ({type(error).__name__}); name a folder with a model, a processor and a "
            "chat template."
        ) from None
    return model.to("cuda" if gpu else "cpu").eval(), Chat(processor)


def load_processor(base: Path) -> Any:
    """The checkpoint's processor; without its part for videos where that cannot be loaded.

    The video processors of transformers need torchvision, which must not lie beside a CPU build
    of torch, and a chest film does not move.
    """
    try:
        return AutoProcessor.from_pretrained(base, local_files_only=True)
    except ImportError:
        config = AutoConfig.from_pretrained(base, local_files_only=True)
        family: Any = PROCESSOR_MAPPING[type(config)]

    class Still(family):
        """The family's processor; its parts are those that `__init__` names."""

        def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **more):
            super().__init__(image_processor, tokenizer, chat_template=chat_template, **more)

    return Still.from_pretrained(base, local_files_only=True)
