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
    BitsAndBytesConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers.utils.import_utils import is_bitsandbytes_available

from assistant.backbones.device import Quantise, device, dtype_of
from assistant.backbones.vlm.processor import load_processor
from assistant.backbones.whole import Refusal, load_whole, read_config
from assistant.errors import BackboneError


def load_vlm(folder: Path, dtype: torch.dtype, quantise: Quantise | None = None) -> tuple[Any, Any]:
    """Load the model and the processor of a checkpoint folder.

    Raises BackboneError where there is no such checkpoint, or where `quantise` is set without a
    GPU or without bitsandbytes.
    """
    extra: dict[str, Any] = {}
    if quantise is not None:
        extra = {"quantization_config": _quantisation_config(quantise), "device_map": {"": 0}}
    config = load_config(folder)
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise BackboneError(
            f"{folder.name!r} is a {config.model_type!r}, no image-text-to-text model that "
            "transformers can load; name another."
        )
    processor = load_processor(folder)  # first: it fails sooner than the weights
    if getattr(processor, "chat_template", None) is None:
        raise BackboneError(
            f"The processor of {folder.name!r} has no chat template, so that it cannot be asked; "
            "name an instruction-tuned checkpoint."
        )
    model: Any = load_whole(
        AutoModelForImageTextToText,
        folder,
        config=config,
        dtype=dtype,
        trust_remote_code=False,
        **extra,
    )
    if not quantise:
        with Refusal(
            f"{folder.name!r} does not fit on the device {device()!r} ({{}}); name a smaller "
            "checkpoint, or quantise it."
        ):
            model.to(device())
    return model.eval(), processor


def load_config(folder: Path) -> Any:
    """Load a checkpoint's configuration as transformers' own.

    Raises BackboneError where it is damaged, or of a family that transformers does not know.
    """
    read_config(folder)
    with Refusal(
        f"The configuration of {folder.name!r} is damaged, or of a family that transformers does "
        "not know without running the checkpoint's own code, which Wetread does not do ({}); "
        "name another."
    ):
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


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
