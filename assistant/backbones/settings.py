"""The settings file that puts a backbone together: which model encodes, writes and paints.

Each kind of part is one frozen dataclass, and its table in the file has the dataclass's keys.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from assistant.backbones.device import Dtype, Quantise
from assistant.backbones.diffusion.settings import DiffusionSettings
from assistant.backbones.server.settings import ServerSettings
from assistant.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of transformers that is loaded here."""

    model: str  # "mini", a folder, or ORG/NAME@COMMIT
    adapters: tuple[Path, ...] = ()  # folders, each in place of the checkpoint's own for its task
    dtype: Dtype | None = None  # None: what the device multiplies fast
    quantise: Quantise | None = None  # weights in so many bits; on NVIDIA's GPUs alone
    download: bool = False  # fetch from the hub what is not on this machine yet
    max_tokens: int | None = None  # a text may be so long, where more than what is asked for

    def __post_init__(self) -> None:
        if self.max_tokens is not None and not 1 <= self.max_tokens <= 8192:
            raise SettingsError(f"max_tokens = {self.max_tokens} must be 1 to 8192.")


MINI = Checkpoint("mini")
WriterSettings = Checkpoint | ServerSettings
PainterSettings = Checkpoint | DiffusionSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole settings file."""

    encoder: Checkpoint = MINI
    writer: WriterSettings = MINI
    painter: PainterSettings | None = None  # None: what writes, if it can
    risk: Path | None = None  # a risk.json that was fitted on drafts of these parts


# The kinds that may do each job, by name; the first is what a table without `kind` means.
KINDS: Mapping[str, Mapping[str, type]] = {
    "encoder": {"checkpoint": Checkpoint},
    "writer": {"checkpoint": Checkpoint, "server": ServerSettings},
    "painter": {"checkpoint": Checkpoint, "diffusion": DiffusionSettings},
}
Part = TypeVar("Part")
_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
}


def is_settings(name: str | Path) -> bool:
    """Whether a backbone is named by a settings file."""
    return Path(name).suffix == ".toml"


def read_settings(path: Path) -> Settings:
    """Read a settings file; paths in it are relative to its own folder.

    Raises SettingsError, naming the table and the key, for a file that does not exist or hold.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"There is no settings file {path.name!r}; name another.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path.name} is not valid TOML: {error}.") from None
    _known(tables, ("risk", *KINDS), f"the settings file {path.name}")
    parts: dict[str, Any] = {}
    for job in KINDS:
        if job in tables:
            parts[job] = _part(job, tables[job], path)
    if "risk" in tables:
        parts["risk"] = _typed(tables["risk"], Path, f"risk in {path.name}", path.parent)
    return Settings(**parts)


def _part(job: str, table: Any, path: Path) -> Any:
    where = f"[{job}] of {path.name}"
    if not isinstance(table, dict):
        raise SettingsError(f"{job} in {path.name} must be a table, [{job}].")
    rest = {key: value for key, value in table.items() if key != "kind"}
    kinds = KINDS[job]
    kind = table.get("kind", _kind(job, rest, path.parent))
    if kind not in kinds:
        raise SettingsError(f"kind in {where} must be one of: {', '.join(kinds)}.")
    return part_of(kinds[kind], rest, where, path.parent)


def _kind(job: str, table: Mapping[str, Any], folder: Path) -> str:
    """What a table without `kind` means: a URL is a server's, an index a pipeline's."""
    if job == "writer" and "url" in table:
        return "server"
    if job == "painter" and isinstance(table.get("model"), str):
        index = _model(table["model"], folder)
        if (Path(index) / "model_index.json").is_file() or {"steps", "adapter"} & set(table):
            return "diffusion"
    return "checkpoint"


def part_of(kind: type[Part], table: Mapping[str, Any], where: str, folder: Path) -> Part:
    """A dataclass from its table; SettingsError for unknown, missing and mistyped keys."""
    wanted = {field.name: field for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    _known(table, tuple(wanted), where)
    needed = [
        name
        for name, field in wanted.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if missing := [name for name in needed if name not in table]:
        raise SettingsError(f"{where} lacks the key {missing[0]}; add it.")
    hints = get_type_hints(kind)
    values = {
        key: _typed(value, hints[key], f"{key} in {where}", folder) for key, value in table.items()
    }
    if kind in (Checkpoint, DiffusionSettings):
        values["model"] = _model(values["model"], folder)
    if kind is DiffusionSettings and values.get("adapter"):
        values["adapter"] = str(folder / Path(values["adapter"]).expanduser())
    made: Any = kind
    try:
        return made(**values)
    except SettingsError as error:
        raise SettingsError(f"In {where}: {error}") from None


def _known(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := sorted(set(table) - set(known)):
        raise SettingsError(
            f"There is an unknown key in {where}: {unknown[0]}; known are {', '.join(known)}."
        )


def _model(name: str, folder: Path) -> str:
    """A model's folder where it is one, seen from the settings file; else the name as it is."""
    beside = folder / Path(name).expanduser()
    return str(beside) if name != "mini" and beside.is_dir() else name


def _typed(value: Any, kind: Any, what: str, folder: Path) -> Any:
    """A value of TOML as an annotation has it; SettingsError, without the value, if it is none.

    What stands in a wrong place may be a key of a server.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _typed(value, next(k for k in inner if k is not types.NoneType), what, folder)
    if origin is Literal:
        if value in inner:
            return value
        raise SettingsError(f"{what} must be one of: {', '.join(map(str, inner))}.")
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_typed(one, inner[0], f"each of {what}", folder) for one in value)
        raise SettingsError(f"{what} must be a list.")
    if origin is not None and isinstance(value, dict):  # a mapping, whose values it checks itself
        return value
    if kind is Path and isinstance(value, str) and value.strip():
        return folder / Path(value).expanduser()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (str, int, float, bool) and type(value) is kind and value != "":
        return value
    raise SettingsError(f"{what} must be {_WORDS.get(kind, 'a table')}.")
