"""A Janus as a writer: a film and its request to text.

Each prompt is read once for all texts that go on from it, in one call or in the next ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from assistant.backbones.adapters import Adapters, current_weight
from assistant.backbones.decoding.kv_cache import Prefix
from assistant.backbones.decoding.llama import Decoders
from assistant.backbones.decoding.packed_linear import LinearOp, head_op_of
from assistant.backbones.decoding.sampling import (
    GenerationSettings,
    RowText,
    generate_texts,
    row_uniforms,
)
from assistant.backbones.protocols import Encoded, Sampling
from assistant.prompts import film_prompt
from assistant.types import GeneratedText, OnText

RowRequest = tuple[str | None, str]  # the task and the request


class JanusWriter:
    """Writes with a Janus model; one call at a time."""

    def __init__(self, model: Any, tokenizer: Any, adapters: Adapters, decoders: Decoders) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._adapters = adapters
        self._decoders = decoders
        self._head: tuple[torch.Tensor, LinearOp] | None = None
        # What the last calls asked, read: gone with the film, or when another thing is asked.
        self._read: WeakKeyDictionary[Encoded, dict[RowRequest, Prefix]] = WeakKeyDictionary()

    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None],
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request; see `JanusBackbone.write`."""
        asked = [
            (code, (task, request))
            for code, task, request in zip(encoded, tasks, requests, strict=True)
        ]
        self._prepare(asked)
        written: dict[int, GeneratedText] = {}
        for task in dict.fromkeys(tasks):  # the first row's is written first
            rows = [row for row, own in enumerate(tasks) if own == task]
            texts = self._texts([asked[row] for row in rows], task, sampling, on_text)
            written |= zip(rows, (self._written(text) for text in texts), strict=True)
            on_text = None
        return [written[row] for row in range(len(encoded))]

    def _prepare(self, asked: Sequence[tuple[Encoded, RowRequest]]) -> None:
        """Read the prompts that are new; where there are any, those of other calls are let go."""
        new = dict.fromkeys(
            (code, what) for code, what in asked if what not in self._read.get(code, {})
        )
        if not new:
            return
        kept = {(code, what): self._read.get(code, {}).get(what) for code, what in asked}
        self._read = WeakKeyDictionary()
        for (code, what), prefix in kept.items():
            if prefix is not None:
                self._read.setdefault(code, {})[what] = prefix
        for task in dict.fromkeys(what[0] for _, what in new):
            these = [one for one in new if one[1][0] == task]
            with self._adapters.switched_to(task):
                prompts = self._prompts([(code, what[1]) for code, what in these])
            prefixes = self._decoders.decoder_for(task).prefill(prompts)
            for (code, what), prefix in zip(these, prefixes, strict=True):
                self._read.setdefault(code, {})[what] = prefix

    def _prompts(self, asked: Sequence[tuple[Encoded, str]]) -> list[torch.Tensor]:
        """The vectors (tokens, width) of each request with its film in its place."""
        model, tokenizer = self._model, self._tokenizer
        tokens = asked[0][0].features.shape[0]
        ids = {
            request: tokenizer(film_prompt(tokenizer, tokens, request), add_special_tokens=False)
            for request in dict.fromkeys(request for _, request in asked)
        }
        features = torch.stack([code.features for code, _ in asked]).to(model.device)
        embed, prompts = model.get_input_embeddings(), []
        for (_, request), seen in zip(asked, model.model.aligner(features), strict=True):
            own = torch.tensor(ids[request]["input_ids"], device=model.device)
            vectors = embed(own)
            place = (own == model.config.image_token_id)[:, None].expand_as(vectors)
            prompts.append(vectors.masked_scatter(place, seen.to(vectors.dtype)))
        return prompts

    def _texts(
        self,
        asked: Sequence[tuple[Encoded, RowRequest]],
        task: str | None,
        sampling: Sampling,
        on_text: OnText | None,
    ) -> list[RowText]:
        """One text for each row, in their order; those of one prompt go on from it together."""
        of_prompt: dict[tuple[Encoded, RowRequest], list[int]] = {}
        for row, one in enumerate(asked):
            of_prompt.setdefault(one, []).append(row)
        drawn = None
        if sampling.temperature > 0:
            which: Counter[tuple[Encoded, RowRequest]] = Counter()
            lines = []
            for one in asked:
                lines.append(
                    row_uniforms(sampling.seed, one[1][1], which[one], sampling.max_tokens)
                )
                which[one] += 1
            drawn = np.stack(lines)
        prefixes = [self._read[code][what] for code, what in of_prompt]
        model, decode = self._model, self._tokenizer.decode
        # The bytes of a sign may lie in several tokens: what is not whole yet is held back.
        heard = on_text and (lambda ids: on_text(decode(ids).rstrip("\ufffd")))
        with self._adapters.switched_to(task):
            wanted = GenerationSettings(
                embed=model.get_input_embeddings(),
                head=self._scores(),
                most=sampling.max_tokens,
                end=self._tokenizer.eos_token_id,
                temperature=sampling.temperature,
            )
            decoder = self._decoders.decoder_for(task)
            return generate_texts(decoder, prefixes, list(of_prompt.values()), wanted, drawn, heard)

    def _scores(self) -> LinearOp:
        """Vectors to scores, by the head's weight as it is now: adapters leave it alone, mostly."""
        weight = current_weight(self._model.lm_head)
        if self._head is None or self._head[0] is not weight:
            self._head = weight, head_op_of(weight)
        return self._head[1]

    def _written(self, text: RowText) -> GeneratedText:
        """A text with the characters of every token."""
        lengths = [len(self._tokenizer.decode(text.ids[:n])) for n in range(len(text.ids) + 1)]
        spans = tuple(pairwise(lengths))
        return GeneratedText(self._tokenizer.decode(text.ids), spans, tuple(text.logs))
