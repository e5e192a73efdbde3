"""Where a checkpoint lies: a folder, or the local cache of the model hub.

Nothing is fetched unless that is asked for. A hub id names the commit that is meant, so that
the same name gives the same weights for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from assistant.errors import BackboneError

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@/]*))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
# No pickled weights and no code: what a checkpoint is loaded from, and its model card.
FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md")
UNKNOWN = "unknown: see its model card"


@dataclass(frozen=True, slots=True)
class CheckpointLocation:
    """One checkpoint on this machine."""

    folder: Path
    name: str  # as the provenance has it: no path
    commit: str | None = None  # of the hub; None for a folder

    @property
    def licence(self) -> str:
        """What the model card's first lines say."""
        return licence_of(self.folder)


def find_checkpoint(name: str | Path = "mini", *, download: bool = False) -> CheckpointLocation:
    """Find `mini`, a checkpoint folder, or a hub id with its commit: ORG/NAME@COMMIT.

    Only with `download` is anything fetched. Raises BackboneError, with what to do, for what is
    not there, not pinned, gated, or cannot be reached.
    """
    if name == "mini":
        return CheckpointLocation(
            Path(str(resources.files("assistant.backbones") / "mini")), "mini"
        )
    if Path(name).is_dir():
        return CheckpointLocation(Path(name), Path(name).resolve().name)
    named = HUB_ID.fullmatch(str(name))
    if not named:
        raise BackboneError(
            f"There is no backbone {str(name)!r}; say `mini`, or name a checkpoint folder, a "
            "checkpoint of the hub as ORG/NAME@COMMIT, or a settings file."
        )
    repo, commit = named["repo"], named["revision"] or ""
    if not COMMIT.fullmatch(commit):
        raise BackboneError(
            f"There is no folder {str(name)!r}, and as a checkpoint of the hub it must name the "
            f"commit that is meant, 40 characters from its page's history: {repo}@COMMIT."
        )
    return CheckpointLocation(_snapshot(repo, commit, download=download), repo, commit)


def _snapshot(repo: str, commit: str, *, download: bool) -> Path:
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(
            snapshot_download(
                repo, revision=commit, allow_patterns=list(FILES), local_files_only=not download
            )
        )
    except errors.GatedRepoError:
        why = "is gated: accept its licence on its page, log in with `hf auth login`, and try again"
    except errors.RevisionNotFoundError:
        why = f"has no commit {commit[:12]}: look it up in the history on its page"
    except errors.RepositoryNotFoundError:
        why = (
            "does not exist on the hub, or is private: check its name, or log in with "
            "`hf auth login`"
        )
    except errors.LocalEntryNotFoundError:
        if not download:
            why = (
                "does not lie whole in the local cache of the hub: let it be fetched with "
                "--download (in a settings file: download = true), or name a folder"
            )
        else:
            why = "cannot be reached: check the network, or copy its files and name their folder"
    except (errors.HTTPError, OSError, ValueError) as error:  # pyright: ignore
        why = f"cannot be fetched ({type(error).__name__}): try again, or name a folder"
    raise BackboneError(f"The checkpoint {repo}@{commit[:12]} {why}.")


def licence_of(folder: Path) -> str:
    """The licence that a checkpoint's model card names, in short; else where to look."""
    import yaml
    from huggingface_hub.repocard import metadata_load

    readme = folder / "README.md"
    try:
        told = (metadata_load(readme) or {}) if readme.is_file() else {}
    except (OSError, ValueError, yaml.YAMLError):
        return UNKNOWN
    found = told.get("license_name") or told.get("license")
    return found if isinstance(found, str) and found != "other" else UNKNOWN
