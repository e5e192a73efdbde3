"""Loads a checkpoint whole or not at all: no weight that its files lack is made up.

Libraries fill missing weights with random numbers and pass over those that have no place. Here
each is a BackboneError that names them, and so is whatever else a library says of damaged files.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import errors
from jinja2 import TemplateError
from safetensors import SafetensorError

from assistant.errors import BackboneError, WetreadError
from assistant.parsing import read_json

CONFIG = "config.json"
# What transformers, diffusers, PEFT, jinja and their parsers raise for damaged or strange files.
UNLOADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError,
              RuntimeError, ArithmeticError, AssertionError, MemoryError, SafetensorError,
              TemplateError, re.error, errors.StrictDataclassError, errors.EntryNotFoundError,
              errors.RevisionResolutionError)  # fmt: skip
# Weights that a library computes itself: old checkpoints have them, new ones have not.
COMPUTED = re.compile(r"rotary_emb\.inv_freq$|(^|\.)position_ids$|num_batches_tracked$")
MAX_HEADER = 32_000_000  # bytes of a safetensors header; a model of 10,000 tensors has about 1 MB
MAX_CONFIG = 8_000_000  # bytes of a configuration
# Numbers of parts that a model builds one by one, and its other sizes: far above any real model.
_COUNTS = re.compile(r"layers|depth|blocks|experts|heads|stages|groups")
_LENGTHS = re.compile(r"position|token|length|vocab|pixels|edge|_id$|_ids$|_index$")
_FREE = re.compile(r"theta|base|seed")
_POSITIVE = re.compile(
    r"(hidden|intermediate|vocab|image|patch)_size|num_(hidden_layers|(attention|key_value)_heads)"
    r"|max_position_embeddings"
)
MAX_COUNT, MAX_SIZE, MAX_LENGTH = 4096, 2**20, 2**27
# Numbers in the weights for each byte of their files, at most (four bits a number make two), and
# so many more that a small model's missing keys are still named one by one.
_MOST_PER_BYTE, _SPARE_WEIGHTS = 16, 10_000_000


class Refusal(AbstractContextManager["Refusal"]):
    """Context that turns a library's error for damaged files into one BackboneError."""

    def __init__(self, sentence: str, unless: Callable[[], bool] = lambda: False) -> None:
        """`sentence` names the file and says what to do; `{}` in it becomes the error's kind.

        An error that comes while `unless()` holds is not the files', and goes through.
        """
        self._sentence = sentence
        self._unless = unless

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Raise the sentence for an error of a library; everything else goes through."""
        if error is None or isinstance(error, WetreadError) or self._unless():
            return
        name = type(error).__name__
        # The parsers in Rust raise bare exceptions, of no class of their own, or panic.
        is_bare = type(error) is Exception or name == "PanicException"
        if is_bare or isinstance(error, UNLOADABLE):
            raise BackboneError(self._sentence.replace("{}", name)) from None


def read_config(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    """Read a checkpoint's JSON configuration.

    Raises BackboneError where it is no table, or names a size that no model has: its layers
    would be built until memory runs out.
    """
    shown = f"The {name} of {folder.name!r}"
    config = read_json(folder / name, shown, most=MAX_CONFIG, error=BackboneError)
    if not isinstance(config, dict):
        raise BackboneError(f"{shown} holds no table; get the checkpoint again.")
    for key, value in _numbers_of(config):
        limit = MAX_LENGTH if _LENGTHS.search(key) else MAX_SIZE
        if _COUNTS.search(key):
            limit = MAX_COUNT
        is_absurd = abs(value) > limit and not _FREE.search(key)
        if is_absurd or (value < 1 and _POSITIVE.fullmatch(key)):
            raise BackboneError(
                f"{shown} says {shown_name(key)} = {value:.4g}, which no model has; "
                "get the checkpoint again."
            )
    return config


def _numbers_of(table: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """The whole numbers in a configuration, each with the key that it stands under."""
    waiting: list[tuple[str, Any]] = list(table.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(key), value


def check_files(folder: Path, stem: str = "model") -> int:
    """Check the safetensors files of a checkpoint without reading their weights.

    Returns their size in bytes. Raises BackboneError for a shard that its index names and that is
    not there, and for a file that is cut short or has an absurd header.
    """
    whole = folder / f"{stem}.safetensors"
    if whole.is_file():
        return check_safetensors(whole)
    index = folder / f"{stem}.safetensors.index.json"
    if not index.is_file():
        raise BackboneError(
            f"The folder {folder.name!r} holds no {whole.name}, and weights are loaded from "
            "safetensors alone; name a checkpoint saved in that format."
        )
    table = read_json(
        index, f"The index {index.name} of {folder.name!r}", most=64_000_000, error=BackboneError
    )
    weight_map = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(weight_map, dict) or not all(map(_is_shard, weight_map.values())):
        raise BackboneError(
            f"The index {index.name} of {folder.name!r} does not name the file of each weight; "
            "get the checkpoint again."
        )
    shards = sorted(set(weight_map.values()))
    if missing := [name for name in shards if not (folder / name).is_file()]:
        raise BackboneError(
            f"{folder.name!r} lacks {_first_few(missing)} of the {len(shards)} files that its "
            "index names; get the checkpoint again."
        )
    return sum(check_safetensors(folder / name) for name in shards)


def _is_shard(name: object) -> bool:
    """Whether an index names a file of its own folder."""
    return isinstance(name, str) and re.fullmatch(r"[\w.-]+\.safetensors", name) is not None


def check_safetensors(path: Path) -> int:
    """Check the header of a safetensors file; returns the file's size in bytes.

    Raises BackboneError where the header is longer than the file or than any real one, and where
    the file is shorter or longer than its header says.
    """
    damaged = BackboneError(
        f"The file {path.name} of {path.parent.name!r} is damaged or cut short; get it again."
    )
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(MAX_HEADER, size - 8):
            raise damaged
        try:
            header = json.loads(file.read(length))
            ends = [
                entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"
            ]
            end = max(ends, default=0)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise damaged from None
    if size != 8 + length + end:
        raise damaged
    return size


def check_keys(
    name: str,
    *,
    missing: Collection[str] = (),
    unexpected: Collection[str] = (),
    mismatched: Collection[str] = (),
    advice: str = "get its files again",
) -> None:
    """Raise BackboneError, naming the first few, where weights are missing or have no place.

    `name` says whose weights they are; weights that a library computes itself are no fault.
    """
    faults = [
        f"{len(keys)} {fault} ({_first_few(keys)})"
        for fault, keys in (
            ("missing", [key for key in missing if not COMPUTED.search(key)]),
            ("unexpected", [key for key in unexpected if not COMPUTED.search(key)]),
            ("of another shape", list(mismatched)),
        )
        if keys
    ]
    if faults:
        raise BackboneError(f"The weights of {name} do not fit: {', '.join(faults)}; {advice}.")


def _first_few(keys: Collection[str], most: int = 3) -> str:
    names = [shown_name(key) for key in sorted(keys)[:most]]
    return ", ".join(names) + (", ..." if len(keys) > most else "")


def shown_name(name: object) -> str:
    """A name from a file of others as an error shows it: on one line, and not endless."""
    return re.sub(r"[^\w.\-]", "?", str(name))[:120]


def check_arrays(
    name: str, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int | None, ...]]
) -> None:
    """Check tables against the shapes that they must have, None for any length.

    Raises BackboneError where one is missing, of another shape, unexpected, or not finite.
    """
    check_keys(
        name,
        missing=shapes.keys() - arrays.keys(),
        unexpected=arrays.keys() - shapes.keys(),
        mismatched=[
            key for key in shapes.keys() & arrays.keys() if not _fits(arrays[key], shapes[key])
        ],
    )
    check_finite(name, {key: torch.from_numpy(array) for key, array in arrays.items()})


def _fits(array: np.ndarray, shape: tuple[int | None, ...]) -> bool:
    return len(array.shape) == len(shape) and all(
        length in (None, own) for own, length in zip(array.shape, shape, strict=True)
    )


def check_finite(name: str, weights: Mapping[str, Any]) -> None:
    """Raise BackboneError, naming the first few, where weights are NaN or infinite."""
    broken = [key for key, weight in weights.items() if not _is_finite(weight)]
    if broken:
        raise BackboneError(
            f"{len(broken)} weights of {name} hold NaN or infinity ({_first_few(broken)}); "
            "get its files again."
        )


def _is_finite(weight: Any) -> bool:
    if not torch.is_tensor(weight) or not weight.is_floating_point() or not weight.numel():
        return True
    numbers = weight.float() if weight.element_size() == 1 else weight
    return all(math.isfinite(end.item()) for end in torch.aminmax(numbers))


def load_whole(
    family: Any, folder: Path, *, config: Any = None, verified: bool = False, **options: Any
) -> Any:
    """Load a model of transformers from a folder, with every weight from its files.

    `family` is its class, or an auto class with the model's `config`. `verified` files have the
    hashes of their card, so that their numbers need no check. Raises BackboneError for weights
    that are missing, unexpected, of another shape, or not finite.
    """
    if config is None:
        read_config(folder)
    stored = check_files(folder)
    sentence = f"The weights of {folder.name!r} cannot be loaded ({{}}); get its files again."
    with Refusal(sentence):
        if config is None:
            config = family.config_class.from_pretrained(folder, local_files_only=True)
        if not verified:
            build = family.from_config if hasattr(family, "from_config") else family
            check_size(partial(build, deepcopy(config)), stored, folder.name)
        model, loading = family.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below
            **options,
        )
    check_loading(repr(folder.name), loading)
    if not verified:
        check_finite(repr(folder.name), model.state_dict())
    return model


def check_size(build: Callable[[], Any], stored: int, name: str) -> None:
    """Raise BackboneError for a model far larger than its files, before memory is taken for it.

    `build` makes the model of its configuration, here without memory; its files have `stored`
    bytes.
    """
    with torch.device("meta"):
        model = build()
    numbers = sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
    if numbers > _MOST_PER_BYTE * stored + _SPARE_WEIGHTS:
        raise BackboneError(
            f"The configuration of {name!r} describes {numbers:.3g} weights, and its files hold "
            f"{stored:.3g} bytes; they do not belong together, so get the checkpoint again."
        )


def check_loading(name: str, loading: Mapping[str, Any]) -> None:
    """Check what `from_pretrained` says of the weights that it loaded; BackboneError names them.

    `loading` is its loading information, of transformers or of diffusers.
    """
    check_keys(
        name,
        missing=loading["missing_keys"],
        unexpected=loading["unexpected_keys"],
        mismatched=[entry[0] for entry in loading["mismatched_keys"]],
    )
