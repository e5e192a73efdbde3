"""Finds and loads a backbone: by name, by folder, from the hub, or from a settings file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from assistant.backbones.adapter_files import CONFIG as ADAPTER_CONFIG
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
from assistant.backbones.vlm.loading import load_config
from assistant.errors import BackboneError
from assistant.evidence.risk import FILE as RISK
from assistant.evidence.risk import RiskModel

LoadedBackbone = JanusBackbone | VlmBackbone


def backbone_folder(name: str | Path = "mini") -> Path:
    """Find the folder of a backbone that is one checkpoint; BackboneError if there is none."""
    if is_settings(name):
        raise BackboneError(
            f"{Path(name).name!r} puts several checkpoints together, and this needs the folder "
            "of one; name it."
        )
    return find_checkpoint(name).folder


def load_backbone(
    name: str | Path = "mini", adapters: Sequence[Path] = (), *, download: bool = False
) -> Backbone:
    """Load `mini`, a checkpoint folder, ORG/NAME@COMMIT of the hub, or a TOML settings file.

    Its own adapters are loaded too; a folder in `adapters` replaces the writer's own adapter of
    that task. A model that only writes is combined with `mini`, which then encodes and checks.
    Nothing is fetched from a hub without `download`, here or in the settings. Raises BackboneError
    or SettingsError, with what to do.
    """
    if is_settings(name):
        return _load_composite(read_settings(Path(name)), tuple(adapters), download)
    checkpoint = Checkpoint(str(name), tuple(adapters), download=download)
    loaded = load_checkpoint(checkpoint)
    if isinstance(loaded, JanusBackbone):
        return loaded
    risk = find_checkpoint(name).folder / RISK
    return CompositeBackbone(
        load_checkpoint(MINI), loaded, None, RiskModel.load(risk) if risk.is_file() else None
    )


def _load_composite(settings: Settings, adapters: tuple[Path, ...], download: bool) -> Backbone:
    """The parts of a settings file as one backbone."""
    loaded: dict[Checkpoint, LoadedBackbone] = {}  # a checkpoint with several jobs is loaded once

    def load(part: Checkpoint) -> LoadedBackbone:
        if part not in loaded:
            loaded[part] = load_checkpoint(replace(part, download=part.download or download))
        return loaded[part]

    writer_settings = settings.writer
    if isinstance(writer_settings, ServerSettings):
        if adapters:
            raise BackboneError(
                "The writer is a server, which takes no adapter folders; name its own adapters "
                "as `adapters` in [writer]."
            )
        writer: Writer = ServerWriter(writer_settings)
    else:
        is_shared = settings.encoder == writer_settings or settings.painter == writer_settings
        writer_settings = replace(writer_settings, adapters=(*writer_settings.adapters, *adapters))
        if is_shared:  # a checkpoint with several jobs does them all with the added adapters
            settings = replace(
                settings,
                encoder=(
                    writer_settings if settings.encoder == settings.writer else settings.encoder
                ),
                painter=(
                    writer_settings if settings.painter == settings.writer else settings.painter
                ),
            )
        writer = load(writer_settings)
    encoder = load(settings.encoder)
    painter = _load_painter(settings, writer, load)
    if settings.risk is not None:
        risk = RiskModel.load(settings.risk)
    else:  # the one stored with a Janus writer, which another painter does not change
        risk = writer.risk if isinstance(writer, JanusBackbone) else None
    return CompositeBackbone(encoder, writer, painter, risk)


def _load_painter(
    settings: Settings, writer: Writer, load: Callable[[Checkpoint], LoadedBackbone]
) -> Painter | None:
    """The painter of a settings file; without one, the writer if it can paint."""
    painter_settings = settings.painter
    if painter_settings is None:
        return writer if isinstance(writer, JanusBackbone) else None
    if isinstance(painter_settings, DiffusionSettings):
        return DiffusionPainter(painter_settings)
    loaded = load(painter_settings)
    if not isinstance(loaded, JanusBackbone):
        raise BackboneError(
            f"{loaded.identity.name!r} in [painter] writes and cannot paint; name a Janus, or a "
            'pipeline of diffusers with kind = "diffusion".'
        )
    return loaded


def load_checkpoint(checkpoint: Checkpoint) -> LoadedBackbone:
    """Load one checkpoint of transformers by its model type; BackboneError says what is wrong."""
    location = find_checkpoint(checkpoint.model, download=checkpoint.download)
    if not is_trained_here(location.folder) and _model_type_of(location) != "janus":
        return VlmBackbone(
            location,
            checkpoint.adapters,
            dtype=checkpoint.dtype,
            quantise=checkpoint.quantise,
            max_tokens=checkpoint.max_tokens,
        )
    for key in ("quantise", "max_tokens"):
        if getattr(checkpoint, key) is not None:
            raise BackboneError(
                f"{location.name!r} is a Janus, which knows no {key}; leave it out."
            )
    return JanusBackbone(
        location.folder, checkpoint.adapters, location=location, dtype=checkpoint.dtype
    )


def _model_type_of(location: CheckpointLocation) -> str:
    """The model type in the checkpoint's configuration."""
    if not (location.folder / "config.json").is_file():
        is_pipeline = (location.folder / "model_index.json").is_file()
        problem = (
            "is a pipeline of diffusers, which only paints; name it as [painter] in a settings file"
            if is_pipeline
            else "lacks config.json; name a checkpoint folder of transformers, or `mini`"
        )
        raise BackboneError(f"The backbone folder {location.name!r} {problem}.")
    if (location.folder / ADAPTER_CONFIG).is_file():  # transformers would load it unchecked
        raise BackboneError(
            f"{location.name!r} holds an adapter ({ADAPTER_CONFIG}) beside or in place of a base; "
            "name the base, and the adapter's folder with --adapter."
        )
    return str(load_config(location.folder).model_type)
