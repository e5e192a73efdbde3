"""Loading a text-to-image pipeline of diffusers from a folder or a hub, with its LoRA."""

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
# What diffusers, its libraries and the hub raise for a checkpoint that is none.
UNLOADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError,
              SafetensorError)  # fmt: skip
NEEDED = ("prompt", "num_inference_steps", "guidance_scale", "generator", "output_type",
          "callback_on_step_end")  # fmt: skip
# Pipelines that take these change pictures, or make moving ones.
OTHER = ("strength", "mask_image", "num_frames", "image_guidance_scale", "noise_level")
LORA = "default"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPipeline:
    """A pipeline that is ready to paint."""

    pipeline: Any
    identity: Identity
    adapter: str | None  # what the provenance calls the LoRA


def load_pipeline(settings: DiffusionSettings) -> LoadedPipeline:
    """The pipeline of the settings on its device, with its LoRA and what it is.

    Raises BackboneError in one sentence for whatever is missing or does not fit.
    """
    try:
        from diffusers.pipelines.pipeline_utils import DiffusionPipeline
        from diffusers.utils import logging
    except ImportError:
        raise BackboneError(
            "A diffusion painter needs the package diffusers; "
            "install it with `pip install wetread[diffusion]`."
        ) from None
    # As a warning it would log the words of a prompt that a text encoder cuts.
    logging.set_verbosity_error()
    place = find_checkpoint(settings.model, download=settings.download)
    folder, name = place.folder, place.name
    if not (folder / INDEX).is_file():
        raise BackboneError(
            f"{name!r} holds no pipeline of diffusers ({INDEX}); "
            "name one that `save_pretrained` has written."
        )
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = _read(DiffusionPipeline, place, _dtype(settings.dtype, device))
    _check_kind(pipeline, name)
    if getattr(pipeline, "safety_checker", None) is not None:
        # It was made for photographs, and puts a black picture in place of what it dislikes.
        pipeline.safety_checker = None
    pipeline.set_progress_bar_config(disable=True)
    adapter = _with_lora(pipeline, Path(settings.adapter)) if settings.adapter else None
    try:
        pipeline.to(device)
    except (RuntimeError, AssertionError, ValueError):
        raise BackboneError(
            f"The painter {name!r} cannot be put on the device {settings.device!r}; "
            'say device = "auto", or "cpu".'
        ) from None
    identity = Identity(name, _revision(folder, name), place.licence)
    return LoadedPipeline(pipeline, identity, adapter)


def _dtype(named: str, device: str) -> torch.dtype:
    if named == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    return getattr(torch, named)


def _read(family: Any, place: CheckpointLocation, dtype: torch.dtype) -> Any:
    try:
        return family.from_pretrained(
            str(place.folder), dtype=dtype, local_files_only=True, use_safetensors=True
        )
    except UNLOADABLE as error:
        raise BackboneError(
            f"{place.name!r} is no pipeline that diffusers can load from safetensors "
            f"({type(error).__name__}); name one that `save_pretrained` has written."
        ) from None


def _check_kind(pipeline: Any, name: str) -> None:
    """Raise BackboneError for a pipeline that does not paint from words alone."""
    takes = inspect.signature(type(pipeline).__call__).parameters
    must = [
        one for one, value in takes.items()
        if value.default is value.empty and one not in ("self", "prompt")
        and value.kind is not value.VAR_KEYWORD
    ]  # fmt: skip
    if must or not set(NEEDED) <= set(takes) or set(OTHER) & set(takes):
        raise BackboneError(
            f"{name!r} is a {type(pipeline).__name__}, which does not make a picture of words "
            "alone; name a text-to-image pipeline."
        )


def _with_lora(pipeline: Any, folder: Path) -> str:
    """Put the LoRA of a folder into the pipeline; what the provenance calls it."""
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise BackboneError(
            f"The adapter folder {folder.name!r} holds {len(found)} safetensors files; name a "
            "folder with the one that `save_lora_weights` has written."
        )
    if not hasattr(pipeline, "load_lora_weights"):
        raise BackboneError(
            f"A {type(pipeline).__name__} takes no LoRA; leave the painter's `adapter` empty."
        )
    try:
        with safe_open(found[0], framework="numpy") as file:
            there = sum(not key.endswith("alpha") for key in file.keys())  # noqa: SIM118
        pipeline.load_lora_weights(
            str(folder), weight_name=found[0].name, adapter_name=LORA, local_files_only=True
        )
        fits = 0 < there <= _lora_weights(pipeline)  # diffusers passes over what has no place
    except UNLOADABLE:
        fits = False
    if not fits:
        raise BackboneError(
            f"The adapter in {folder.name!r} does not fit this painter; its weights have other "
            "names or shapes, so name one that was trained on this base."
        )
    return f"image@{_sha256(found[0]).hex()[:12]}"


def _lora_weights(pipeline: Any) -> int:
    """How many weights of the LoRA the pipeline holds."""
    models = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return sum(".lora_" in name for model in models for name, _ in model.named_parameters())


def _revision(folder: Path, name: str) -> str:
    """SHA-256 over the weights of the pipeline's parts, with their places."""
    digest = hashlib.sha256()
    files = sorted(folder.glob("*/*.safetensors"))
    if not files:
        raise BackboneError(f"The painter {name!r} holds no weights as safetensors; get it again.")
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(_sha256(path))
    return digest.hexdigest()


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
