"""Films and a conversation as the inputs of any image-text-to-text model of transformers.

The processor turns films and words into tokens, however many a film takes. What a study shows
comes as one request: earlier films of the patient, what their report asserts, and the films.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from assistant.intake.resize import square
from assistant.prompts import film_messages, render_plain
from assistant.types import Film

LARGEST_FILM = 1024  # pixels along an edge; the model's own processor makes of it what it takes


class StudyChat:
    """What one processor makes of conversations about films."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.edge = film_edge(processor)
        pad = self.tokenizer.pad_token_id
        self.pads = pad is not None  # whether rows of different lengths go into one batch
        self.pad = int(self.tokenizer.eos_token_id if pad is None else pad)

    def plain(self, text: str) -> str:
        """The text without marks that only the template may set."""
        return render_plain(self.tokenizer, text)

    def prompt(self, told: list[dict]) -> str:
        """The text up to where the answer begins."""
        return self.processor.apply_chat_template(told, tokenize=False, add_generation_prompt=True)

    def picture(self, film: Film) -> np.ndarray:
        """A film as the processor is given it, in training too: uint8 (edge, edge)."""
        return (square(film.pixels, self.edge) * 255).round().astype(np.uint8)

    def inputs(
        self, prompts: Sequence[str], pictures: Sequence[Sequence[np.ndarray]]
    ) -> dict[str, torch.Tensor]:
        """Inputs for prompts, each with its films (uint8, H x W), padded on the left."""
        mark = self.tokenizer.bos_token
        begun = bool(mark) and prompts[0].startswith(mark)
        padding = {"padding": True, "padding_side": "left"} if len(prompts) > 1 else {}
        made = self.processor(
            text=list(prompts),
            images=[[Image.fromarray(p).convert("RGB") for p in row] for row in pictures],
            return_tensors="pt",
            add_special_tokens=not begun,
            **padding,
        )
        return dict(made)

    def image_inputs(self, picture: np.ndarray, device: torch.device) -> dict[str, torch.Tensor]:
        """What the model's eyes take of a film (uint8, H x W)."""
        inputs = self.inputs([self.prompt(film_messages(" ", 1))], [[picture]])
        length = inputs["input_ids"].shape[1]
        return {
            key: value.to(device)
            for key, value in inputs.items()
            if not is_one_a_token(value, length)
        }


def film_edge(processor: Any) -> int:
    """Pixels along an edge of the films that a processor is given."""
    size = dict(getattr(processor.image_processor, "size", None) or {})
    edges = [size.get(key) for key in ("height", "longest_edge", "shortest_edge")]
    return min(next((int(edge) for edge in edges if edge), 512), LARGEST_FILM)


def is_one_a_token(value: torch.Tensor, length: int) -> bool:
    """Whether a tensor holds one value a token of the text."""
    return value.ndim == 2 and value.shape == (1, length) and not value.is_floating_point()


@torch.no_grad()
def encode_picture(model: Any, chat: StudyChat, picture: np.ndarray) -> np.ndarray:
    """One vector of a film from the model's own eyes, float32 (D,): its image tokens' mean."""
    eyes = model if hasattr(model, "get_image_features") else model.model
    inputs = chat.image_inputs(picture, model.device)
    inputs = {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    seen = eyes.get_image_features(**inputs).pooler_output  # a tensor, or one a picture
    tokens = torch.cat([part.reshape(-1, part.shape[-1]) for part in seen])
    return tokens.float().mean(dim=0).cpu().numpy()
