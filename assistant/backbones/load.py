"""Finding and loading a backbone by name or folder."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from assistant.backbones.janus import JanusBackbone
from assistant.errors import BackboneError


def backbone_folder(name: str | Path = "mini") -> Path:
    """The folder of a backbone named by `mini` or by itself; BackboneError if there is none."""
    if name == "mini":
        return Path(str(resources.files("assistant.backbones") / "mini"))
    if not Path(name).is_dir():
        raise BackboneError(
            f"There is no backbone {str(name)!r}; say `mini`, or name a checkpoint folder."
        )
    return Path(name)


def load_backbone(name: str | Path = "mini", adapters: Sequence[Path] = ()) -> JanusBackbone:
    """Load `mini`, which ships with Wetread, or a checkpoint folder that `wetread train` wrote.

    Its adapters come with it; a folder in `adapters` takes the place of its own for that task.
    Nothing is ever fetched from a hub. Raises BackboneError if there is no such backbone, or
    an adapter was made for another.
    """
    return JanusBackbone(backbone_folder(name), adapters)
