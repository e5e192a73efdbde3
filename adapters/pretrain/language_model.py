"""Third stage: the language model learns films and words together, both ways.

Captions to films and films to captions, as pictures have them: short, in any order, and not
always whole. Beside them it reads reports and answers without their films, as any language model
has read before it sees: an adapter can choose words, but it cannot teach new ones. Reports,
answers and paintings worth having are the adapters' work. Encoder and picture tokeniser are done
by now and frozen, so that what they say of each film is computed once. One step is a batch to
write, a batch to paint and a batch to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusForConditionalGeneration

from adapters.data.phantom_arrays import PhantomArrays
from adapters.pretrain.picture_tokeniser import downsample
from adapters.pretrain.text_rows import IGNORE, reading_row
from assistant.prompts import caption_request, film_prompt, paint_prompt

# A lesion is a few places of 256, and all that a wish is about: it counts for more. What is most
# likely at a place stays the same.
ASKED_FOR = 4.0
CAPTIONED = 0.5  # share of paintings asked for by a caption; the rest by an impression
UNGUIDED = 0.12  # share of paintings trained without their prompt, for guidance


@dataclass(frozen=True, slots=True, eq=False)
class FrozenOutputs:
    """What the frozen parts say of each film; N films."""

    features: np.ndarray  # float16 (N, 256, width): the encoder's
    codes: np.ndarray  # int16 (N, 256): the picture tokeniser's


@torch.no_grad()
def cache_frozen_outputs(
    model: Any,
    parts: Sequence[np.ndarray],
    folder: Path,
    painting_size: int,
    report: Callable[[int, int], None],
) -> FrozenOutputs:
    """Run encoder and tokeniser over every film once; kept in `folder` for a resumed run.

    `parts` are films uint8 (N, 256, 256), one array a site; the result has them in that order.
    """
    done = folder / "finished"
    count = sum(len(part) for part in parts)
    tokens = model.config.vision_config.num_image_tokens
    names = {"features": folder / "features.npy", "codes": folder / "codes.npy"}
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        width = model.config.vision_config.hidden_size
        features = np.lib.format.open_memmap(
            names["features"], "w+", np.float16, (count, tokens, width)
        )
        codes = np.lib.format.open_memmap(names["codes"], "w+", np.int16, (count, tokens))
        model.eval()
        at = 0
        for films in _batches(parts, 32):
            films = films.to(model.device)
            pixels = films.mul(2).sub(1).unsqueeze(1).expand(-1, 3, -1, -1)
            hidden = model.model.vision_model(pixel_values=pixels).last_hidden_state
            picture = downsample(films, painting_size).contiguous()
            chosen = model.model.vqmodel.encode(picture).image_tokens
            stop = at + len(films)
            features[at:stop] = hidden.half().cpu().numpy()
            codes[at:stop] = chosen.view(len(films), -1).cpu().numpy()
            at = stop
            report(at, count)
        features.flush()
        codes.flush()
        done.write_text(str(count), encoding="utf-8")
    return FrozenOutputs(*(np.load(path, mmap_mode="r") for path in names.values()))


def _batches(parts: Sequence[np.ndarray], size: int) -> Iterator[torch.Tensor]:
    for part in parts:
        for start in range(0, len(part), size):
            yield torch.from_numpy(part[start : start + size]).float().div_(255)


@dataclass(frozen=True, slots=True)
class TextMix:
    """Shares of a batch that are written and painted; all of it is read."""

    written: float
    painted: float
    turns: int  # questions at most in a row about one film that is read of


SPEAK, READ, TALK = TextMix(0.5, 0.6, 1), TextMix(0.1, 0.15, 1), TextMix(0.1, 0.4, 6)


class LanguageBatches(torch.utils.data.Dataset):
    """Films to write and to paint; an item is an index, `collate` makes both batches."""

    def __init__(
        self,
        parts: Sequence[PhantomArrays],
        seen: FrozenOutputs,
        tokenizer: Any,
        mix: TextMix = SPEAK,
    ) -> None:
        self.records = [record for part in parts for record in part.records]
        self.cover = np.concatenate([part.cover() for part in parts])
        self.seen, self.tokenizer, self.mix = seen, tokenizer, mix
        self.tokens = seen.codes.shape[1]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> int:
        return index

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _writing(self, index: int) -> tuple[list[int], list[int]]:
        prompt = self._encode(film_prompt(self.tokenizer, self.tokens, caption_request()))
        answer = self._encode(f" {self.records[index]['caption']}")
        answer.append(int(self.tokenizer.eos_token_id))
        return prompt + answer, [IGNORE] * len(prompt) + answer

    def _reading(self, index: int) -> tuple[list[int], list[int]]:
        seed = int(torch.randint(2**31, ()))
        return reading_row(self.records, index, self.tokenizer, self.mix.turns, seed)

    def _painting(self, index: int) -> list[int]:
        record = self.records[index]
        text = record["caption" if torch.rand(()) < CAPTIONED else "impression"]
        ids = self._encode(paint_prompt(self.tokenizer, text, record["site"]))
        return unguided(ids, self.tokenizer)

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Writing padded on the right, painting on the left so that the pictures align."""
        pad = int(self.tokenizer.pad_token_id)
        written = [
            self._writing(i) for i in indices[: max(1, round(len(indices) * self.mix.written))]
        ]
        longest = max(len(ids) for ids, _ in written)
        read = [self._reading(i) for i in indices]
        width = max(len(ids) for ids, _ in read)
        painted = indices[-max(1, round(len(indices) * self.mix.painted)) :]
        wishes = [self._painting(i) for i in painted]
        widest = max(len(ids) for ids in wishes)
        return {
            "features": torch.from_numpy(self.seen.features[indices[: len(written)]]),
            "ids": torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in written]),
            "targets": torch.tensor([t + [IGNORE] * (longest - len(t)) for _, t in written]),
            "read_ids": torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in read]),
            "read_targets": torch.tensor([t + [IGNORE] * (width - len(t)) for _, t in read]),
            "wishes": torch.tensor([[pad] * (widest - len(w)) + w for w in wishes]),
            "wish_mask": torch.tensor([[0] * (widest - len(w)) + [1] * len(w) for w in wishes]),
            "codes": torch.from_numpy(self.seen.codes[painted].astype(np.int64)),
            "weights": weights_of(self.cover[painted]),
        }


