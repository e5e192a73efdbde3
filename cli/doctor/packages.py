"""What Wetread requires, with each extra, and which of it is installed in which version."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

NAME = "wetread"
_EXTRA = re.compile(r"""extra == ["']([^"']+)["']""")


@dataclass(frozen=True, slots=True)
class PackageState:
    """A required package as it is installed."""

    name: str
    version: str | None  # None: not installed
    required: str  # as pip writes it, such as ">=6.30,<7"; empty for any version
    fits: bool


@dataclass(frozen=True, slots=True)
class ExtraState:
    """An extra, and what of it is not installed."""

    name: str
    installed: bool
    missing: tuple[str, ...]
    install: str  # the command that installs it


def installed_version(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_packages(root: Path) -> tuple[PackageState, ...]:
    """The packages that every Wetread requires, by name; `root` is where its own code lies."""
    states = (_check(needed) for extra, needed in _read_requirements(root) if not extra)
    return tuple(sorted(states, key=lambda state: state.name))


def check_extras(root: Path) -> tuple[ExtraState, ...]:
    """The extras in the order of pyproject.toml; `root` is where Wetread's own code lies."""
    missing: dict[str, list[str]] = {}
    for extra, needed in _read_requirements(root):
        if extra:
            absent = missing.setdefault(extra, [])
            if not _check(needed).fits:
                absent.append(needed.name)
    return tuple(
        ExtraState(extra, not absent, tuple(absent), f"pip install '{NAME}[{extra}]'")
        for extra, absent in missing.items()
    )


def _check(needed: Requirement) -> PackageState:
    """Whether a requirement is met."""
    version = installed_version(needed.name)
    fits = version is not None and needed.specifier.contains(version, prereleases=True)
    return PackageState(needed.name, version, str(needed.specifier), fits)


def _read_requirements(root: Path) -> Iterator[tuple[str, Requirement]]:
    """The extra, empty for none, and the requirement, as far as this machine needs it."""
    try:
        lines = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        lines = _read_pyproject(root / "pyproject.toml")
    for line in lines:
        needed = Requirement(line)
        named = _EXTRA.search(str(needed.marker or ""))
        extra = named[1] if named else ""
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            yield extra, needed


def _read_pyproject(path: Path) -> list[str]:
    """The requirements of a checkout in the form of installed metadata; none without the file."""
    if not path.is_file():
        return []
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra, needed in project["optional-dependencies"].items():
        lines += [f'{line}{" and" if ";" in line else ";"} extra == "{extra}"' for line in needed]
    return lines
