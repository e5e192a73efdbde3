"""Whether the weights that ship are whole: each file's SHA-256 against a manifest.

The manifest is what `sha256sum` writes, so that `sha256sum -c assistant/backbones/weights.sha256`
checks it too. It lies outside the backbone's folder, whose files are all the backbone's. After
weights have changed, `python -m cli.doctor.weights` writes it anew.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import assistant
from assistant.atomic import write_file
from assistant.errors import SettingsError

ROOT = Path(assistant.__file__).parent.parent  # a checkout's root, or where the wheel is installed
MANIFEST = "assistant/backbones/weights.sha256"
SHIPPED = ("assistant/backbones/mini", "assistant/chest/view.safetensors")
_LINE = re.compile("[0-9a-f]{64}  .+")


@dataclass(frozen=True, slots=True)
class WeightsState:
    """The shipped weights as they lie on the disk; names are relative to the root."""

    files: int  # that the manifest names
    bytes: int  # of those that are there
    missing: tuple[str, ...]
    damaged: tuple[str, ...]  # their bytes are not those that ship


def check_weights(root: Path) -> WeightsState:
    """Compare the weights under `root` with the manifest; SettingsError where that is damaged."""
    missing, damaged, size = [], [], 0
    listed = _read_manifest(root)
    for name, digest in listed.items():
        try:
            size += (root / name).stat().st_size
            if _hash_file(root / name) != digest:
                damaged.append(name)
        except OSError:
            missing.append(name)
    return WeightsState(len(listed), size, tuple(missing), tuple(damaged))


def write_manifest(root: Path) -> Path:
    """Write the manifest of the weights under `root` anew."""
    lines = [f"{_hash_file(root / name)}  {name}\n" for name in list_shipped(root)]
    write_file(root / MANIFEST, "".join(lines).encode())
    return root / MANIFEST


def list_shipped(root: Path) -> list[str]:
    """The names of the files under `root` that ship as weights."""
    files = [root / name for name in SHIPPED]
    files += [path for name in SHIPPED for path in (root / name).rglob("*")]
    return sorted(path.relative_to(root).as_posix() for path in files if path.is_file())


def _read_manifest(root: Path) -> dict[str, str]:
    """The SHA-256 of each name, 64 hexadecimal digits."""
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


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    write_manifest(ROOT)
