"""Third stage: trains the language model to write captions of films and to paint films from text.

Captions are short, in any order, and not always complete, as those of pictures are. The model also
learns reports and answers as text without films, because an adapter can choose words but not teach
new ones; good reports, answers and paintings are the adapters' task. Encoder and picture tokeniser
are frozen, so that their outputs are computed once for each film. One step is a batch of captions,
a batch of paintings and a batch of text.
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
from adapters.pretrain.text_rows import IGNORE, build_text_row
from assistant.atomic import write_file
from assistant.prompts import caption_request, film_prompt, paint_prompt

# A lesion covers few of 256 codes, but it is all that a prompt is about: those codes weigh more.
# Which code is the most likely at a position stays the same.
COVERED_WEIGHT = 4.0
CAPTION_SHARE = 0.5  # of paintings prompted by a caption; the rest by an impression
NO_PROMPT_SHARE = 0.12  # of paintings trained without their prompt, for classifier-free guidance


@dataclass(frozen=True, slots=True, eq=False)
class FrozenOutputs:
    """The outputs of the frozen parts for N films."""

    features: np.ndarray  # float16 (N, 256, width): the encoder's
    codes: np.ndarray  # int16 (N, 256): the picture tokeniser's


@torch.no_grad()
def cache_frozen_outputs(
    model: Any,
    parts: Sequence[np.ndarray],
    folder: Path,
    painting_size: int,
    on_progress: Callable[[int, int], None],
) -> FrozenOutputs:
    """Run encoder and tokeniser on every film once, or load the outputs if `folder` has them.

    `parts` are films uint8 (N, 256, 256), one array for each site; the outputs are in that order.
    """
    finished = folder / "finished"
    count = sum(len(part) for part in parts)
    tokens = model.config.vision_config.num_image_tokens
    paths = {"features": folder / "features.npy", "codes": folder / "codes.npy"}
    if not finished.exists():
        folder.mkdir(parents=True, exist_ok=True)
        width = model.config.vision_config.hidden_size
        features = np.lib.format.open_memmap(
            paths["features"], "w+", np.float16, (count, tokens, width)
        )
        codes = np.lib.format.open_memmap(paths["codes"], "w+", np.int16, (count, tokens))
        model.eval()
        start = 0
        for films in _iterate_batches(parts, 32):
            films = films.to(model.device)
            pixels = films.mul(2).sub(1).unsqueeze(1).expand(-1, 3, -1, -1)
            hidden = model.model.vision_model(pixel_values=pixels).last_hidden_state
            picture = downsample(films, painting_size).contiguous()
            image_tokens = model.model.vqmodel.encode(picture).image_tokens
            stop = start + len(films)
            features[start:stop] = hidden.half().cpu().numpy()
            codes[start:stop] = image_tokens.view(len(films), -1).cpu().numpy()
            start = stop
            on_progress(start, count)
        features.flush()
        codes.flush()
        write_file(finished, str(count).encode())
    return FrozenOutputs(*(np.load(path, mmap_mode="r") for path in paths.values()))


def _iterate_batches(parts: Sequence[np.ndarray], size: int) -> Iterator[torch.Tensor]:
    for part in parts:
        for start in range(0, len(part), size):
            yield torch.from_numpy(part[start : start + size]).float().div_(255)


@dataclass(frozen=True, slots=True)
class TextMix:
    """The shares of a batch that get captions and paintings; all of it gets text."""

    captioned: float
    painted: float
    turns: int  # questions at most in a conversation about one film, in the text


SPEAK, READ, TALK = TextMix(0.5, 0.6, 1), TextMix(0.1, 0.15, 1), TextMix(0.1, 0.4, 6)


class LanguageBatches(torch.utils.data.Dataset):
    """Captions, paintings and text; an item is an index, `collate` makes the batches of a step."""

    def __init__(
        self,
        parts: Sequence[PhantomArrays],
        outputs: FrozenOutputs,
        tokenizer: Any,
        mix: TextMix = SPEAK,
    ) -> None:
        self.records = [record for part in parts for record in part.records]
        self.cover = np.concatenate([part.cover() for part in parts])
        self.outputs, self.tokenizer, self.mix = outputs, tokenizer, mix
        self.tokens = outputs.codes.shape[1]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> int:
        return index

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _encode_caption(self, index: int) -> tuple[list[int], list[int]]:
        prompt = self._encode(film_prompt(self.tokenizer, self.tokens, caption_request()))
        answer = self._encode(f" {self.records[index]['caption']}")
        answer.append(int(self.tokenizer.eos_token_id))
        return prompt + answer, [IGNORE] * len(prompt) + answer

    def _encode_text(self, index: int) -> tuple[list[int], list[int]]:
        seed = int(torch.randint(2**31, ()))
        return build_text_row(self.records, index, self.tokenizer, self.mix.turns, seed)

    def _encode_painting_prompt(self, index: int) -> list[int]:
        record = self.records[index]
        text = record["caption" if torch.rand(()) < CAPTION_SHARE else "impression"]
        ids = self._encode(paint_prompt(self.tokenizer, text, record["site"]))
        return drop_prompt(ids, self.tokenizer)

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Captions and text padded on the right, prompts on the left so that the pictures align."""
        pad = int(self.tokenizer.pad_token_id)
        captions = [
            self._encode_caption(i)
            for i in indices[: max(1, round(len(indices) * self.mix.captioned))]
        ]
        caption_width = max(len(ids) for ids, _ in captions)
        texts = [self._encode_text(i) for i in indices]
        text_width = max(len(ids) for ids, _ in texts)
        painted = indices[-max(1, round(len(indices) * self.mix.painted)) :]
        prompts = [self._encode_painting_prompt(i) for i in painted]
        prompt_width = max(len(ids) for ids in prompts)
        return {
            "features": torch.from_numpy(self.outputs.features[indices[: len(captions)]]),
            "ids": torch.tensor([ids + [pad] * (caption_width - len(ids)) for ids, _ in captions]),
            "targets": torch.tensor([t + [IGNORE] * (caption_width - len(t)) for _, t in captions]),
            "text_ids": torch.tensor([ids + [pad] * (text_width - len(ids)) for ids, _ in texts]),
            "text_targets": torch.tensor([t + [IGNORE] * (text_width - len(t)) for _, t in texts]),
            "prompts": torch.tensor([[pad] * (prompt_width - len(p)) + p for p in prompts]),
            "prompt_mask": torch.tensor(
                [[0] * (prompt_width - len(p)) + [1] * len(p) for p in prompts]
            ),
            "codes": torch.from_numpy(self.outputs.codes[painted].astype(np.int64)),
            "weights": weights_of(self.cover[painted]),
        }


