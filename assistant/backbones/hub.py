"""Finds a checkpoint: in a folder, or in the local cache of the model hub.

Nothing is fetched unless the caller asks for it. A hub id names its commit, so that the same name
always gives the same weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from assistant.errors import BackboneError

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@/]*))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
# The files that a checkpoint is loaded from, and its model card: no pickled weights, no code.
FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md")
UNKNOWN_LICENCE = "unknown: see its model card"


@dataclass(frozen=True, slots=True)
class CheckpointLocation:
    """One checkpoint on this machine."""

    folder: Path
    name: str  # in the provenance: no path
    commit: str | None = None  # of the hub; None for a folder

    @property
    def licence(self) -> str:
        """The licence that the model card's metadata names."""
        return licence_of(self.folder)


def find_checkpoint(name: str | Path = "mini", *, download: bool = False) -> CheckpointLocation:
    """Find `mini`, a checkpoint folder, or a hub id with its commit: ORG/NAME@COMMIT.

    Files are fetched only with `download`. Raises BackboneError, with what to do, for a
    checkpoint that does not exist, is not pinned, is gated, or cannot be reached.
    """
    if name == "mini":
        return CheckpointLocation(
            Path(str(resources.files("assistant.backbones") / "mini")), "mini"
        )
    if Path(name).is_dir():
        return CheckpointLocation(Path(name), Path(name).resolve().name)
    match = HUB_ID.fullmatch(str(name))
    if not match:
        raise BackboneError(
            f"There is no backbone {str(name)!r}; say `mini`, or name a checkpoint folder, a "
            "checkpoint of the hub as ORG/NAME@COMMIT, or a settings file."
        )
    repo, commit = match["repo"], match["revision"] or ""
    if not COMMIT.fullmatch(commit):
        raise BackboneError(
            f"There is no folder {str(name)!r}, and as a checkpoint of the hub it must name the "
            f"commit that is meant, 40 characters from its page's history: {repo}@COMMIT."
        )
    return CheckpointLocation(_find_snapshot(repo, commit, download=download), repo, commit)


def _find_snapshot(repo: str, commit: str, *, download: bool) -> Path:
    """The folder of one commit in the cache of the hub; BackboneError says why there is none."""
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(
            snapshot_download(
                repo, revision=commit, allow_patterns=list(FILES), local_files_only=not download
            )
        )
    except errors.GatedRepoError:
        reason = (
            "is gated: accept its licence on its page, log in with `hf auth login`, and try again"
        )
    except errors.RevisionNotFoundError:
        reason = f"has no commit {commit[:12]}: look it up in the history on its page"
    except errors.RepositoryNotFoundError:
        reason = (
            "does not exist on the hub, or is private: check its name, or log in with "
            "`hf auth login`"
        )
    except errors.LocalEntryNotFoundError:
        if not download:
            reason = (
                "does not lie whole in the local cache of the hub: let it be fetched with "
                "--download (in a settings file: download = true), or name a folder"
            )
        else:
            reason = "cannot be reached: check the network, or copy its files and name their folder"
    except (errors.HTTPError, OSError, ValueError) as error:  # pyright: ignore
        reason = f"cannot be fetched ({type(error).__name__}): try again, or name a folder"
    raise BackboneError(f"The checkpoint {repo}@{commit[:12]} {reason}.")


def licence_of(folder: Path) -> str:
    """The short licence name in a checkpoint's model card; else a note where to look."""
    import yaml
    from huggingface_hub.repocard import metadata_load

    readme = folder / "README.md"
    try:
        metadata = (metadata_load(readme) or {}) if readme.is_file() else {}
    except (OSError, ValueError, yaml.YAMLError):
        return UNKNOWN_LICENCE
    licence = metadata.get("license_name") or metadata.get("license")
    return licence if isinstance(licence, str) and licence != "other" else UNKNOWN_LICENCE
