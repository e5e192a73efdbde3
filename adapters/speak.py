"""Third stage: the language model learns to write reports and to paint films.

Encoder and picture tokeniser are done by now and frozen, so that what they say of each film
is computed once. One step is a batch to write and a batch to paint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusForConditionalGeneration

from adapters.data import PhantomArrays
from adapters.tokenise import shrink
from assistant.prompts import film_prompt, paint_prompt, report_request

IGNORE = -100
INDICATIONS = (
    "",
    "",
    "Cough.",
    "Shortness of breath.",
    "Fever and cough.",
    "Chest pain.",
    "Routine check.",
    "Follow-up.",
    "Preoperative.",
    "Fall, chest pain.",
    "Heart failure.",
    "Dyspnea on exertion.",
)
UNGUIDED = 0.12  # share of paintings trained without their prompt, for guidance


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the frozen parts say of each film; N films."""

    features: np.ndarray  # float16 (N, 256, width): the encoder's
    codes: np.ndarray  # int16 (N, 256): the picture tokeniser's


@torch.no_grad()
def look(
    model: Any,
    arrays: PhantomArrays,
    folder: Path,
    painting_size: int,
    report: Callable[[int, int], None],
) -> Seen:
    """Run encoder and tokeniser over every film once; kept in `folder` for a resumed run."""
    done = folder / "finished"
    count, tokens = len(arrays), model.config.vision_config.num_image_tokens
    names = {"features": folder / "features.npy", "codes": folder / "codes.npy"}
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        width = model.config.vision_config.hidden_size
        features = np.lib.format.open_memmap(
            names["features"], "w+", np.float16, (count, tokens, width)
        )
        codes = np.lib.format.open_memmap(names["codes"], "w+", np.int16, (count, tokens))
        model.eval()
        for start in range(0, count, 32):
            films = torch.from_numpy(arrays.films[start : start + 32]).float().div_(255)
            films = films.to(model.device)
            pixels = films.mul(2).sub(1).unsqueeze(1).expand(-1, 3, -1, -1)
            hidden = model.model.vision_model(pixel_values=pixels).last_hidden_state
            picture = shrink(films, painting_size).contiguous()
            chosen = model.model.vqmodel.encode(picture).image_tokens
            features[start : start + 32] = hidden.half().cpu().numpy()
            codes[start : start + 32] = chosen.view(len(films), -1).cpu().numpy()
            report(min(start + 32, count), count)
        features.flush()
        codes.flush()
        done.write_text(str(count), encoding="utf-8")
    return Seen(*(np.load(path, mmap_mode="r") for path in names.values()))


class SpeechBatches(torch.utils.data.Dataset):
    """Films to write and to paint; an item is an index, `collate` makes both batches."""

    def __init__(
        self,
        arrays: PhantomArrays,
        seen: Seen,
        tokenizer: Any,
        paint_share: float,
    ) -> None:
        self.arrays, self.seen, self.tokenizer = arrays, seen, tokenizer
        self.paint_share = paint_share
        self.tokens = seen.codes.shape[1]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> int:
        return index

    def _pick(self, options: tuple[str, ...]) -> str:
        return options[int(torch.randint(len(options), ()))]

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _writing(self, index: int) -> tuple[list[int], list[int]]:
        findings, impression = self.arrays.texts[index]
        prompt = self._encode(
            film_prompt(self.tokenizer, self.tokens, report_request(self._pick(INDICATIONS)))
        )
        answer = self._encode(f" Findings: {findings}\nImpression: {impression}")
        answer.append(int(self.tokenizer.eos_token_id))
        return prompt + answer, [IGNORE] * len(prompt) + answer

    def _painting(self, index: int) -> list[int]:
        findings, impression = self.arrays.texts[index]
        wish = self._pick((impression, impression, findings, f"{findings} {impression}"))
        ids = self._encode(paint_prompt(self.tokenizer, wish))
        if torch.rand(()) < UNGUIDED:
            keep = {self.tokenizer.bos_token_id, ids[-1]}
            ids = [i if i in keep else self.tokenizer.pad_token_id for i in ids]
        return ids

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Writing padded on the right, painting on the left so that the pictures align."""
        pad = int(self.tokenizer.pad_token_id)
        written = [self._writing(i) for i in indices]
        longest = max(len(ids) for ids, _ in written)
        painted = indices[: max(1, round(len(indices) * self.paint_share))]
        wishes = [self._painting(i) for i in painted]
        widest = max(len(ids) for ids in wishes)
        return {
            "features": torch.from_numpy(self.seen.features[indices]),
            "ids": torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in written]),
            "targets": torch.tensor([t + [IGNORE] * (longest - len(t)) for _, t in written]),
            "wishes": torch.tensor([[pad] * (widest - len(w)) + w for w in wishes]),
            "wish_mask": torch.tensor([[0] * (widest - len(w)) + [1] * len(w) for w in wishes]),
            "codes": torch.from_numpy(self.seen.codes[painted].astype(np.int64)),
        }


class Speaker(nn.Module):
    """The parts of Janus that write and paint, with the loss of both."""

    def __init__(self, janus: JanusForConditionalGeneration) -> None:
        super().__init__()
        self.language_model = janus.model.language_model
        self.aligner = janus.model.aligner
        self.generation_embeddings = janus.model.generation_embeddings
        self.generation_aligner = janus.model.generation_aligner
        self.generation_head = janus.model.generation_head
        self.image_token = janus.config.image_token_id

    def forward(self, features, ids, targets, wishes, wish_mask, codes) -> dict[str, torch.Tensor]:
        write = self._write_loss(features, ids, targets)
        paint = self._paint_loss(wishes, wish_mask, codes)
        return {"loss": write + 0.5 * paint, "write": write.detach(), "paint": paint.detach()}

    def _write_loss(self, features, ids, targets) -> torch.Tensor:
        """Cross-entropy of the report's tokens; features (B, 256, W), ids (B, L)."""
        table = self.language_model.embed_tokens
        embeds = table(ids)
        place = (ids == self.image_token).unsqueeze(-1).expand_as(embeds)
        embeds = embeds.masked_scatter(place, self.aligner(features.to(embeds.dtype)))
        hidden = self.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        told = targets[:, 1:] != IGNORE  # only the report's places need logits
        logits = hidden[:, :-1][told] @ table.weight.T  # the output table is the input table
        return F.cross_entropy(logits.float(), targets[:, 1:][told])

    def _paint_loss(self, wishes, wish_mask, codes) -> torch.Tensor:
        """Cross-entropy of the picture's codes (B, 256) after the wish (B, L)."""
        picture = self.generation_aligner(self.generation_embeddings(codes[:, :-1]))
        embeds = torch.cat([self.language_model.embed_tokens(wishes), picture], dim=1)
        mask = torch.cat([wish_mask, torch.ones_like(codes[:, :-1])], dim=1)
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        hidden = self.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=places, use_cache=False
        ).last_hidden_state
        logits = self.generation_head(hidden[:, wishes.shape[1] - 1 :])
        return F.cross_entropy(logits.float().flatten(0, 1), codes.flatten())
