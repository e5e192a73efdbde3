"""Writes with a Janus model: from a film and its request to text.

The prefill of each prompt is done once for all texts that continue it, in one call or later ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
from assistant.backbones.thoughts import Prompted, TokenReader, prompted_thoughts
from assistant.backbones.vlm.processor import template_limits
from assistant.backbones.whole import Refusal
from assistant.errors import BackboneError
from assistant.prompts import film_prompt
from assistant.types import GeneratedText, OnText

MISMATCH = (
    "The tokenizer, the chat template and the weights of this backbone do not belong together "
    "({}); get its files again."
)
LEAST = 0.1  # of the most probable token's chance: what is rarer misspells words
RowRequest = tuple[str | None, str]  # the task and the request


class JanusWriter:
    """Writes with a Janus model; one call at a time."""

    def __init__(self, model: Any, tokenizer: Any, adapters: Adapters, decoders: Decoders) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._adapters = adapters
        self._decoders = decoders
        self._reader = TokenReader(tokenizer, "The writer", skip_special=False)
        self._prompted = Prompted()  # of the last prompt; the same template makes all
        self._cached_head: tuple[torch.Tensor, LinearOp] | None = None
        # Prompts of the last calls: dropped with the film, or when a call has new prompts.
        self._prefixes: WeakKeyDictionary[Encoded, dict[RowRequest, Prefix]] = WeakKeyDictionary()

    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None],
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request; see `JanusBackbone.write`."""
        row_requests = [
            (encoding, (task, request))
            for encoding, task, request in zip(encoded, tasks, requests, strict=True)
        ]
        with Refusal(MISMATCH):
            self._prefill_new(row_requests)
        written: dict[int, GeneratedText] = {}
        for task in dict.fromkeys(tasks):  # the first row's task comes first
            rows = [row for row, row_task in enumerate(tasks) if row_task == task]
            texts = self._generate([row_requests[row] for row in rows], task, sampling, on_text)
            read = [self._reader.read(text, self._prompted) for text in texts]
            written |= zip(rows, read, strict=True)
            if on_text is not None:  # what was held back while it might have been a thought
                on_text(read[0].text.rstrip("\ufffd"))
            on_text = None
        return [written[row] for row in range(len(encoded))]

    def _prefill_new(self, row_requests: Sequence[tuple[Encoded, RowRequest]]) -> None:
        """Prefill the new prompts; where there are any, the prompts of other calls are dropped."""
        new = dict.fromkeys(
            (encoding, request)
            for encoding, request in row_requests
            if request not in self._prefixes.get(encoding, {})
        )
        if not new:
            return
        known = {
            (encoding, request): self._prefixes.get(encoding, {}).get(request)
            for encoding, request in row_requests
        }
        self._prefixes = WeakKeyDictionary()
        for (encoding, request), prefix in known.items():
            if prefix is not None:
                self._prefixes.setdefault(encoding, {})[request] = prefix
        for task in dict.fromkeys(request[0] for _, request in new):
            task_requests = [key for key in new if key[1][0] == task]
            with self._adapters.switched_to(task):
                prompts = self._embed_prompts(
                    [(encoding, request[1]) for encoding, request in task_requests]
                )
            prefixes = self._decoders.decoder_for(task).prefill(prompts)
            for (encoding, request), prefix in zip(task_requests, prefixes, strict=True):
                self._prefixes.setdefault(encoding, {})[request] = prefix

    def _embed_prompts(self, film_requests: Sequence[tuple[Encoded, str]]) -> list[torch.Tensor]:
        """Input vectors (tokens, width) of each request, with its film at the image tokens."""
        model, tokenizer = self._model, self._tokenizer
        tokens = film_requests[0][0].features.shape[0]
        with template_limits():
            texts = {
                request: film_prompt(tokenizer, tokens, request)
                for request in dict.fromkeys(request for _, request in film_requests)
            }
            self._prompted = prompted_thoughts(next(iter(texts.values())), tokenizer.chat_template)
        ids = {
            request: tokenizer(text, add_special_tokens=False) for request, text in texts.items()
        }
        features = torch.stack([encoding.features for encoding, _ in film_requests]).to(
            model.device
        )
        embed, prompts = model.get_input_embeddings(), []
        aligned = model.model.aligner(features)
        for (_, request), image_vectors in zip(film_requests, aligned, strict=True):
            request_ids = torch.tensor(ids[request]["input_ids"], device=model.device)
            vectors = embed(request_ids)
            is_image = (request_ids == model.config.image_token_id)[:, None].expand_as(vectors)
            if int(is_image[:, 0].sum()) != tokens:  # else the film would not be seen, or in part
                raise BackboneError(MISMATCH.replace("{}", "another number of image tokens"))
            prompts.append(vectors.masked_scatter(is_image, image_vectors.to(vectors.dtype)))
        return prompts

    def _generate(
        self,
        row_requests: Sequence[tuple[Encoded, RowRequest]],
        task: str | None,
        sampling: Sampling,
        on_text: OnText | None,
    ) -> list[RowText]:
        """One text for each row, in their order; rows of one prompt share its prefill."""
        rows_of_prompt: dict[tuple[Encoded, RowRequest], list[int]] = {}
        for row, key in enumerate(row_requests):
            rows_of_prompt.setdefault(key, []).append(row)
        uniforms = None
        if sampling.temperature > 0:
            counts: Counter[tuple[Encoded, RowRequest]] = Counter()
            drawn_rows = []
            for key in row_requests:
                drawn_rows.append(
                    row_uniforms(sampling.seed, key[1][1], counts[key], sampling.max_tokens)
                )
                counts[key] += 1
            uniforms = np.stack(drawn_rows)
        prefixes = [self._prefixes[encoding][request] for encoding, request in rows_of_prompt]
        model, reader = self._model, self._reader
        on_step = on_text and (lambda ids: on_text(reader.show(ids, self._prompted)))
        with self._adapters.switched_to(task):
            settings = GenerationSettings(
                embed=model.get_input_embeddings(),
                head=self._head_op(),
                max_tokens=sampling.max_tokens,
                end_token=self._tokenizer.eos_token_id,
                temperature=sampling.temperature,
                least=LEAST,
            )
            decoder = self._decoders.decoder_for(task)
            return generate_texts(
                decoder, prefixes, list(rows_of_prompt.values()), settings, uniforms, on_step
            )

    def _head_op(self) -> LinearOp:
        """The head's product, hidden states to logits, with its current weight.

        It is rebuilt when an adapter has changed the weight, which few adapters do.
        """
        weight = current_weight(self._model.lm_head)
        if self._cached_head is None or self._cached_head[0] is not weight:
            self._cached_head = weight, head_op_of(weight)
        return self._cached_head[1]
