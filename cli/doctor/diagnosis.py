"""What can be wrong with an installation, checked without changing or creating anything.

No path of the user's but those of the two folders is in it, and there the home is `~`: a diagnosis
is made to be pasted into a bug report.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.backbones.device import device, dtype_of
from assistant.errors import LibraryError, SettingsError
from assistant.paths import cache_folder, library_folder
from cli.doctor.packages import (
    ExtraState,
    PackageState,
    check_extras,
    check_packages,
    installed_version,
)
from cli.doctor.weights import WeightsState, check_weights
from retrieval.contents import LibraryContents, count_contents


@dataclass(frozen=True, slots=True)
class ComputeState:
    """Where torch computes, and in which numbers."""

    torch: str
    cuda: str | None  # that torch was built with
    device: str
    gpu: str | None  # its model
    threads: int
    dtype: str  # of other people's checkpoints, where nothing else is named
    fast_bfloat16: bool  # the device multiplies it itself


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder of the user's, which is created when it is first needed."""

    path: str
    exists: bool
    writable: bool  # or can be created


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that the checks found; an installation without problems works."""

    wetread: str
    python: str
    platform: str
    compute: ComputeState | None  # None: torch cannot be loaded
    faiss: str | None  # None: FAISS cannot be loaded
    packages: tuple[PackageState, ...]
    extras: tuple[ExtraState, ...]
    library: FolderState
    contents: LibraryContents | None  # None: no library yet, or an unreadable one
    cache: FolderState
    weights: WeightsState | None  # None: their manifest is damaged
    problems: tuple[str, ...]  # each a sentence: what is wrong and what to do


def diagnose(root: Path) -> Diagnosis:
    """Check the installation whose code lies in `root`."""
    problems: list[str] = []
    packages = check_packages(root)
    problems += [_describe_package(package) for package in packages if not package.fits]
    compute, faiss = _check_compute(problems), _check_faiss(problems)
    library, cache = _check_folder(library_folder()), _check_folder(cache_folder())
    problems += [
        f"The folder {folder.path} cannot be written: check its permissions, or name another as "
        "WETREAD_HOME."
        for folder in (library, cache)
        if not folder.writable
    ]
    contents, weights = None, None
    try:
        contents = count_contents(library_folder())
    except LibraryError as error:
        problems.append(str(error).replace(str(library_folder()), library.path))
    try:
        weights = check_weights(root)
        problems += _describe_weights(weights)
    except SettingsError as error:
        problems.append(str(error))
    return Diagnosis(
        wetread=installed_version("wetread") or "source",
        python=platform.python_version(),
        platform=platform.platform(),
        compute=compute,
        faiss=faiss,
        packages=packages,
        extras=check_extras(root),
        library=library,
        contents=contents,
        cache=cache,
        weights=weights,
        problems=tuple(problems),
    )


def _check_compute(problems: list[str]) -> ComputeState | None:
    """What torch says of this machine; a torch that is there and broken is a problem."""
    try:
        import torch
    except (ImportError, OSError) as error:
        if installed_version("torch"):
            problems.append(
                f"torch is installed and cannot be loaded ({type(error).__name__}): install it "
                "again."
            )
        return None
    where, dtype = device(), dtype_of()
    return ComputeState(
        torch=torch.__version__,
        cuda=torch.version.cuda,
        device=where,
        gpu=torch.cuda.get_device_name() if where == "cuda" else None,
        threads=torch.get_num_threads(),
        dtype=str(dtype).removeprefix("torch."),
        fast_bfloat16=dtype is torch.bfloat16,
    )


def _check_faiss(problems: list[str]) -> str | None:
    """The version of FAISS; none is a problem, though only extras bring it."""
    try:
        import faiss
    except (ImportError, OSError):
        problems.append(
            "The library needs FAISS, which cannot be loaded: pip install 'wetread[cpu]', or "
            "'wetread[gpu]' for an NVIDIA GPU."
        )
        return None
    return faiss.__version__


def _check_folder(path: Path) -> FolderState:
    """Whether a folder is there, and whether it can be written or else created."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    return FolderState(_shorten(path), path.is_dir(), writable)


def _shorten(path: Path) -> str:
    """The path, with `~` in place of the home: it bears the user's name."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def _describe_package(package: PackageState) -> str:
    """A required package that is missing or of another version, in a sentence."""
    wanted = f"pip install '{package.name}{package.required}'"
    if package.version is None:
        return f"The package {package.name} is not installed: {wanted}."
    return f"Wetread does not work with {package.name} {package.version}: {wanted}."


def _describe_weights(weights: WeightsState) -> Iterator[str]:
    """The weights that are not as they ship, in at most two sentences."""
    for names, fault in (
        (weights.missing, "missing or cannot be read"),
        (weights.damaged, "damaged, or not what ships: its SHA-256 is another"),
    ):
        if names:
            others = f" (and {len(names) - 1} more)" if names[1:] else ""
            yield f"The weights in {names[0]}{others} are {fault}; install Wetread again."
