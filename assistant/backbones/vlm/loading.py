"""Loads any image-text-to-text checkpoint of transformers from a folder, with its processor.

Weights come from safetensors alone, and no code from the checkpoint is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    BitsAndBytesConfig,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.import_utils import is_bitsandbytes_available

from assistant.backbones.device import Quantise, device, dtype_of
from assistant.errors import BackboneError

# The errors of transformers and safetensors for a folder that is no checkpoint or is damaged.
UNLOADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)


def load_vlm(folder: Path, dtype: torch.dtype, quantise: Quantise | None = None) -> tuple[Any, Any]:
    """Load the model and the processor of a checkpoint folder.

    Raises BackboneError where there is no such checkpoint, or where `quantise` is set without a
    GPU or without bitsandbytes.
    """
    extra: dict[str, Any] = {}
    if quantise is not None:
        extra = {"quantization_config": _quantisation_config(quantise), "device_map": {"": 0}}
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            **extra,
        )
        processor = load_processor(folder)
    except UNLOADABLE as error:
        raise BackboneError(
            f"{folder.name!r} is no image-text-to-text checkpoint that transformers can "
            f"load ({type(error).__name__}); name a folder with safetensors, a processor and a "
            "chat template."
        ) from None
    if getattr(processor, "chat_template", None) is None:
        raise BackboneError(
            f"The processor of {folder.name!r} has no chat template, so that it cannot be asked; "
            "name an instruction-tuned checkpoint."
        )
    return (model if quantise else model.to(device())).eval(), processor


def _quantisation_config(bits: Quantise) -> BitsAndBytesConfig:
    if not torch.cuda.is_available():
        raise BackboneError(
            f'quantise = "{bits}" needs a GPU of NVIDIA, and this machine has none that torch '
            "sees; leave it out."
        )
    if not is_bitsandbytes_available():
        raise BackboneError(
            f'quantise = "{bits}" needs the package bitsandbytes; '
            "install it with `pip install wetread[quantised]`."
        )
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype_of(),
    )


def load_processor(folder: Path) -> Any:
    """Load the checkpoint's processor, without its video processor where that cannot be loaded.

    The video processors of transformers need torchvision, which must not be installed with a CPU
    build of torch; chest films need none.
    """
    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ImportError:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        family: Any = PROCESSOR_MAPPING[type(config)]

    class Still(family):
        """The family's processor; its parts are those that `__init__` names."""

        def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs):
            super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

    return Still.from_pretrained(folder, local_files_only=True)
