"""Recipes for adapters: the task, the base, the data, how long. A validated dataclass from TOML."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from adapters.backbone_recipe import Recipe, read_recipe
from assistant.backbones.adapters import TASKS
from assistant.errors import SettingsError

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
    """Phantoms, drawn when they are needed."""

    train: int
    validation: int
    seed: int
    sites: tuple[str, ...]  # shared out evenly


@dataclass(frozen=True, slots=True)
class FolderData:
    """Films of the user's own."""

    cases: Path  # cases.csv, the folder it is in, or an imagefolder
    validation: float  # share of the patients held out, in (0, 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast."""

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
    sha256: str = ""  # of the text it was read from

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for the card; of a path only the last part."""
        plain = asdict(self)
        plain["base"] = Path(self.base).name
        if isinstance(self.data, FolderData):
            plain["data"]["cases"] = self.data.cases.name
        return plain


# For each key: what it must be, in words, and the check.
Rule = tuple[str, Any]


def _number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _whole(least: int) -> Rule:
    words = "a positive whole number" if least else "a whole number from 0"
    return words, lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= least


def _words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v for v in value)


_TEXT: Rule = ("a text", lambda v: isinstance(v, str) and bool(v.strip()))
_FLAG: Rule = ("true or false", lambda v: isinstance(v, bool))
_ABOVE: Rule = ("a number above 0", lambda v: _number(v) and v > 0)
_TOP: dict[str, Rule] = {
    "name": _TEXT,
    "task": (f"one of {', '.join(TASKS)}", lambda v: isinstance(v, str) and v in TASKS),
    "base": _TEXT,
    "licence": _TEXT,
    "seed": _whole(0),
}
_LORA: dict[str, Rule] = {
    "rank": _whole(1),
    "alpha": _ABOVE,
    "dropout": ("a number from 0 and below 1", lambda v: _number(v) and 0 <= v < 1),
    "targets": (
        f'"{ALL_LINEAR}" or a list of ends of module names',
        lambda v: v == ALL_LINEAR or _words(v),
    ),
}
_PHANTOMS: dict[str, Rule] = {
    "source": ('"phantoms"', lambda v: v == "phantoms"),
    "train": _whole(1),
    "validation": _whole(1),
    "seed": _whole(0),
    "sites": ("a list of sites' letters", _words),
}
_FOLDER: dict[str, Rule] = {
    "cases": _TEXT,
    "validation": ("a share between 0 and 1", lambda v: _number(v) and 0 < v < 1),
}
_SCHEDULE: dict[str, Rule] = {
    "steps": _whole(1),
    "batch": _whole(1),
    "learning_rate": _ABOVE,
    "warmup": _whole(0),
    "gradient_checkpointing": _FLAG,
    "bf16": _FLAG,
}
_OPTIONAL = ("warmup", "gradient_checkpointing", "bf16")


def read_any(name_or_path: str) -> Recipe | AdapterRecipe:
    """Read a recipe by the name of one that ships with Wetread, or from a TOML file.

    One with a `task` is an adapter's, any other a backbone's. Paths in it are relative to its
    own folder. Raises SettingsError, naming the value, for one that does not exist or hold.
    """
    shipped = Path(str(resources.files("adapters") / "recipes" / f"{name_or_path}.toml"))
    path = shipped if shipped.is_file() else Path(name_or_path)
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return read_recipe(name_or_path)  # which says what is wrong
    if "task" not in table:
        return read_recipe(name_or_path)
    return _adapter_recipe(table, path, hashlib.sha256(raw).hexdigest())


def _adapter_recipe(table: dict[str, Any], path: Path, sha256: str) -> AdapterRecipe:
    sections = {
        name: table.pop(name) if isinstance(table.get(name), dict) else None
        for name in ("lora", "data", "schedule")
    }
    if missing := [name for name, section in sections.items() if section is None]:
        raise SettingsError(f"The recipe {path.name} has no section [{missing[0]}]; add it.")
    lora, data, schedule = (section or {} for section in sections.values())
    _check(table, _TOP, f"the recipe {path.name}")
    _check(lora, _LORA, f"section [lora] of the recipe {path.name}")
    _check(
        data,
        _FOLDER if "cases" in data else _PHANTOMS,
        f"section [data] of the recipe {path.name}",
    )
    _check(schedule, _SCHEDULE, f"section [schedule] of the recipe {path.name}")
    targets = lora.pop("targets")
    base = table.pop("base")
    return AdapterRecipe(
        **table,
        base=base if base == "mini" else str(_from(path, base)),
        lora=Lora(**lora, targets=(targets,) if isinstance(targets, str) else tuple(targets)),
        data=_data(data, path),
        schedule=Schedule(**schedule),
        sha256=sha256,
    )


def _data(data: dict[str, Any], path: Path) -> PhantomData | FolderData:
    if "cases" in data:
        return FolderData(_from(path, data["cases"]), data["validation"])
    return PhantomData(data["train"], data["validation"], data["seed"], tuple(data["sites"]))


def _from(path: Path, name: str) -> Path:
    return path.parent / Path(name).expanduser()


def _check(table: dict[str, Any], rules: Mapping[str, Rule], where: str) -> None:
    needed = set(rules) - set(_OPTIONAL)
    if wrong := sorted((set(table) - set(rules)) | (needed - set(table))):
        raise SettingsError(f"There are missing or unknown keys in {where}: {', '.join(wrong)}.")
    for key, value in table.items():
        words, holds = rules[key]
        if not holds(value):
            raise SettingsError(f"{key} = {value!r} in {where} must be {words}.")