def weights_of(cover: np.ndarray) -> torch.Tensor:
    """What each place of paintings counts, float (B, T): more where something was asked for."""
    return torch.from_numpy(np.where(cover, ASKED_FOR, 1.0).astype(np.float32))


def weighted(loss: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """The mean of a loss (B * T,) with weights (B, T); alike where there are none."""
    if weights is None:
        return loss.mean()
    return (loss * weights.flatten()).sum() / weights.sum()


def unguided(ids: list[int], tokenizer: Any) -> list[int]:
    """Now and then a wish emptied as guidance empties it: all but its first and last token."""
    if torch.rand(()) >= UNGUIDED:
        return ids
    keep = {tokenizer.bos_token_id, ids[-1]}
    return [i if i in keep else tokenizer.pad_token_id for i in ids]


class LanguageStage(nn.Module):
    """The parts of Janus that write and paint, with the loss of both."""

    def __init__(self, janus: JanusForConditionalGeneration) -> None:
        super().__init__()
        self.language_model = janus.model.language_model
        self.aligner = janus.model.aligner
        self.generation_embeddings = janus.model.generation_embeddings
        self.generation_aligner = janus.model.generation_aligner
        self.generation_head = janus.model.generation_head
        self.image_token = janus.config.image_token_id

    def forward(
        self,
        features,
        ids,
        targets,
        wishes,
        wish_mask,
        codes,
        weights=None,
        read_ids=None,
        read_targets=None,
    ) -> dict[str, torch.Tensor]:
        """The loss of all, and each apart."""
        write = self._write_loss(features, ids, targets)
        paint = self._paint_loss(wishes, wish_mask, codes, weights)
        loss = write + 0.5 * paint
        if read_ids is not None:
            loss = loss + 0.5 * self._text_loss(
                self.language_model.embed_tokens(read_ids), read_targets
            )
        return {"loss": loss, "write": write.detach(), "paint": paint.detach()}

    def _write_loss(self, features, ids, targets) -> torch.Tensor:
        """Cross-entropy of the report's tokens; features (B, 256, W), ids (B, L)."""
        table = self.language_model.embed_tokens
        embeds = table(ids)
        place = (ids == self.image_token).unsqueeze(-1).expand_as(embeds)
        embeds = embeds.masked_scatter(place, self.aligner(features.to(embeds.dtype)))
        return self._text_loss(embeds, targets)

    def _text_loss(self, embeds, targets) -> torch.Tensor:
        """Cross-entropy of the told tokens; embeds (B, L, W), targets (B, L)."""
        hidden = self.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        told = targets[:, 1:] != IGNORE  # only what is told needs logits
        # The output table is the input table.
        logits = hidden[:, :-1][told] @ self.language_model.embed_tokens.weight.T
        return F.cross_entropy(logits.float(), targets[:, 1:][told])

    def _paint_loss(self, wishes, wish_mask, codes, weights=None) -> torch.Tensor:
        """Cross-entropy of the picture's codes (B, 256) after the wish (B, L).

        `weights` (B, 256) say how much each place counts; alike where there are none.
        """
        picture = self.generation_aligner(self.generation_embeddings(codes[:, :-1]))
        embeds = torch.cat([self.language_model.embed_tokens(wishes), picture], dim=1)
        mask = torch.cat([wish_mask, torch.ones_like(codes[:, :-1])], dim=1)
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        hidden = self.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=places, use_cache=False
        ).last_hidden_state
        logits = self.generation_head(hidden[:, wishes.shape[1] - 1 :])
        loss = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten(), reduction="none")
        return weighted(loss, weights)
