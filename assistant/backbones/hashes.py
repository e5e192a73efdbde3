"""Checks the files of checkpoints and adapters against the hashes that were noted of them.

A card that Wetread's training has written names the SHA-256 of each file; those of the weights
that ship stand in a manifest beside them, in the form of `sha256sum`. A hash shows that a
file is damaged or exchanged, not who made it: whoever can write the card can write the hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assistant.errors import BackboneError, SettingsError

HASHES = "sha256"  # the card's key: the name of each file with its hash
ROOT = Path(__file__).parent.parent.parent  # a checkout's root, or where the wheel is installed
MANIFEST = "assistant/backbones/weights.sha256"
CARD = "card.json"
CHANGED = frozenset({CARD, "risk.json"})  # written anew by an evaluation and by a calibration
_LINE = re.compile("[0-9a-f]{64}  .+")
_HASH = re.compile("[0-9a-f]{64}")
_NAME = re.compile(r"[\w-][\w.-]*")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """The hashes of the files that a folder is loaded from by name, as its card notes them."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in CHANGED)
    return {path.name: hash_file(path) for path in files}


def read_manifest(root: Path) -> dict[str, str]:
    """The SHA-256 of each file that ships, by its name under `root`.

    Raises SettingsError where the manifest is missing or damaged.
    """
    try:
        lines = (root / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    if not lines or not all(map(_LINE.fullmatch, lines)):
        raise SettingsError(
            f"The manifest of the weights, {MANIFEST}, is missing or damaged; "
            "install Wetread again."
        )
    return {line[66:]: line[:64] for line in lines}


def check_hashes(folder: Path, card: Mapping[str, Any], required: Iterable[str]) -> bool:
    """Compare the files of a folder with the hashes in its card, or with those of what ships.

    Returns whether any are noted; the cards of others have none. Raises BackboneError for a file
    that is not there or is another, and where none is noted for one of the `required` files.
    """
    noted = card.get(HASHES)
    if noted is None:
        noted = _read_shipped(folder)
        if noted is None:
            return False
    elif not isinstance(noted, dict) or not all(
        _NAME.fullmatch(name) and isinstance(digest, str) and _HASH.fullmatch(digest)
        for name, digest in noted.items()
    ):
        noted = {}
    if not set(required) <= noted.keys():
        raise BackboneError(
            f"The card of {folder.name!r} does not name the SHA-256 of each weight file; "
            "get its files again."
        )
    for name, digest in noted.items():
        if not (folder / name).is_file() or hash_file(folder / name) != digest:
            raise BackboneError(
                f"The file {name} of {folder.name!r} is missing, damaged, or not the one of its "
                "card: its SHA-256 is another; get its files again."
            )
    return True


def _read_shipped(folder: Path) -> dict[str, str] | None:
    """The hashes of a folder that ships; None for any other."""
    path = folder.resolve()
    if not path.is_relative_to(ROOT / "assistant"):
        return None
    prefix = path.relative_to(ROOT).as_posix() + "/"
    noted = {
        name.removeprefix(prefix): digest
        for name, digest in read_manifest(ROOT).items()
        if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
    }
    # An adapter that was trained in place of the one that ships has another card.
    is_exchanged = path.parent.name == "adapters" and noted.get(CARD) != hash_file(path / CARD)
    if not noted or is_exchanged:
        return None
    return {name: digest for name, digest in noted.items() if name not in CHANGED}
