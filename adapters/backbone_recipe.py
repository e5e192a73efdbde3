"""Recipes for backbones, validated dataclasses read from TOML: model, data and stages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from assistant.errors import SettingsError
from assistant.parsing import is_file, read_toml

TRUNKS = ("imagenet", "random")
VISION_HEADS = 4  # of the vision model that a film encoder replaces
GRID = 16  # patches along one edge of a film: that of the masks that the encoder learns from
LARGEST = 10**12  # of any number in a recipe


@dataclass(frozen=True, slots=True)
class Data:
    train: int  # phantoms of site A, the reference site, for the encoder
    others: int  # of each other site, for the tokeniser and the language model
    speak: int  # of site A, for the language model: the first of `train`
    validation: int  # of site A
    seed: int


@dataclass(frozen=True, slots=True)
class Model:
    image_size: int
    painting_size: int
    patch_size: int
    vision_width: int
    text_width: int
    text_layers: int
    text_heads: int
    vocabulary: int
    codebook: int
    code_width: int
    painter_channels: int

    @property
    def grid(self) -> int:
        """Patches along one edge, the same for film and painting."""
        return self.image_size // self.patch_size


@dataclass(frozen=True, slots=True)
class Stage:
    steps: int
    batch: int
    learning_rate: float  # of AdamW
    muon_rate: float  # of Muon, which trains the matrices


@dataclass(frozen=True, slots=True)
class EncoderSteps:
    """The training of the film encoder, all by AdamW."""

    steps: int
    fold_steps: int  # of each fold's encoder, where there are real films
    batch: int  # frontal films; laterals and phantoms come on top
    learning_rate: float
    trunk_rate: float  # of what has learnt from ImageNet
    weight_decay: float

    def stage(self, steps: int) -> Stage:
        """The settings of a run of `steps`."""
        return Stage(steps, self.batch, self.learning_rate, self.learning_rate)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run from beginning to end."""

    name: str
    seed: int
    licence: str
    data: Data
    model: Model
    trunk: str  # where the encoder's trunk starts: "imagenet" or "random"
    see: EncoderSteps
    align: Stage
    tokenise: Stage
    sharpen: Stage
    speak: Stage
    read: Stage
    talk: Stage
    language: str = ""  # the backbone whose language and painter are taken; empty: both are trained
    sha256: str = ""  # of the TOML text

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for the card."""
        return asdict(self)


def shown(value: Any) -> str:
    """A value of a recipe as an error quotes it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}..."


RecipeSection = TypeVar("RecipeSection", Data, Model, Stage, EncoderSteps)


def _parse_section(kind: type[RecipeSection], table: Any, name: str, path: Path) -> RecipeSection:
    if not isinstance(table, dict):
        raise SettingsError(f"The recipe {path.name} has no section [{name}]; add it.")
    types = {field.name: field.type for field in fields(kind)}
    if set(table) != set(types):
        wrong_keys = ", ".join(sorted(set(table) ^ set(types)))
        raise SettingsError(
            f"Section [{name}] of the recipe {path.name} has missing or unknown keys: {wrong_keys}."
        )
    for key, value in table.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if types[key] == "str":
            is_valid = isinstance(value, str)
        else:
            is_not_integer = types[key] == "int" and not isinstance(value, int)
            least = 0 if key in ("seed", "others") else 1e-9
            is_valid = is_number and not is_not_integer and least <= value <= LARGEST
        if not is_valid:
            raise SettingsError(
                f"{key} = {shown(value)} in section [{name}] of the recipe {path.name} must be a "
                f"{'text' if types[key] == 'str' else 'positive ' + str(types[key])}."
            )
    return kind(**table)


def read_recipe(name_or_path: str) -> Recipe:
    """Read a backbone's recipe: one that ships with Wetread, or a TOML file.

    Raises SettingsError for a missing or invalid recipe.
    """
    path, table = load_recipe(name_or_path)
    return parse_backbone_recipe(path, table)


def load_recipe(name_or_path: str) -> tuple[Path, dict[str, Any]]:
    """The file of a recipe, one that ships with Wetread or any other, and its table.

    Raises SettingsError where there is no such file, or it is not TOML.
    """
    shipped = Path(str(resources.files("adapters") / "recipes" / f"{name_or_path}.toml"))
    path = shipped if is_file(shipped) else Path(name_or_path)
    if not is_file(path):
        names = sorted(p.stem for p in shipped.parent.glob("*.toml"))
        raise SettingsError(
            f"There is no recipe {shown(name_or_path)}; name a TOML file or one of: "
            f"{', '.join(names)}."
        )
    return path, read_toml(path, f"The recipe {path.name}")


def parse_backbone_recipe(path: Path, table: Mapping[str, Any]) -> Recipe:
    """The recipe of a file and its table; raises SettingsError where it does not hold."""
    top_level = {"name": str, "seed": int, "licence": str, "language": str, "trunk": str}
    sections = {
        "data": Data,
        "model": Model,
        "see": EncoderSteps,
        "align": Stage,
        "tokenise": Stage,
        "sharpen": Stage,
        "speak": Stage,
        "read": Stage,
        "talk": Stage,
    }
    if unknown := set(table) - set(top_level) - set(sections):
        raise SettingsError(
            f"The recipe {path.name} has unknown keys: {', '.join(sorted(unknown))}."
        )
    for key, kind in top_level.items():
        if not isinstance(table.get(key), kind):
            raise SettingsError(f"The recipe {path.name} needs {key} = a {kind.__name__}.")
    parts = {key: _parse_section(kind, table.get(key), key, path) for key, kind in sections.items()}
    if table["trunk"] not in TRUNKS:
        raise SettingsError(
            f"trunk = {shown(table['trunk'])} in the recipe {path.name} must be one of: "
            f"{', '.join(TRUNKS)}."
        )
    _check_shape(parts["model"], path)
    if parts["data"].speak > parts["data"].train:
        raise SettingsError(f"In section [data] of the recipe {path.name}, speak exceeds train.")
    values = {key: table[key] for key in top_level}
    return Recipe(**values, **parts, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _check_shape(model: Model, path: Path) -> None:
    """Refuse shapes that the Janus architecture cannot have."""
    rules = (
        (model.image_size % model.patch_size == 0, "image_size must be a multiple of patch_size"),
        (
            model.grid == GRID,
            f"image_size / patch_size must be {GRID}, the grid of the training masks",
        ),
        (model.painting_size % GRID == 0, "painting_size must be a multiple of the grid"),
        (
            model.vision_width % VISION_HEADS == 0,
            f"vision_width must be a multiple of {VISION_HEADS}",
        ),
        (model.text_width % model.text_heads == 0, "text_heads must divide text_width"),
        (model.painter_channels % 32 == 0, "painter_channels must be a multiple of 32"),
    )
    for is_met, sentence in rules:
        if not is_met:
            raise SettingsError(f"In section [model] of the recipe {path.name}, {sentence}.")
