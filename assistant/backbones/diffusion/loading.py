"""Loads a text-to-image pipeline of diffusers from a folder or a hub, with its LoRA."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from assistant.backbones.hub import CheckpointLocation, find_checkpoint
from assistant.backbones.protocols import Identity
from assistant.errors import BackboneError

if TYPE_CHECKING:
    from assistant.backbones.diffusion.settings import DiffusionSettings

INDEX = "model_index.json"
# The errors of diffusers, its libraries and the hub for a folder that is no checkpoint.
UNLOADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError,
              SafetensorError)  # fmt: skip
REQUIRED_PARAMETERS = ("prompt", "num_inference_steps", "guidance_scale", "generator",
                       "output_type", "callback_on_step_end")  # fmt: skip
# Pipelines with these parameters edit pictures, or make videos.
FORBIDDEN_PARAMETERS = ("strength", "mask_image", "num_frames", "image_guidance_scale",
                        "noise_level")  # fmt: skip
LORA_NAME = "default"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPipeline:
    """A pipeline on its device, with its identity."""

    pipeline: Any
    identity: Identity
    adapter: str | None  # the LoRA's name in the provenance


def load_pipeline(settings: DiffusionSettings) -> LoadedPipeline:
    """Load the pipeline of the settings onto its device, with its LoRA and its identity.

    Raises BackboneError for whatever is missing or does not fit.
    """
    try:
        from diffusers.pipelines.pipeline_utils import DiffusionPipeline
        from diffusers.utils import logging
    except ImportError:
        raise BackboneError(
            "A diffusion painter needs the package diffusers; "
            "install it with `pip install wetread[diffusion]`."
        ) from None
    # Its warnings would log the words of a prompt that a text encoder truncates.
    logging.set_verbosity_error()
    location = find_checkpoint(settings.model, download=settings.download)
    folder, name = location.folder, location.name
    if not (folder / INDEX).is_file():
        raise BackboneError(
            f"{name!r} holds no pipeline of diffusers ({INDEX}); "
            "name one that `save_pretrained` has written."
        )
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = _read_pipeline(DiffusionPipeline, location, _dtype_for(settings.dtype, device))
    _check_kind(pipeline, name)
    if getattr(pipeline, "safety_checker", None) is not None:
        # It was made for photographs, and replaces pictures that it rejects by black ones.
        pipeline.safety_checker = None
    pipeline.set_progress_bar_config(disable=True)
    adapter = _add_lora(pipeline, Path(settings.adapter)) if settings.adapter else None
    try:
        pipeline.to(device)
    except (RuntimeError, AssertionError, ValueError):
        raise BackboneError(
            f"The painter {name!r} cannot be put on the device {settings.device!r}; "
            'say device = "auto", or "cpu".'
        ) from None
    identity = Identity(name, _revision_of(folder, name), location.licence)
    return LoadedPipeline(pipeline, identity, adapter)


def _dtype_for(name: str, device: str) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    return getattr(torch, name)


def _read_pipeline(family: Any, location: CheckpointLocation, dtype: torch.dtype) -> Any:
    try:
        return family.from_pretrained(
            str(location.folder), dtype=dtype, local_files_only=True, use_safetensors=True
        )
    except UNLOADABLE as error:
        raise BackboneError(
            f"{location.name!r} is no pipeline that diffusers can load from safetensors "
            f"({type(error).__name__}); name one that `save_pretrained` has written."
        ) from None


def _check_kind(pipeline: Any, name: str) -> None:
    """Raise BackboneError for a pipeline that does not paint from words alone."""
    parameters = inspect.signature(type(pipeline).__call__).parameters
    required = [
        key for key, value in parameters.items()
        if value.default is value.empty and key not in ("self", "prompt")
        and value.kind is not value.VAR_KEYWORD
    ]  # fmt: skip
    is_painter = set(REQUIRED_PARAMETERS) <= set(parameters)
    if required or not is_painter or set(FORBIDDEN_PARAMETERS) & set(parameters):
        raise BackboneError(
            f"{name!r} is a {type(pipeline).__name__}, which does not make a picture of words "
            "alone; name a text-to-image pipeline."
        )


def _add_lora(pipeline: Any, folder: Path) -> str:
    """Load the LoRA of a folder into the pipeline; returns its name in the provenance."""
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise BackboneError(
            f"The adapter folder {folder.name!r} holds {len(files)} safetensors files; name a "
            "folder with the one that `save_lora_weights` has written."
        )
    if not hasattr(pipeline, "load_lora_weights"):
        raise BackboneError(
            f"A {type(pipeline).__name__} takes no LoRA; leave the painter's `adapter` empty."
        )
    try:
        with safe_open(files[0], framework="numpy") as file:
            weight_count = sum(not key.endswith("alpha") for key in file.keys())  # noqa: SIM118
        pipeline.load_lora_weights(
            str(folder), weight_name=files[0].name, adapter_name=LORA_NAME, local_files_only=True
        )
        # diffusers ignores weights that have no place in the pipeline.
        fits = 0 < weight_count <= _count_lora_weights(pipeline)
    except UNLOADABLE:
        fits = False
    if not fits:
        raise BackboneError(
            f"The adapter in {folder.name!r} does not fit this painter; its weights have other "
            "names or shapes, so name one that was trained on this base."
        )
    return f"image@{_sha256_of(files[0]).hex()[:12]}"


def _count_lora_weights(pipeline: Any) -> int:
    """Number of the LoRA's weight tensors in the pipeline."""
    models = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return sum(".lora_" in name for model in models for name, _ in model.named_parameters())


def _revision_of(folder: Path, name: str) -> str:
    """SHA-256 over the weights of the pipeline's parts, with their relative paths."""
    digest = hashlib.sha256()
    files = sorted(folder.glob("*/*.safetensors"))
    if not files:
        raise BackboneError(f"The painter {name!r} holds no weights as safetensors; get it again.")
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(_sha256_of(path))
    return digest.hexdigest()


def _sha256_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
