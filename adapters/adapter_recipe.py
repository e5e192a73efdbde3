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
    head: bool = False  # on a Janus that writes also the layer from hidden states to words


@dataclass(frozen=True, slots=True)
class PhantomData:
    """Synthetic films, drawn when they are needed."""

    train: int
    validation: int
    seed: int
    sites: tuple[str, ...]  # each gets an equal share
    drawn: int = 0  # cases without a film, of any findings, for the steps that learn text
    films: Path | None = None  # a folder of real films, whose claims are worded anew


@dataclass(frozen=True, slots=True)
class FolderData:
    """The user's own films."""

    cases: Path  # cases.csv, the folder it is in, or an imagefolder
    validation: float  # share of the patients held out, in (0, 1)
    splits: tuple[str, ...] = ()  # the table's marks of films to train on; (): all but test
    only: tuple[str, ...] = ()  # the marks of the films to take; all of them are held out
    redaction: str = ""  # the mark of a removed word: sentences with it are not learnt
    typical: float = 1.0  # share of the reports, the most typical, that steps with films learn


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train, and how fast."""

    steps: int
    batch: int
    learning_rate: float
    warmup: int = 0  # steps
    gradient_checkpointing: bool = False  # less memory, more time
    bf16: bool = False  # products in bfloat16
    # The first steps, of which four in five learn texts without their films, in a third of the
    # time each. (A base that is no Janus gets the films in these too.)
    text_steps: int = 0


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
    notice: str = ""  # what whoever trains it must know: it is printed, and goes into the card

    @property
    def is_private(self) -> bool:
        """Whether it learns from the films of a folder, and not from phantoms that anyone has."""
        return isinstance(self.data, FolderData)

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for the card; paths are cut to their last part."""
        plain = asdict(self)
        plain["base"] = Path(self.base).name
        if isinstance(self.data, FolderData):
            plain["data"]["cases"] = self.data.cases.name
        elif self.data.films is not None:
            plain["data"]["films"] = self.data.films.name
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
    "notice": _TEXT,
}
_LORA: dict[str, Rule] = {
    "rank": _integer_rule(1),
    "alpha": _POSITIVE,
    "dropout": ("a number from 0 and below 1", lambda v: _is_number(v) and 0 <= v < 1),
    "targets": (
        f'"{ALL_LINEAR}" or a list of ends of module names',
        lambda v: v == ALL_LINEAR or _is_text_list(v),
    ),
    "head": _FLAG,
}
_PHANTOMS: dict[str, Rule] = {
    "source": ('"phantoms"', lambda v: v == "phantoms"),
    "train": _integer_rule(1),
    "validation": _integer_rule(1),
    "seed": _integer_rule(0),
    "sites": ("a list of sites' letters", _is_text_list),
    "drawn": _integer_rule(0),
    "films": _TEXT,
}
_FOLDER: dict[str, Rule] = {
    "cases": _TEXT,
    "validation": ("a share between 0 and 1", lambda v: _is_number(v) and 0 < v < 1),
    "splits": ("a list of marks in the table's column split", _is_text_list),
    "redaction": _TEXT,
    "typical": ("a share above 0 and up to 1", lambda v: _is_number(v) and 0 < v <= 1),
}
_SCHEDULE: dict[str, Rule] = {
    "steps": _integer_rule(1),
    "batch": _integer_rule(1),
    "learning_rate": _POSITIVE,
    "warmup": _integer_rule(0),
    "gradient_checkpointing": _FLAG,
    "bf16": _FLAG,
    "text_steps": _integer_rule(0),
}
_OPTIONAL = (
    *("notice", "head", "splits", "redaction", "typical", "drawn", "films"),
    *("warmup", "gradient_checkpointing", "bf16", "text_steps"),
)
HELD_OUT = 0.1  # share of the patients, where a recipe of phantoms gets films instead


def read_any_recipe(name_or_path: str, films: Path | None = None) -> Recipe | AdapterRecipe:
    """Read the recipe of an adapter or a backbone: one that ships with Wetread, or a TOML file.

    A recipe with a `task` is an adapter's, any other a backbone's. Its paths are relative to its
    own folder. `films` is the table or folder of films that an adapter learns from, instead of
    what its recipe names; a backbone's recipe names none. Raises SettingsError, naming the value,
    for a missing or invalid recipe, and for one that needs `films`.
    """
    path, table = load_recipe(name_or_path)
    if "task" in table:
        _name_films(table, films, path)
        return _parse_recipe(table, path, hashlib.sha256(path.read_bytes()).hexdigest())
    return parse_backbone_recipe(path, table)


def _name_films(table: dict[str, Any], films: Path | None, path: Path) -> None:
    """Name the films in the section [data] of a recipe's table, in place."""
    data = table.get("data")
    if not isinstance(data, dict):
        return  # which the check of the sections says
    if films is not None:
        if "drawn" in data:  # its films teach in our own wording, beside the phantoms
            table["data"] = {**data, "films": str(films.absolute())}
            return
        if "source" in data:
            data = {"validation": HELD_OUT}
        table["data"] = {**data, "cases": str(films.absolute())}
    elif not {"cases", "source"} & set(data):
        raise SettingsError(
            f"The recipe {path.name} learns from a folder of films; name it with --data."
        )


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
    if schedule.get("text_steps", 0) > (schedule["steps"] if table["task"] != "image" else 0):
        raise SettingsError(
            f"text_steps = {schedule['text_steps']} in section [schedule] of the recipe "
            f"{path.name} must be 0, or of a task that writes at most its steps."
        )
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
        splits = tuple(mark.lower() for mark in data.get("splits", ()))
        return FolderData(
            _resolve_path(path, data["cases"]),
            data["validation"],
            splits,
            redaction=data.get("redaction", ""),
            typical=data.get("typical", 1.0),
        )
    return PhantomData(
        data["train"],
        data["validation"],
        data["seed"],
        tuple(data["sites"]),
        data.get("drawn", 0),
        _resolve_path(path, data["films"]) if "films" in data else None,
    )


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
