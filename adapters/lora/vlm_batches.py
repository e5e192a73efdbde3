"""Examples for any image-text-to-text model, a film with a conversation each, and their loss.

The processor turns the film and the first request into tokens, as in a draft; what follows is
text. The loss is on the answers alone, with their end marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from adapters.lora.batches import next_token_targets
from adapters.lora.model import IGNORE
from assistant.backbones.vlm.inputs import StudyChat, is_per_token
from assistant.errors import SettingsError
from assistant.prompts import conversation, film_messages


class TrainingChat(StudyChat):
    """Conversations about one film, as training examples."""

    def build_example(
        self, picture: np.ndarray, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Build the model's inputs for requests and answers about a film (uint8, H x H), unpadded.

        `input_ids` and `targets` are lists; each target stands where it is predicted.
        """
        texts = self._split_turns(
            [(self.strip_marks(q), self.strip_marks(a).strip()) for q, a in turns]
        )
        inputs = self.make_inputs([texts[0][0]], [[picture]])
        ids: list[int] = inputs.pop("input_ids")[0].tolist()
        first = len(ids)
        targets = [IGNORE] * len(ids)
        for number, (request, answer) in enumerate(texts):
            for text, is_target in ((request if number else "", False), (answer, True)):
                start = len(ids)
                ids += self._encode(text)
                targets += [IGNORE] * (len(ids) - start)
                if is_target:
                    targets[start - 1 :] = next_token_targets(ids[start - 1 :], 1)
        inputs.pop("attention_mask", None)
        extended = {
            key: F.pad(value, (0, len(ids) - first)) if is_per_token(value, first) else value
            for key, value in inputs.items()
        }
        return {"input_ids": ids, "targets": targets, "rest": extended}

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Join examples to a batch, padded on the right."""
        width = max(len(row["input_ids"]) for row in rows)

        def pad(values: list[int], fill: int) -> list[int]:
            return values + [fill] * (width - len(values))

        batch = {
            "input_ids": torch.tensor([pad(row["input_ids"], self.pad_token) for row in rows]),
            "targets": torch.tensor([pad(row["targets"], IGNORE) for row in rows]),
            "attention_mask": torch.tensor([pad([1] * len(row["input_ids"]), 0) for row in rows]),
        }
        for key in rows[0]["rest"]:
            parts = []
            for row in rows:
                value, length = row["rest"][key], len(row["input_ids"])
                needs_padding = is_per_token(value, length)
                parts.append(F.pad(value, (0, width - length)) if needs_padding else value)
            batch[key] = torch.cat(parts)
        return batch

    @torch.no_grad()
    def write(self, model: Any, picture: np.ndarray, request: str, longest: int) -> str:
        """Generate the model's answer to one request about a film, greedily."""
        inputs = self.make_inputs(
            [self.render_prompt(film_messages(self.strip_marks(request), 1))], [[picture]]
        )
        inputs = {key: value.to(model.device) for key, value in inputs.items()}
        out = model.generate(
            **inputs, max_new_tokens=longest, do_sample=False, pad_token_id=self.pad_token
        )
        new = out[0, inputs["input_ids"].shape[1] :]
        return self.tokenizer.decode(new, skip_special_tokens=True)

    def _split_turns(self, turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """For each turn, the text up to the answer, and the answer with its end mark."""
        pieces, so_far = [], ""
        for number in range(len(turns)):
            messages = conversation(turns[: number + 1])
            prompt = self.render_prompt(messages[:-1])
            whole = self.processor.apply_chat_template(messages, tokenize=False)
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


def next_token_loss(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of the answers' tokens; logits are computed for them alone."""
    inputs = dict(batch)
    targets = inputs.pop("targets")
    is_target = targets != IGNORE
    logits = model(**inputs, logits_to_keep=is_target, use_cache=False).logits
    if logits.ndim == 3:  # the model ignores `logits_to_keep`
        logits = logits[is_target]
    return F.cross_entropy(logits.float(), targets[is_target])
