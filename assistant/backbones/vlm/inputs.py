"""Makes the inputs of any image-text-to-text model of transformers from films and messages.

The processor turns films and words into tokens, however many a film takes. A study comes as one
request: earlier films of the patient, the assertions of their report, and the current films.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from assistant.backbones.vlm.processor import template_limits
from assistant.intake.resize import square
from assistant.prompts import film_messages, render_plain
from assistant.types import Film

MAX_FILM_EDGE = 1024  # pixels along an edge; the model's own processor resizes it further


class StudyChat:
    """A processor that turns messages about films into a model's inputs."""

    def __init__(self, processor: Any, name: str = "") -> None:
        """`name` is the checkpoint's, for errors."""
        self.processor = processor
        self.name = name
        self.tokenizer = processor.tokenizer
        self.edge = film_edge(processor)
        pad = self.tokenizer.pad_token_id
        self.can_pad = pad is not None  # whether rows of different lengths go into one batch
        self.pad_token = int(self.tokenizer.eos_token_id if pad is None else pad)

    def strip_marks(self, text: str) -> str:
        """Remove from a text the marks that only the chat template may set."""
        return render_plain(self.tokenizer, text)

    def render_prompt(self, messages: list[dict]) -> str:
        """Render messages by the chat template, up to where the answer begins.

        Raises BackboneError for a template that raises, does not end, or renders no text.
        """
        with template_limits(self.name):
            text = self.processor.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
            if not isinstance(text, str) or not text.strip():
                raise ValueError("no text")
        return text

    @property
    def template(self) -> Any:
        """The chat template: a text, or several by their names."""
        return self.processor.chat_template

    def render_film(self, film: Film) -> np.ndarray:
        """Render a film for the processor, as in training: uint8 (edge, edge)."""
        return (square(film.pixels, self.edge) * 255).round().astype(np.uint8)

    def make_inputs(
        self, prompts: Sequence[str], pictures: Sequence[Sequence[np.ndarray]]
    ) -> dict[str, torch.Tensor]:
        """Make the inputs of prompts, each with its films (uint8, H x W), padded on the left."""
        bos = self.tokenizer.bos_token
        has_bos = bool(bos) and prompts[0].startswith(bos)
        padding = {"padding": True, "padding_side": "left"} if len(prompts) > 1 else {}
        inputs = self.processor(
            text=list(prompts),
            images=[[Image.fromarray(p).convert("RGB") for p in row] for row in pictures],
            return_tensors="pt",
            add_special_tokens=not has_bos,
            **padding,
        )
        return dict(inputs)

    def make_image_inputs(
        self, picture: np.ndarray, device: torch.device
    ) -> dict[str, torch.Tensor]:
        """Make the inputs of the model's vision part from a film (uint8, H x W)."""
        inputs = self.make_inputs([self.render_prompt(film_messages(" ", 1))], [[picture]])
        length = inputs["input_ids"].shape[1]
        return {
            key: value.to(device)
            for key, value in inputs.items()
            if not is_per_token(value, length)
        }


def film_edge(processor: Any) -> int:
    """Pixels along an edge of the films for a processor."""
    size = dict(getattr(processor.image_processor, "size", None) or {})
    edges = [size.get(key) for key in ("height", "longest_edge", "shortest_edge")]
    return min(next((int(edge) for edge in edges if edge), 512), MAX_FILM_EDGE)


def is_per_token(value: torch.Tensor, length: int) -> bool:
    """Whether a tensor holds one value for each token of the text."""
    return value.ndim == 2 and value.shape == (1, length) and not value.is_floating_point()


@torch.no_grad()
def encode_picture(model: Any, chat: StudyChat, picture: np.ndarray) -> np.ndarray:
    """Encode a film by the model's own vision part, float32 (D,): its image tokens' mean."""
    vision_model = model if hasattr(model, "get_image_features") else model.model
    inputs = chat.make_image_inputs(picture, model.device)
    inputs = {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    features = vision_model.get_image_features(**inputs).pooler_output  # a tensor, or one a picture
    tokens = torch.cat([part.reshape(-1, part.shape[-1]) for part in features])
    return tokens.float().mean(dim=0).cpu().numpy()
