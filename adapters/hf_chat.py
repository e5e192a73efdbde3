"""A film and a conversation as the inputs of any image-text-to-text model, and its loss.

The processor turns the film and the first request into tokens, however many the film takes;
what follows is text. Only the answers, with the marks that end them, are learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from adapters.lora_batches import foretold
from adapters.lora_model import IGNORE
from assistant.errors import SettingsError
from assistant.prompts import conversation, messages, plain


class Chat:
    """Conversations about one film with one processor."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        pad = self.tokenizer.pad_token_id
        self._pad = int(self.tokenizer.eos_token_id if pad is None else pad)

    def example(self, picture: np.ndarray, turns: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """The model's inputs for requests and answers about a film (uint8, H x H), unpadded.

        `input_ids` and `targets` are lists; each target stands where it is to be foretold.
        """
        pieces = self._pieces([(self._plain(q), self._plain(a).strip()) for q, a in turns])
        inputs = self._inputs(picture, pieces[0][0])
        ids: list[int] = inputs.pop("input_ids")[0].tolist()
        first = len(ids)
        targets = [IGNORE] * len(ids)
        for number, (asked, told) in enumerate(pieces):
            for text, learnt in ((asked if number else "", False), (told, True)):
                start = len(ids)
                ids += self._encode(text)
                targets += [IGNORE] * (len(ids) - start)
                if learnt:
                    targets[start - 1 :] = foretold(ids[start - 1 :], 1)
        inputs.pop("attention_mask", None)
        extended = {
            key: F.pad(value, (0, len(ids) - first)) if _tokenwise(value, first) else value
            for key, value in inputs.items()
        }
        return {"input_ids": ids, "targets": targets, "rest": extended}

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch, padded on the right."""
        width = max(len(row["input_ids"]) for row in rows)

        def padded(values: list[int], fill: int) -> list[int]:
            return values + [fill] * (width - len(values))

        batch = {
            "input_ids": torch.tensor([padded(row["input_ids"], self._pad) for row in rows]),
            "targets": torch.tensor([padded(row["targets"], IGNORE) for row in rows]),
            "attention_mask": torch.tensor(
                [padded([1] * len(row["input_ids"]), 0) for row in rows]
            ),
        }
        for key in rows[0]["rest"]:
            parts = []
            for row in rows:
                value, length = row["rest"][key], len(row["input_ids"])
                wise = _tokenwise(value, length)
                parts.append(F.pad(value, (0, width - length)) if wise else value)
            batch[key] = torch.cat(parts)
        return batch

    def image_inputs(self, picture: np.ndarray, device: torch.device) -> dict[str, torch.Tensor]:
        """What the model's eyes take of a film."""
        inputs = self._inputs(picture, self._prompt(messages(" ", 1)))
        length = inputs["input_ids"].shape[1]
        return {
            key: value.to(device) for key, value in inputs.items() if not _tokenwise(value, length)
        }

    @torch.no_grad()
    def write(self, model: Any, picture: np.ndarray, request: str, longest: int) -> str:
        """What the model answers to one request about a film, greedily."""
        inputs = self._inputs(picture, self._prompt(messages(self._plain(request), 1)))
        inputs = {key: value.to(model.device) for key, value in inputs.items()}
        out = model.generate(
            **inputs, max_new_tokens=longest, do_sample=False, pad_token_id=self._pad
        )
        new = out[0, inputs["input_ids"].shape[1] :]
        return self.tokenizer.decode(new, skip_special_tokens=True)

    def _plain(self, text: str) -> str:
        return plain(self.tokenizer, text)

    def _prompt(self, told: list[dict]) -> str:
        return self.processor.apply_chat_template(told, tokenize=False, add_generation_prompt=True)

    def _pieces(self, turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """For each turn, the text up to the answer and the answer with its end."""
        pieces, so_far = [], ""
        for number in range(len(turns)):
            told = conversation(turns[: number + 1])
            prompt = self._prompt(told[:-1])
            whole = self.processor.apply_chat_template(told, tokenize=False)
            if not (prompt.startswith(so_far) and whole.startswith(prompt)):
                raise SettingsError(
                    "The base's chat template writes earlier turns anew when a turn is added, "
                    "so that answers cannot be told from requests; give the base another."
                )
            pieces.append((prompt[len(so_far) :], whole[len(prompt) :]))
            so_far = whole
        return pieces

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def _inputs(self, picture: np.ndarray, prompt: str) -> dict[str, torch.Tensor]:
        film = Image.fromarray(picture).convert("RGB")
        begun = bool(self.tokenizer.bos_token) and prompt.startswith(self.tokenizer.bos_token)
        made = self.processor(
            text=[prompt],
            images=[[film]],
            return_tensors="pt",
            add_special_tokens=not begun,
        )
        return dict(made)


def _tokenwise(value: torch.Tensor, length: int) -> bool:
    """Whether a tensor holds one value a token of the text."""
    return value.ndim == 2 and value.shape == (1, length) and not value.is_floating_point()


def told_loss(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of the answers' tokens; logits are made for them alone."""
    inputs = dict(batch)
    targets = inputs.pop("targets")
    told = targets != IGNORE
    logits = model(**inputs, logits_to_keep=told, use_cache=False).logits
    if logits.ndim == 3:  # a model that does not know how to keep only some
        logits = logits[told]
    return F.cross_entropy(logits.float(), targets[told])
