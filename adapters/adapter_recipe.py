"""Recipes for adapters, validated dataclasses read from TOML: task, base, data and schedule."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from adapters.backbone_recipe import LARGEST, Recipe, load_recipe, parse_backbone_recipe, shown
from assistant.backbones.adapter_files import TASKS
from assistant.errors import SettingsError
from assistant.parsing import path_in

ALL_LINEAR = "all-linear"


@dataclass(frozen=True, slots=True)
class Lora:
    """The shape of the adapter (Hu et al. 2021, "LoRA")."""

    rank: int
    alpha: float  # the adapter's output is scaled by alpha / rank
    dropout: float  # share of its inputs, in [0, 1)
    targets: tuple[str, ...]  # ends of module names; ("all-linear",): every linear layer


@dataclass(frozen=True, slots=True)
class PhantomData:
    """Synthetic films, drawn when they are needed."""

    train: int
    validation: int
    seed: int
    sites: tuple[str, ...]  # each gets an equal share


@dataclass(frozen=True, slots=True)
class FolderData:
    """The user's own films."""

    cases: Path  # cases.csv, the folder it is in, or an imagefolder
    validation: float  # share of the patients held out, in (0, 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train, and how fast."""

    steps: int
    batch: int
    learning_rate: float
    warmup: int = 0  # steps
    gradient_checkpointing: bool = False  # less memory, more time
    bf16: bool = False  # products in bfloat16


@dataclass(frozen=True, slots=True)
class AdapterRecipe:
    """One adapter from beginning to end."""

    name: str
    task: Literal["report", "answer", "image"]
    base: str  # "mini" or a checkpoint folder
    licence: str
    seed: int
    lora: Lora
    data: PhantomData | FolderData
    schedule: Schedule
    sha256: str = ""  # of the TOML text

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for the card; paths are cut to their last part."""
        plain = asdict(self)
        plain["base"] = Path(self.base).name
        if isinstance(self.data, FolderData):
            plain["data"]["cases"] = self.data.cases.name
        return plain


# For each key: a description of the values allowed, and the check.
Rule = tuple[str, Any]


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= LARGEST  # false for NaN


def _integer_rule(minimum: int) -> Rule:
    description = "a positive whole number" if minimum else "a whole number from 0"
    return description, lambda v: _is_number(v) and isinstance(v, int) and v >= minimum


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v for v in value)


_TEXT: Rule = ("a text", lambda v: isinstance(v, str) and bool(v.strip()))
_FLAG: Rule = ("true or false", lambda v: isinstance(v, bool))
_POSITIVE: Rule = ("a number above 0", lambda v: _is_number(v) and v > 0)
_TOP: dict[str, Rule] = {
    "name": _TEXT,
    "task": (f"one of {', '.join(TASKS)}", lambda v: isinstance(v, str) and v in TASKS),
    "base": _TEXT,
    "licence": _TEXT,
    "seed": _integer_rule(0),
}
_LORA: dict[str, Rule] = {
    "rank": _integer_rule(1),
    "alpha": _POSITIVE,
    "dropout": ("a number from 0 and below 1", lambda v: _is_number(v) and 0 <= v < 1),
    "targets": (
        f'"{ALL_LINEAR}" or a list of ends of module names',
        lambda v: v == ALL_LINEAR or _is_text_list(v),
    ),
}
_PHANTOMS: dict[str, Rule] = {
    "source": ('"phantoms"', lambda v: v == "phantoms"),
    "train": _integer_rule(1),
    "validation": _integer_rule(1),
    "seed": _integer_rule(0),
    "sites": ("a list of sites' letters", _is_text_list),
}
_FOLDER: dict[str, Rule] = {
    "cases": _TEXT,
    "validation": ("a share between 0 and 1", lambda v: _is_number(v) and 0 < v < 1),
}
_SCHEDULE: dict[str, Rule] = {
    "steps": _integer_rule(1),
    "batch": _integer_rule(1),
    "learning_rate": _POSITIVE,
    "warmup": _integer_rule(0),
    "gradient_checkpointing": _FLAG,
    "bf16": _FLAG,
}
_OPTIONAL = ("warmup", "gradient_checkpointing", "bf16")


def read_any_recipe(name_or_path: str) -> Recipe | AdapterRecipe:
    """Read the recipe of an adapter or a backbone: one that ships with Wetread, or a TOML file.

    A recipe with a `task` is an adapter's, any other a backbone's. Its paths are relative to its
    own folder. Raises SettingsError, naming the value, for a missing or invalid recipe.
    """
    path, table = load_recipe(name_or_path)
    if "task" not in table:
        return parse_backbone_recipe(path, table)
    return _parse_recipe(table, path, hashlib.sha256(path.read_bytes()).hexdigest())


def _parse_recipe(table: dict[str, Any], path: Path, sha256: str) -> AdapterRecipe:
    sections = {
        name: table.pop(name) if isinstance(table.get(name), dict) else None
        for name in ("lora", "data", "schedule")
    }
    if missing := [name for name, section in sections.items() if section is None]:
        raise SettingsError(f"The recipe {path.name} has no section [{missing[0]}]; add it.")
    lora, data, schedule = (section or {} for section in sections.values())
    _check_table(table, _TOP, f"the recipe {path.name}")
    _check_table(lora, _LORA, f"section [lora] of the recipe {path.name}")
    _check_table(
        data,
        _FOLDER if "cases" in data else _PHANTOMS,
        f"section [data] of the recipe {path.name}",
    )
    _check_table(schedule, _SCHEDULE, f"section [schedule] of the recipe {path.name}")
    targets = lora.pop("targets")
    base = table.pop("base")
    return AdapterRecipe(
        **table,
        base=base if base == "mini" else str(_resolve_path(path, base)),
        lora=Lora(**lora, targets=(targets,) if isinstance(targets, str) else tuple(targets)),
        data=_parse_data(data, path),
        schedule=Schedule(**schedule),
        sha256=sha256,
    )


def _parse_data(data: dict[str, Any], path: Path) -> PhantomData | FolderData:
    if "cases" in data:
        return FolderData(_resolve_path(path, data["cases"]), data["validation"])
    return PhantomData(data["train"], data["validation"], data["seed"], tuple(data["sites"]))


def _resolve_path(path: Path, name: str) -> Path:
    return path_in(path.parent, name, f"A path in the recipe {path.name}")


def _check_table(table: dict[str, Any], rules: Mapping[str, Rule], where: str) -> None:
    required = set(rules) - set(_OPTIONAL)
    if wrong_keys := sorted((set(table) - set(rules)) | (required - set(table))):
        raise SettingsError(
            f"There are missing or unknown keys in {where}: {', '.join(wrong_keys)}."
        )
    for key, value in table.items():
        description, is_valid = rules[key]
        if not is_valid(value):
            raise SettingsError(f"{key} = {shown(value)} in {where} must be {description}.")
