"""Any image-text-to-text model of transformers as a writer, and its vision model as an encoder.

This module names no model family: the model's own processor and chat template make its inputs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from assistant.backbones.adapters import Adapters, find_adapters, weights_sha256
from assistant.backbones.decoding.sampling import row_uniforms
from assistant.backbones.device import Dtype, Quantise, dtype_of
from assistant.backbones.hearer import Hearer
from assistant.backbones.hub import CheckpointLocation
from assistant.backbones.protocols import Encoded, Identity, Sampling
from assistant.backbones.study_prompt import study_turn
from assistant.backbones.thoughts import Prompted, TokenReader, prompted_thoughts
from assistant.backbones.vlm.generation import TokenChooser, generate
from assistant.backbones.vlm.inputs import StudyChat, encode_picture
from assistant.backbones.vlm.loading import load_vlm
from assistant.backbones.whole import Refusal
from assistant.types import Film, GeneratedText, OnText, ProbeFinding, ProbeOutput, Study

_BATCH_ROWS = 16  # rows of a batch: each has its own films and their tokens


class VlmBackbone:
    """An image-text-to-text model that writes and encodes; one call at a time."""

    def __init__(
        self,
        location: CheckpointLocation,
        adapters: Sequence[Path] = (),
        *,
        dtype: Dtype | None = None,
        quantise: Quantise | None = None,
        max_tokens: int | None = None,
    ) -> None:
        """Load a checkpoint with its own adapters and those of the folders `adapters`.

        `max_tokens` is the length that a text may have where a caller asks for less.
        BackboneError says what is missing, damaged, or made for another base.
        """
        found_adapters = find_adapters(location.folder, adapters)
        self._model, processor = load_vlm(location.folder, dtype_of(dtype), quantise)
        self._chat = StudyChat(processor, location.name)
        self._adapters = Adapters(self._model, found_adapters)
        self._reader = TokenReader(
            self._chat.tokenizer, f"The writer {location.name!r}", skip_special=True
        )
        self._max_tokens = max_tokens or 0
        self._lock = threading.Lock()
        revision = location.commit or weights_sha256(location.folder)
        end_ids = self._model.generation_config.eos_token_id
        tokenizer_end = self._chat.tokenizer.eos_token_id
        end_ids = end_ids if isinstance(end_ids, list) else [end_ids]
        self._end_tokens = {tokenizer_end, *end_ids} - {None}
        self.identity = Identity(location.name, revision, location.licence)
        if quantise:  # its texts and embeddings differ from the unquantised model's
            self.identity = Identity(
                f"{location.name} in {quantise}", f"{revision}-{quantise}", location.licence
            )
        self.card: Mapping[str, Any] = {}
        self.reference: Mapping[str, np.ndarray] = {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter, out of "report" and "answer"."""
        return self._adapters.tasks

    @property
    def instructed(self) -> bool:
        """True: it is a chat model, and not trained on a probe's findings."""
        return True

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        return replace(self.identity, adapter=self._adapters.name_for(task))

    @property
    def encoder_id(self) -> str:
        """Name and hash of the weights: with the same id a film has the same embedding."""
        return f"{self.identity.name}@{self.identity.revision[:16]}"

    @property
    def dim(self) -> int:
        """Length of the embedding: the language model's width."""
        return int(self._model.config.get_text_config().hidden_size)

    @torch.inference_mode()
    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films by the mean of their image tokens; there is no probe and no gate."""
        encodings = []
        for film in films:
            with self._lock, self._adapters.switched_to(None), Refusal(self._mismatch):
                vector = encode_picture(self._model, self._chat, self._chat.render_film(film))
            unit = vector / np.linalg.norm(vector).clip(min=1e-6)
            encodings.append(Encoded(Study((film,)), None, unit, vector))
        return encodings

    @property
    def lateral_weights(self) -> None:
        """None: it has no probe."""
        return None

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """None: it has no probe."""
        return None

    def probe_encoded(self, encoded: Sequence[Encoded]) -> list[tuple[ProbeFinding, ...]] | None:
        """None: it has no probe."""
        return None

    def probe_details(self, encoded: Sequence[Encoded]) -> list[ProbeOutput] | None:
        """None: it has no probe."""
        return None

    @torch.inference_mode()
    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None] | None = None,
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request, those of one adapter in batches.

        Texts of one film and request share one prefill. The base alone is given the whole study,
        an adapter only the film, as it was trained. Greedy at temperature 0; otherwise the n-th
        text of a film and its request is sampled with the same numbers for the same seed,
        whatever else is in the batch. `on_text` receives the first row's text so far at every
        token, in this thread; an error that it raises ends the writing and is passed on. Raises
        BackboneError for a task that has no adapter, and where a study is too long for the
        model.
        """
        adapted = tasks if tasks is not None else [None] * len(encoded)
        uniforms = _draw_uniforms(encoded, requests, sampling, self._token_limit(sampling))
        texts: dict[int, GeneratedText] = {}

        hearer = Hearer(on_text)

        def on_step(ids: Sequence[int], prompted: Prompted) -> None:
            if on_text is not None:  # in later batches the first row's text is complete
                hearer.hear(texts[0].text if 0 in texts else self._reader.show(ids, prompted))

        with self._lock:
            for task in dict.fromkeys(adapted):  # the first row's task comes first
                rows = [row for row, row_task in enumerate(adapted) if row_task == task]
                for batch in self._batches(rows, encoded, requests):
                    row_requests = [(encoded[row], requests[row]) for row in batch]
                    batch_uniforms = None if uniforms is None else uniforms[batch]
                    generated = self._generate(
                        row_requests, task, sampling, batch_uniforms, on_step, hearer
                    )
                    texts |= zip(batch, generated, strict=True)
                    if batch[0] == 0:  # what was held back while it might have been a thought
                        hearer.hear(texts[0].text.rstrip("\ufffd"))
        return [texts[row] for row in range(len(encoded))]

    def _batches(
        self, rows: Sequence[int], encoded: Sequence[Encoded], requests: Sequence[str]
    ) -> Iterator[list[int]]:
        """Batches of rows, in which those of one film and request are neighbours."""
        rows_of_prompt: dict[tuple[Encoded, str], list[int]] = {}
        for row in rows:
            rows_of_prompt.setdefault((encoded[row], requests[row]), []).append(row)
        prompt_groups = list(rows_of_prompt.values())
        # Without a padding token a batch holds only rows of one prompt.
        if self._chat.can_pad:
            prompt_groups = [[row for group in prompt_groups for row in group]]
        for group in prompt_groups:
            for start in range(0, len(group), _BATCH_ROWS):
                yield group[start : start + _BATCH_ROWS]

    def _token_limit(self, sampling: Sampling) -> int:
        return max(sampling.max_tokens, self._max_tokens)

    def _generate(
        self,
        row_requests: Sequence[tuple[Encoded, str]],
        task: str | None,
        sampling: Sampling,
        uniforms: np.ndarray | None,
        on_step: Callable[[Sequence[int], Prompted], None],
        hearer: Hearer,
    ) -> list[GeneratedText]:
        """The texts of one batch, all with the adapter of one task."""
        chat, model = self._chat, self._model
        prompts = list(dict.fromkeys(row_requests))  # the prefill of each is done once
        prompt_of_row = [prompts.index(key) for key in row_requests]
        turns = [
            study_turn(encoding, chat.strip_marks(request), whole_study=task is None)
            for encoding, request in prompts
        ]
        # Studies of one patient may have films in common.
        picture_of_film: dict[str, np.ndarray] = {}
        for film in (film for _, films in turns for film in films):
            if film.sha256 not in picture_of_film:
                picture_of_film[film.sha256] = chat.render_film(film)
        pictures = [[picture_of_film[film.sha256] for film in films] for _, films in turns]
        texts = [chat.render_prompt(messages) for messages, _ in turns]
        expected = [prompted_thoughts(text, chat.template) for text in texts]
        with Refusal(
            f"The processor of {self.identity.name!r} cannot take {len(pictures[0])} films and "
            "the request ({}); give one film, or another writer."
        ):
            inputs = chat.make_inputs(texts, pictures)
        settings = GenerationConfig(
            max_length=None,
            max_new_tokens=self._token_limit(sampling),
            do_sample=False,  # the tokens are chosen by `TokenChooser`
            num_beams=1,
            repetition_penalty=1.0,
            eos_token_id=sorted(self._end_tokens),
            pad_token_id=chat.pad_token,
        )
        chooser = TokenChooser(
            len(row_requests),
            sampling.temperature,
            uniforms,
            self._end_tokens,
            lambda ids: on_step(ids, expected[prompt_of_row[0]]),
        )
        model_inputs = {key: self._to_device(value) for key, value in inputs.items()}
        with self._adapters.switched_to(task), Refusal(self._mismatch, hearer.has_raised):
            generate(model, model_inputs, prompt_of_row, settings, chooser)
        return [
            self._reader.read(text, expected[number])
            for text, number in zip(chooser.texts, prompt_of_row, strict=True)
        ]

    @property
    def _mismatch(self) -> str:
        """The sentence for a model that cannot compute with what its processor makes."""
        return (
            f"The model {self.identity.name!r} cannot compute with what its own processor makes "
            "of a study ({}): their image tokens or sizes do not match, or memory runs out; get "
            "its files again, or give fewer films."
        )

    def _to_device(self, value: torch.Tensor) -> torch.Tensor:
        """An input on the model's device; floating-point inputs in its dtype."""
        value = value.to(self._model.device)
        return value.to(self._model.dtype) if value.is_floating_point() else value


def _draw_uniforms(
    encoded: Sequence[Encoded], requests: Sequence[str], sampling: Sampling, max_tokens: int
) -> np.ndarray | None:
    """The uniform numbers (rows, max_tokens) of each row; None at temperature 0."""
    if sampling.temperature <= 0 or not encoded:
        return None
    counts: Counter[tuple[Encoded, str]] = Counter()
    drawn_rows = []
    for key in zip(encoded, requests, strict=True):
        drawn_rows.append(row_uniforms(sampling.seed, key[1], counts[key], max_tokens))
        counts[key] += 1
    return np.stack(drawn_rows)
