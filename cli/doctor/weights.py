"""Whether the weights that ship are whole: each file's SHA-256 against a manifest.

The manifest is what `sha256sum` writes, so that `sha256sum -c assistant/backbones/weights.sha256`
checks it too. It lies outside the backbone's folder, whose files are all the backbone's. After
weights have changed, `python -m cli.doctor.weights` writes it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.atomic import write_file
from assistant.backbones.hashes import MANIFEST, ROOT, hash_file, read_manifest

SHIPPED = ("assistant/backbones/mini", "assistant/chest/view.safetensors")


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
    listed = read_manifest(root)
    for name, digest in listed.items():
        try:
            size += (root / name).stat().st_size
            if hash_file(root / name) != digest:
                damaged.append(name)
        except OSError:
            missing.append(name)
    return WeightsState(len(listed), size, tuple(missing), tuple(damaged))


def write_manifest(root: Path) -> Path:
    """Write the manifest of the weights under `root` anew."""
    lines = [f"{hash_file(root / name)}  {name}\n" for name in list_shipped(root)]
    write_file(root / MANIFEST, "".join(lines).encode())
    return root / MANIFEST


def list_shipped(root: Path) -> list[str]:
    """The names of the files under `root` that ship as weights."""
    files = [root / name for name in SHIPPED]
    files += [path for name in SHIPPED for path in (root / name).rglob("*")]
    return sorted(path.relative_to(root).as_posix() for path in files if path.is_file())


if __name__ == "__main__":
    write_manifest(ROOT)
