"""An adapter's folder: its weights, its configuration and its card."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import save

from adapters.adapter_recipe import AdapterRecipe
from adapters.data.cases import Cases
from assistant.backbones.adapter_files import CONFIG, WEIGHTS
from assistant.backbones.adapters import adapter_weights, weights_sha256
from assistant.backbones.hashes import CARD, HASHES, hash_files
from assistant.errors import SettingsError
from assistant.types import OnMessage


def check_output_folder(out: Path) -> None:
    """Raise SettingsError if `out` exists and is neither empty nor an adapter's folder."""
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / CONFIG).is_file())):
        raise SettingsError(f"{out} exists and is no adapter folder; name another with --out.")


def card_of(recipe: AdapterRecipe, base: Path, cases: Cases) -> dict[str, Any]:
    """The card of an adapter, still without metrics and minutes."""
    try:
        version = metadata.version("wetread")
    except metadata.PackageNotFoundError:
        version = "source"
    return {
        "task": recipe.task,
        "base": {"name": name_of_base(base), "revision": weights_sha256(base)},
        "data": {
            "sha256": cases.sha256,
            "description": cases.description,
            "cases": len(cases.train),
            "patients": len({case.patient for case in cases.train.cases}),
            "held_out_cases": len(cases.validation),
        },
        "recipe": recipe.as_dict(),
        "metrics": {},
        "licence": recipe.licence,
        "wetread": version,
        "trained_on": "cuda" if torch.cuda.is_available() else "cpu",
        "trained_minutes": 0.0,
    }


def name_of_base(base: Path) -> str:
    """The base's name by its card, or that of its folder."""
    try:
        card = json.loads((base / "card.json").read_text(encoding="utf-8"))
        return str(card["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return base.name


def run_name_of(recipe: AdapterRecipe, card: dict[str, Any]) -> str:
    """The folder name of a run's checkpoints; it depends on recipe, base and data."""
    recipe_sha256 = hashlib.sha256(
        json.dumps(recipe.as_dict(), sort_keys=True).encode()
    ).hexdigest()
    parts = (recipe_sha256, card["base"]["revision"], card["data"]["sha256"])
    return "-".join((recipe.task, *(part[:12] for part in parts)))


def report_figures(
    card: dict[str, Any], metrics: dict[str, Any], folder: Path, on_message: OnMessage
) -> None:
    """Write the held-out figures to the card in the adapter's folder, and report them."""
    card["metrics"] = metrics
    _write_json(folder / CARD, card)
    figures = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in card["metrics"].items())
    on_message(f"held out: {figures}")


def write_adapter(adapted: PeftModel, folder: Path, card: dict[str, Any]) -> None:
    """Write the adapter into a folder, its weights in float16.

    The held-out figures are measured afterwards, so that they include the loss by rounding.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in adapter_weights(adapted).items()
    }
    (folder / WEIGHTS).write_bytes(save(weights, metadata={"format": "pt"}))
    config = adapted.peft_config["default"].to_dict()
    # The card names the base. PEFT would look up a name on the hub, and a path is private.
    config.update(base_model_name_or_path=None, inference_mode=True)
    values = {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}
    _write_json(folder / CONFIG, values)
    card[HASHES] = hash_files(folder)  # what is loaded is compared with it
    _write_json(folder / CARD, card)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")
