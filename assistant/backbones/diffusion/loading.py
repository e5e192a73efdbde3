"""Loads a text-to-image pipeline of diffusers from a folder or a hub, with its LoRA."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from assistant.backbones.hub import CheckpointLocation, find_checkpoint
from assistant.backbones.protocols import Identity
from assistant.backbones.vlm.processor import MAX_TOKENS
from assistant.backbones.whole import (
    CONFIG,
    Refusal,
    check_files,
    check_finite,
    check_keys,
    check_loading,
    check_safetensors,
    check_size,
    load_whole,
    read_config,
)
from assistant.errors import BackboneError

if TYPE_CHECKING:
    from assistant.backbones.diffusion.settings import DiffusionSettings

INDEX = "model_index.json"
REQUIRED_PARAMETERS = ("prompt", "num_inference_steps", "guidance_scale", "generator",
                       "output_type", "callback_on_step_end")  # fmt: skip
# Pipelines with these parameters edit pictures, or make videos.
FORBIDDEN_PARAMETERS = ("strength", "mask_image", "num_frames", "image_guidance_scale",
                        "noise_level")  # fmt: skip
LORA_NAME = "default"
DOES_NOT_FIT = "does not fit this painter"
_LORA_KEY = re.compile(
    r"(?P<part>[a-z]+(?:_[a-z0-9]+)*)\.(?P<layer>.+)\.(?P<matrix>lora_[AB])\.weight"
)


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
    with Refusal(
        f"The painter {name!r} cannot be put on the device {settings.device!r} ({{}}); "
        'say device = "auto", or "cpu".'
    ):
        pipeline.to(device)
    identity = Identity(name, _revision_of(folder, name), location.licence)
    return LoadedPipeline(pipeline, identity, adapter)


def _dtype_for(name: str, device: str) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    return getattr(torch, name)


def _read_pipeline(family: Any, location: CheckpointLocation, dtype: torch.dtype) -> Any:
    """The pipeline, each of whose models is loaded whole.

    Raises BackboneError, naming the part, where one is missing or damaged.
    """
    folder = location.folder
    sentence = (
        f"{location.name!r} is no pipeline that diffusers can load from safetensors: {{}}; "
        "name one that `save_pretrained` has written."
    )
    index = read_config(folder, INDEX)
    models: dict[str, Any] = {"safety_checker": None} if "safety_checker" in index else {}
    try:
        for name, entry in index.items():
            is_part = isinstance(entry, list) and len(entry) == 2 and not name.startswith("_")
            if is_part and all(isinstance(word, str) for word in entry) and name not in models:
                model = _load_part(folder / name, entry[0], entry[1], dtype)
                if model is not None:
                    models[name] = model
    except BackboneError as error:
        reason = str(error).rstrip(".")
        raise BackboneError(
            sentence.replace("{}; name", f"{reason[0].lower()}{reason[1:]}; or name")
        ) from None
    with Refusal(sentence):
        pipeline = family.from_pretrained(
            str(folder), dtype=dtype, local_files_only=True, use_safetensors=True, **models
        )
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module) and name not in models:
                raise ValueError(name)  # diffusers would have loaded it unchecked
            _limit_length(part, pipeline.components.get(name.replace("tokenizer", "text_encoder")))
    parameters = inspect.signature(type(pipeline).__init__).parameters
    missing = [
        name for name, part in pipeline.components.items()
        if part is None and name not in type(pipeline)._optional_components
        and name in parameters and parameters[name].default is inspect.Parameter.empty
    ]  # fmt: skip
    if missing:
        raise BackboneError(sentence.replace("{}", f"its {missing[0]} is missing"))
    return pipeline


def _load_part(folder: Path, library: str, kind: str, dtype: torch.dtype) -> Any:
    """A model of a pipeline, whole; None for a part without weights, which diffusers loads."""
    import diffusers
    import transformers
    from diffusers.models.modeling_utils import ModelMixin

    if not folder.is_dir():
        raise BackboneError(f"Its folder {folder.name!r} is missing; get the pipeline again.")
    with Refusal(f"Its {folder.name} is of a class that is not known ({{}}); name another."):
        # As in diffusers, a library is a package, or a module of a pipeline of its own.
        packages: dict[str, Any] = {"diffusers": diffusers, "transformers": transformers}
        module = packages.get(library) or getattr(diffusers.pipelines, library, None)
        family: Any = getattr(module, kind, None)
    for name in (CONFIG, "scheduler_config.json"):
        if (folder / name).is_file():
            read_config(folder, name)
    if not inspect.isclass(family):
        return None
    if issubclass(family, transformers.PreTrainedModel):
        return load_whole(family, folder, dtype=dtype)
    if not issubclass(family, ModelMixin):
        return None
    model_of: Any = family
    stored = check_files(folder, "diffusion_pytorch_model")
    with Refusal(f"The weights of {folder.name!r} cannot be loaded ({{}}); get its files again."):
        config = model_of.load_config(str(folder), local_files_only=True)
        check_size(partial(model_of.from_config, config), stored, folder.name)
        model, loading = model_of.from_pretrained(
            str(folder),
            torch_dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below
        )
    check_loading(repr(folder.name), loading)
    check_finite(repr(folder.name), model.state_dict())
    return model


def _limit_length(tokenizer: Any, encoder: Any) -> None:
    """Give a tokenizer that names no limit the one of its text encoder: pipelines pad to it."""
    limit = getattr(tokenizer, "model_max_length", 0)
    if limit > MAX_TOKENS:
        positions = getattr(getattr(encoder, "config", None), "max_position_embeddings", 512)
        tokenizer.model_max_length = positions if isinstance(positions, int) else 512


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
    shown = f"the adapter in {folder.name!r}"
    advice = "name an adapter that was trained on this base"
    check_safetensors(files[0])
    with safe_open(files[0], framework="pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    weights = {key: shape for key, shape in shapes.items() if not key.endswith("alpha")}
    unexpected, mismatched = _compare_with_base(pipeline, weights)
    check_keys(
        shown, unexpected=unexpected, mismatched=mismatched, advice=f"it {DOES_NOT_FIT}: {advice}"
    )
    with Refusal(f"The{shown[3:]} {DOES_NOT_FIT} ({{}}); {advice}."):
        pipeline.load_lora_weights(
            str(folder), weight_name=files[0].name, adapter_name=LORA_NAME, local_files_only=True
        )
    # diffusers ignores weights that have no place in the pipeline, and makes up missing ones.
    loaded = _lora_weights(pipeline)
    if not weights or len(weights) != len(loaded):
        raise BackboneError(
            f"The{shown[3:]} {DOES_NOT_FIT}: it has {len(weights)} weights, for which the painter "
            f"has {len(loaded)} places; {advice}."
        )
    check_finite(shown, loaded)
    return f"image@{_sha256_of(files[0]).hex()[:12]}"


def _compare_with_base(
    pipeline: Any, weights: Mapping[str, Sequence[int]]
) -> tuple[list[str], list[str]]:
    """The weights of a LoRA that name no layer of the pipeline, and those of another shape.

    Both are empty for the files of other programs, whose names diffusers translates.
    """
    unexpected, mismatched = [], []
    for key, shape in weights.items():
        matched = _LORA_KEY.fullmatch(key)
        part = pipeline.components.get(matched["part"]) if matched else None
        if matched is None or not isinstance(part, torch.nn.Module):
            if matched is not None:
                unexpected.append(key)
            continue
        layer: Any = dict(part.named_modules()).get(matched["layer"])
        weight = getattr(layer, "weight", None)
        if weight is None:
            unexpected.append(key)
        else:
            side = 1 if matched["matrix"] == "lora_A" else 0
            if len(shape) < 2 or shape[side] != weight.shape[side]:
                mismatched.append(key)
    return unexpected, mismatched


def _lora_weights(pipeline: Any) -> dict[str, torch.Tensor]:
    """The LoRA's weights in the pipeline, by their names there."""
    return {
        f"{part}.{name}": weight
        for part, model in pipeline.components.items()
        if isinstance(model, torch.nn.Module)
        for name, weight in model.named_parameters()
        if ".lora_" in name
    }


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