def weights_of(cover: np.ndarray) -> torch.Tensor:
    """The weights of paintings' codes, float (B, T): higher where `cover` (B, T) is true."""
    return torch.from_numpy(np.where(cover, COVERED_WEIGHT, 1.0).astype(np.float32))


def weighted_mean(loss: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """The mean of a loss (B * T,) with weights (B, T), if there are any."""
    if weights is None:
        return loss.mean()
    return (loss * weights.flatten()).sum() / weights.sum()


def drop_prompt(ids: list[int], tokenizer: Any) -> list[int]:
    """Sometimes replace a prompt by padding, as guidance does, but for its first and last token."""
    if torch.rand(()) >= NO_PROMPT_SHARE:
        return ids
    keep = {tokenizer.bos_token_id, ids[-1]}
    return [i if i in keep else tokenizer.pad_token_id for i in ids]


class LanguageStage(nn.Module):
    """The parts of Janus that write and paint, and the loss of both."""

    def __init__(self, model: JanusForConditionalGeneration) -> None:
        super().__init__()
        self.language_model = model.model.language_model
        self.aligner = model.model.aligner
        self.generation_embeddings = model.model.generation_embeddings
        self.generation_aligner = model.model.generation_aligner
        self.generation_head = model.model.generation_head
        self.image_token = model.config.image_token_id

    def forward(
        self,
        features,
        ids,
        targets,
        prompts,
        prompt_mask,
        codes,
        weights=None,
        text_ids=None,
        text_targets=None,
    ) -> dict[str, torch.Tensor]:
        """The loss of all batches, and those of captions and paintings."""
        write = self._caption_loss(features, ids, targets)
        paint = self._paint_loss(prompts, prompt_mask, codes, weights)
        loss = write + 0.5 * paint
        if text_ids is not None:
            loss = loss + 0.5 * self._text_loss(
                self.language_model.embed_tokens(text_ids), text_targets
            )
        return {"loss": loss, "write": write.detach(), "paint": paint.detach()}

    def _caption_loss(self, features, ids, targets) -> torch.Tensor:
        """Cross-entropy of the caption's tokens; features (B, 256, W), ids (B, L)."""
        table = self.language_model.embed_tokens
        embeds = table(ids)
        image_mask = (ids == self.image_token).unsqueeze(-1).expand_as(embeds)
        embeds = embeds.masked_scatter(image_mask, self.aligner(features.to(embeds.dtype)))
        return self._text_loss(embeds, targets)

    def _text_loss(self, embeds, targets) -> torch.Tensor:
        """Cross-entropy of the target tokens; embeds (B, L, W), targets (B, L)."""
        hidden = self.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        is_target = targets[:, 1:] != IGNORE  # only these positions need logits
        # Input and output embeddings are tied.
        logits = hidden[:, :-1][is_target] @ self.language_model.embed_tokens.weight.T
        return F.cross_entropy(logits.float(), targets[:, 1:][is_target])

    def _paint_loss(self, prompts, prompt_mask, codes, weights=None) -> torch.Tensor:
        """Cross-entropy of the picture's codes (B, 256) after the prompt (B, L).

        `weights` (B, 256) are the codes' weights; without them all weigh the same.
        """
        picture = self.generation_aligner(self.generation_embeddings(codes[:, :-1]))
        embeds = torch.cat([self.language_model.embed_tokens(prompts), picture], dim=1)
        mask = torch.cat([prompt_mask, torch.ones_like(codes[:, :-1])], dim=1)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        hidden = self.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        logits = self.generation_head(hidden[:, prompts.shape[1] - 1 :])
        loss = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten(), reduction="none")
        return weighted_mean(loss, weights)
