"""Reads an adapter's folder: its card, its configuration and the names of its weights.

Nothing of it is trusted: PEFT is given a plain LoRA whose files belong together, or nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assistant.backbones.hashes import CARD, check_hashes, hash_file
from assistant.backbones.whole import check_safetensors, read_config
from assistant.errors import BackboneError
from assistant.parsing import read_json

TASKS = ("report", "answer", "image")
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# Other values would change the base for the other tasks, or cannot share a batch.
PLAIN_LORA = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian"),
    "task_type": (None, "CAUSAL_LM", "FEATURE_EXTRACTION"),
}
# The options of a plain LoRA, and those that only say where it comes from. Every other option,
# of this PEFT or of a later one, must be as if it were not there.
FREE = frozenset({
    "r", "lora_alpha", "lora_dropout", "use_rslora", "fan_in_fan_out", "target_modules",
    "exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern",
    "base_model_name_or_path", "revision", "inference_mode", "peft_version", "auto_mapping",
})  # fmt: skip
MAX_RANK, MAX_ALPHA = 4096, 1e6


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter folder on the disk, with its card."""

    task: str
    folder: Path
    sha256: str  # of its weights
    card: dict[str, Any]
    verified: bool = True  # its weights have the hash that its card notes; False: it notes none

    @property
    def name(self) -> str:
        """Its name in the provenance."""
        note = "" if self.verified else ", which its card does not vouch for"
        return f"{self.task}@{self.sha256[:12]}{note}"


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter's folder.

    Raises BackboneError where a file is missing or damaged, the card does not say what it is, the
    weights are not those of its card, or it is more than a plain LoRA.
    """
    missing = [name for name in (CONFIG, WEIGHTS, CARD) if not (folder / name).is_file()]
    if missing:
        raise BackboneError(
            f"The adapter folder {folder.name!r} lacks {', '.join(missing)}; "
            "name a folder that `wetread train` has written."
        )
    shown = f"the adapter in {folder.name!r}"
    card = read_json(folder / CARD, f"The card of {shown}", most=8_000_000, error=BackboneError)
    base = card.get("base") if isinstance(card, dict) else None
    if (
        not isinstance(base, dict)
        or card.get("task") not in TASKS
        or not all(isinstance(base.get(key), str) for key in ("name", "revision"))
    ):
        raise BackboneError(
            f"The card of {shown} does not name its task and its base; get the adapter again."
        )
    check_safetensors(folder / WEIGHTS)
    _check_plain(read_config(folder, CONFIG), shown)
    verified = check_hashes(folder, card, [WEIGHTS])
    return Adapter(card["task"], folder, hash_file(folder / WEIGHTS), card, verified)


def _check_plain(config: dict[str, Any], shown: str) -> None:
    """Raise BackboneError for a configuration that is more than a plain LoRA, or absurd."""
    from peft import LoraConfig

    defaults = {field.name: field.default for field in fields(LoraConfig)}
    unsupported = [
        key
        for key, value in config.items()
        if not (value in PLAIN_LORA[key] if key in PLAIN_LORA else _is_plain(key, value, defaults))
    ]
    if unsupported or "peft_type" not in config:
        named = ", ".join(sorted(unsupported)[:3]) or "no peft_type"
        raise BackboneError(
            f"The{shown[3:]} is no plain LoRA ({named}), "
            "and only plain LoRA can be switched and mixed in a batch; train it so."
        )
    ranks = [config.get("r", 8), *_values(config.get("rank_pattern"))]
    alphas = [config.get("lora_alpha", 8), *_values(config.get("alpha_pattern"))]
    are_ranks = all(type(rank) is int and 1 <= rank <= MAX_RANK for rank in ranks)
    if not are_ranks or not all(map(_is_alpha, alphas)):
        raise BackboneError(
            f"The {CONFIG} of {shown} names a rank or an alpha that no LoRA has; "
            "get the adapter again."
        )


def _is_plain(key: str, value: Any, defaults: dict[str, Any]) -> bool:
    """Whether an option is one of a plain LoRA's, or set as if it were not there."""
    return key in FREE or not value or (key in defaults and value == defaults[key])


def _values(pattern: Any) -> list[Any]:
    """The values of a table of patterns; anything but a table is itself a wrong value."""
    if not pattern:
        return []
    return [*pattern.values()] if isinstance(pattern, dict) else [pattern]


def _is_alpha(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) <= MAX_ALPHA
