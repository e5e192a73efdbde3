"""Finding and loading a backbone: by name, by folder, from the hub, or from a settings file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from transformers import AutoConfig

from assistant.backbones.combined import CompositeBackbone
from assistant.backbones.diffusion.painter import DiffusionPainter
from assistant.backbones.diffusion.settings import DiffusionSettings
from assistant.backbones.hub import CheckpointLocation, find_checkpoint
from assistant.backbones.janus.backbone import JanusBackbone, is_trained_here
from assistant.backbones.protocols import Backbone, Painter, Writer
from assistant.backbones.server.settings import ServerSettings
from assistant.backbones.server.writer import ServerWriter
from assistant.backbones.settings import MINI, Checkpoint, Settings, is_settings, read_settings
from assistant.backbones.vlm.backbone import VlmBackbone
from assistant.errors import BackboneError
from assistant.evidence.risk import FILE as RISK
from assistant.evidence.risk import RiskModel

LoadedBackbone = JanusBackbone | VlmBackbone


def backbone_folder(name: str | Path = "mini") -> Path:
    """The folder of a backbone that is one checkpoint; BackboneError if there is none."""
    if is_settings(name):
        raise BackboneError(
            f"{Path(name).name!r} puts several checkpoints together, and this needs the folder "
            "of one; name it."
        )
    return find_checkpoint(name).folder


def load_backbone(
    name: str | Path = "mini", adapters: Sequence[Path] = (), *, download: bool = False
) -> Backbone:
    """Load `mini`, a checkpoint folder, ORG/NAME@COMMIT of the hub, or what a TOML file says.

    Its adapters come with it; a folder in `adapters` takes the place of the writer's own for that
    task. What only writes is put together with `mini`, which then encodes and checks. Nothing is
    fetched from a hub without `download`, or the settings' own. Raises BackboneError or
    SettingsError, with what to do.
    """
    if is_settings(name):
        return _combined(read_settings(Path(name)), tuple(adapters), download)
    one = Checkpoint(str(name), tuple(adapters), download=download)
    loaded = load_checkpoint(one)
    if isinstance(loaded, JanusBackbone):
        return loaded
    risk = find_checkpoint(name).folder / RISK
    return CompositeBackbone(
        load_checkpoint(MINI), loaded, None, RiskModel.load(risk) if risk.is_file() else None
    )


def _combined(settings: Settings, adapters: tuple[Path, ...], download: bool) -> Backbone:
    loaded: dict[Checkpoint, LoadedBackbone] = {}  # a checkpoint with several jobs is loaded once

    def load(one: Checkpoint) -> LoadedBackbone:
        if one not in loaded:
            loaded[one] = load_checkpoint(replace(one, download=one.download or download))
        return loaded[one]

    asked = settings.writer
    if isinstance(asked, ServerSettings):
        if adapters:
            raise BackboneError(
                "The writer is a server, which takes no adapter folders; name its own adapters "
                "as `adapters` in [writer]."
            )
        writer: Writer = ServerWriter(asked)
    else:
        same = settings.encoder == asked or settings.painter == asked
        asked = replace(asked, adapters=(*asked.adapters, *adapters))
        if same:  # what has several jobs keeps them with its adapters
            settings = replace(
                settings,
                encoder=asked if settings.encoder == settings.writer else settings.encoder,
                painter=asked if settings.painter == settings.writer else settings.painter,
            )
        writer = load(asked)
    eyes = load(settings.encoder)
    painter = _painter(settings, writer, load)
    if settings.risk is not None:
        risk = RiskModel.load(settings.risk)
    else:  # that of a whole backbone, which another painter does not change
        risk = writer.risk if isinstance(writer, JanusBackbone) else None
    return CompositeBackbone(eyes, writer, painter, risk)


def _painter(
    settings: Settings, writer: Writer, load: Callable[[Checkpoint], LoadedBackbone]
) -> Painter | None:
    asked = settings.painter
    if asked is None:
        return writer if isinstance(writer, JanusBackbone) else None
    if isinstance(asked, DiffusionSettings):
        return DiffusionPainter(asked)
    loaded = load(asked)
    if not isinstance(loaded, JanusBackbone):
        raise BackboneError(
            f"{loaded.identity.name!r} in [painter] writes and cannot paint; name a Janus, or a "
            'pipeline of diffusers with kind = "diffusion".'
        )
    return loaded


def load_checkpoint(one: Checkpoint) -> LoadedBackbone:
    """Load one checkpoint of transformers by its family; BackboneError says what is wrong."""
    place = find_checkpoint(one.model, download=one.download)
    if not is_trained_here(place.folder) and _family(place) != "janus":
        return VlmBackbone(
            place,
            one.adapters,
            dtype=one.dtype,
            quantise=one.quantise,
            max_tokens=one.max_tokens,
        )
    for key in ("quantise", "max_tokens"):
        if getattr(one, key) is not None:
            raise BackboneError(f"{place.name!r} is a Janus, which knows no {key}; leave it out.")
    return JanusBackbone(place.folder, one.adapters, place=place, dtype=one.dtype)


def _family(place: CheckpointLocation) -> str:
    """The checkpoint's type of model, by its configuration."""
    if not (place.folder / "config.json").is_file():
        paints = (place.folder / "model_index.json").is_file()
        what = (
            "is a pipeline of diffusers, which only paints; name it as [painter] in a settings file"
            if paints
            else "lacks config.json; name a checkpoint folder of transformers, or `mini`"
        )
        raise BackboneError(f"The backbone folder {place.name!r} {what}.")
    try:
        config = AutoConfig.from_pretrained(
            place.folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BackboneError(
            f"The configuration of {place.name!r} is damaged, or of a family that transformers "
            "does not know without running the checkpoint's own code, which Wetread does not do; "
            "name another."
        ) from None
    return str(config.model_type)
