"""Reads the settings file of a backbone: which model encodes, writes and paints.

Each kind of part is one frozen dataclass; its table in the file has the dataclass's fields as keys.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from assistant.backbones.device import Dtype, Quantise
from assistant.backbones.diffusion.settings import DiffusionSettings
from assistant.backbones.server.settings import ServerSettings
from assistant.errors import SettingsError
from assistant.parsing import is_file, is_folder, path_in, read_toml


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of transformers that is loaded in this process."""

    model: str  # "mini", a folder, or ORG/NAME@COMMIT
    adapters: tuple[Path, ...] = ()  # folders, each in place of the checkpoint's own for its task
    dtype: Dtype | None = None  # None: the format that the device computes fast
    quantise: Quantise | None = None  # bits of a weight; on NVIDIA's GPUs alone
    download: bool = False  # fetch from the hub what is not on this machine yet
    max_tokens: int | None = (
        None  # a text's length at most, where it exceeds what the caller asks for
    )

    def __post_init__(self) -> None:
        if self.max_tokens is not None and not 1 <= self.max_tokens <= 8192:
            raise SettingsError(f"max_tokens = {self.max_tokens} must be 1 to 8192.")


MINI = Checkpoint("mini")
LARGEST = 10**300  # whole number that is taken for a float; one of more digits is infinite
WriterSettings = Checkpoint | ServerSettings
PainterSettings = Checkpoint | DiffusionSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """The contents of a settings file."""

    encoder: Checkpoint = MINI
    writer: WriterSettings = MINI
    painter: PainterSettings | None = None  # None: the writer, if it can paint
    risk: Path | None = None  # a risk.json fitted on drafts of these parts


# The kinds of part for each job, by name; a table without `kind` means the first.
KINDS: Mapping[str, Mapping[str, type]] = {
    "encoder": {"checkpoint": Checkpoint},
    "writer": {"checkpoint": Checkpoint, "server": ServerSettings},
    "painter": {"checkpoint": Checkpoint, "diffusion": DiffusionSettings},
}
PartT = TypeVar("PartT")
_TYPE_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
}


def is_settings(name: str | Path) -> bool:
    """Whether the name of a backbone is that of a settings file."""
    return Path(name).suffix == ".toml"


def read_settings(path: Path) -> Settings:
    """Read a settings file; paths in it are relative to its own folder.

    Raises SettingsError, naming the table and the key, for a file that does not exist or hold.
    """
    tables = read_toml(path, f"The settings file {path.name!r}")
    _check_keys(tables, ("risk", *KINDS), f"the settings file {path.name}")
    parts: dict[str, Any] = {}
    for job in KINDS:
        if job in tables:
            parts[job] = _read_part(job, tables[job], path)
    if "risk" in tables:
        parts["risk"] = _convert_value(tables["risk"], Path, f"risk in {path.name}", path.parent)
    return Settings(**parts)


def _read_part(job: str, table: Any, path: Path) -> Any:
    """The dataclass of one table of the file."""
    location = f"[{job}] of {path.name}"
    if not isinstance(table, dict):
        raise SettingsError(f"{job} in {path.name} must be a table, [{job}].")
    options = {key: value for key, value in table.items() if key != "kind"}
    kinds = KINDS[job]
    kind = table.get("kind", _infer_kind(job, options, path.parent))
    if kind not in [*kinds]:  # it may be a list, which no mapping looks up
        raise SettingsError(f"kind in {location} must be one of: {', '.join(kinds)}.")
    return part_of(kinds[kind], options, location, path.parent)


def _infer_kind(job: str, table: Mapping[str, Any], folder: Path) -> str:
    """The kind of a table without `kind`: a URL means a server, an index a pipeline."""
    if job == "writer" and "url" in table:
        return "server"
    if job == "painter" and isinstance(table.get("model"), str):
        index = _resolve_model(table["model"], folder)
        if is_file(Path(index) / "model_index.json") or {"steps", "adapter"} & set(table):
            return "diffusion"
    return "checkpoint"


def part_of(kind: type[PartT], table: Mapping[str, Any], location: str, folder: Path) -> PartT:
    """Build a dataclass from its table; SettingsError for unknown, missing and mistyped keys."""
    own_fields = {f.name: f for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    _check_keys(table, tuple(own_fields), location)
    required = [
        name
        for name, field in own_fields.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if missing := [name for name in required if name not in table]:
        raise SettingsError(f"{location} lacks the key {missing[0]}; add it.")
    hints = get_type_hints(kind)
    values = {
        key: _convert_value(value, hints[key], f"{key} in {location}", folder)
        for key, value in table.items()
    }
    if kind in (Checkpoint, DiffusionSettings):
        values["model"] = _resolve_model(values["model"], folder)
    if kind is DiffusionSettings and values.get("adapter"):
        values["adapter"] = str(path_in(folder, values["adapter"], f"adapter in {location}"))
    factory: Any = kind
    try:
        return factory(**values)
    except SettingsError as error:
        raise SettingsError(f"In {location}: {error}") from None


def _check_keys(table: Mapping[str, Any], keys: tuple[str, ...], location: str) -> None:
    """Raise SettingsError for a key that is not known."""
    if unknown := sorted(set(table) - set(keys)):
        name = unknown[0][:60]
        raise SettingsError(
            f"There is an unknown key in {location}: {name}; known are {', '.join(keys)}."
        )


def _resolve_model(name: str, folder: Path) -> str:
    """The model's folder, relative to the settings file, if there is one; else the name itself."""
    candidate = path_in(folder, name, "model")
    return str(candidate) if name != "mini" and is_folder(candidate) else name


def _convert_value(value: Any, kind: Any, description: str, folder: Path) -> Any:
    """A TOML value as the type of its annotation; SettingsError if it has another type.

    The error does not quote the value: in a wrong place it may be the key of a server.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _convert_value(
            value, next(k for k in arguments if k is not types.NoneType), description, folder
        )
    if origin is Literal:
        if value in arguments:
            return value
        raise SettingsError(f"{description} must be one of: {', '.join(map(str, arguments))}.")
    if origin is tuple:
        if isinstance(value, list):
            return tuple(
                _convert_value(item, arguments[0], f"each of {description}", folder)
                for item in value
            )
        raise SettingsError(f"{description} must be a list.")
    if origin is not None and isinstance(value, dict):  # a mapping: its dataclass checks the values
        return value
    if kind is Path and isinstance(value, str) and value.strip():
        return path_in(folder, value, description)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) <= LARGEST else math.inf
    if kind in (str, int, float, bool) and type(value) is kind and value != "":
        return value
    raise SettingsError(f"{description} must be {_TYPE_NAMES.get(kind, 'a table')}.")
