"""Finding and loading a backbone by name or folder."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from assistant.backbones.janus import JanusBackbone
from assistant.errors import BackboneError


def load_backbone(name: str | Path = "mini") -> JanusBackbone:
    """Load `mini`, which ships with Wetread, or a checkpoint folder that `wetread train` wrote.

    Nothing is ever fetched from a hub. Raises BackboneError if there is no such backbone.
    """
    if name == "mini":
        return JanusBackbone(Path(str(resources.files("assistant.backbones") / "mini")))
    if not Path(name).is_dir():
        raise BackboneError(
            f"There is no backbone {str(name)!r}; say `mini`, or name a checkpoint folder."
        )
    return JanusBackbone(Path(name))
