"""The Janus of transformers, with the standard `generate` and the film encoder of `mini`."""

from __future__ import annotations

from typing import Any

from transformers import GenerationMixin, JanusConfig, JanusForConditionalGeneration

from assistant.backbones.janus.film_encoder import TRUNK, FilmEncoder


class Janus(JanusForConditionalGeneration):
    """Janus with the standard `generate` of transformers for writing.

    Janus's own `generate` only adds painting, and warns of its own arguments while it writes. Where
    the configuration of its vision model names a `trunk`, a film encoder stands in its place.
    """

    def __init__(self, config: JanusConfig) -> None:
        super().__init__(config)
        if getattr(config.vision_config, "trunk", None) == TRUNK:
            inner: Any = self.model
            inner.vision_model = FilmEncoder(config.vision_config)

    def generate(self, *inputs: Any, **settings: Any) -> Any:
        """Write, or paint where `generation_mode` is "image"."""
        if settings.get("generation_mode") == "image":
            return super().generate(*inputs, **settings)
        return GenerationMixin.generate(self, *inputs, **settings)  # pyright: ignore
