"""Any image-text-to-text model of transformers as writer, and its eyes as an encoder.

It knows no family by name: the model's own processor and chat template make its inputs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from assistant.backbones.adapters import Adapters, find_adapters, weights_sha256
from assistant.backbones.decoding.sampling import RowText, row_uniforms
from assistant.backbones.device import Dtype, Quantise, dtype_of
from assistant.backbones.hub import CheckpointLocation
from assistant.backbones.protocols import Encoded, Identity, Sampling
from assistant.backbones.study_prompt import study_turn
from assistant.backbones.vlm.generation import TokenChooser, generate
from assistant.backbones.vlm.inputs import StudyChat, encode_picture
from assistant.backbones.vlm.loading import load_vlm
from assistant.errors import BackboneError
from assistant.types import Film, GeneratedText, OnText, ProbeFinding, ProbeOutput, Study

_TOGETHER = 16  # rows of a batch: each holds its own films and their tokens


class VlmBackbone:
    """An image-text-to-text model that writes, and may encode; one call at a time."""

    def __init__(
        self,
        place: CheckpointLocation,
        adapters: Sequence[Path] = (),
        *,
        dtype: Dtype | None = None,
        quantise: Quantise | None = None,
        max_tokens: int | None = None,
    ) -> None:
        """Load a checkpoint with its own adapters, and those of the folders given.

        `max_tokens` is how long a text may be where more is allowed than what a caller asks for.
        BackboneError says what is missing, damaged, or made for another base.
        """
        found = find_adapters(place.folder, adapters)
        self._model, processor = load_vlm(place.folder, dtype_of(dtype), quantise)
        self._chat = StudyChat(processor)
        self._adapters = Adapters(self._model, found)
        self._most = max_tokens or 0
        self._lock = threading.Lock()
        revision = place.commit or weights_sha256(place.folder)
        ends = self._model.generation_config.eos_token_id
        own = self._chat.tokenizer.eos_token_id
        self._ends = {own, *(ends if isinstance(ends, list) else [ends])} - {None}
        self.identity = Identity(place.name, revision, place.licence)
        if quantise:  # it says other things, and sees other embeddings
            self.identity = Identity(
                f"{place.name} in {quantise}", f"{revision}-{quantise}", place.licence
            )
        self.card: Mapping[str, Any] = {}
        self.reference: Mapping[str, np.ndarray] = {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter: of "report" and "answer"."""
        return self._adapters.tasks

    @property
    def instructed(self) -> bool:
        """It is a chat model, and has learnt nothing of probes."""
        return True

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        return replace(self.identity, adapter=self._adapters.name(task))

    @property
    def encoder_id(self) -> str:
        """Name and weights: the same film has the same embedding as long as this stays."""
        return f"{self.identity.name}@{self.identity.revision[:16]}"

    @property
    def dim(self) -> int:
        """Length of the embedding: the language model's width."""
        return int(self._model.config.get_text_config().hidden_size)

    @torch.inference_mode()
    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films by the mean of their image tokens; there is no probe and no gate."""
        made = []
        for film in films:
            with self._lock, self._adapters.switched_to(None):
                seen = encode_picture(self._model, self._chat, self._chat.picture(film))
            unit = seen / np.linalg.norm(seen).clip(min=1e-6)
            made.append(Encoded(Study((film,)), None, unit, seen))
        return made

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

        Texts of one film and request go on from one reading of both. The base alone is shown the
        whole study, an adapter the film alone, as it has learnt it. Greedy at temperature 0;
        otherwise the n-th text of a film and its request is drawn with the same numbers for the
        same seed, whatever else is in the batch. `told` hears the first row's text so far at
        every token, in this thread; what it raises ends the writing and goes through. Raises
        BackboneError for a task that has no adapter, and where a study is more than the model
        takes.
        """
        adapted = tasks if tasks is not None else [None] * len(encoded)
        drawn = _drawn(encoded, requests, sampling, self._longest(sampling))
        texts: dict[int, GeneratedText] = {}

        def heard(ids: Sequence[int]) -> None:
            if on_text is not None:  # others may be written now: the first row's text stays
                on_text(texts[0].text if 0 in texts else self._decode(ids).rstrip("\ufffd"))

        with self._lock:
            for task in dict.fromkeys(adapted):  # the first row's is written first
                rows = [row for row, own in enumerate(adapted) if own == task]
                for part in self._batches(rows, encoded, requests):
                    asked = [(encoded[row], requests[row]) for row in part]
                    chances = None if drawn is None else drawn[part]
                    found = self._texts(asked, task, sampling, chances, heard)
                    texts |= zip(part, map(self._written, found), strict=True)
        return [texts[row] for row in range(len(encoded))]

    def _batches(
        self, rows: Sequence[int], encoded: Sequence[Encoded], requests: Sequence[str]
    ) -> Iterator[list[int]]:
        """Rows that are written together; those of one film and request beside each other."""
        of_prompt: dict[tuple[Encoded, str], list[int]] = {}
        for row in rows:
            of_prompt.setdefault((encoded[row], requests[row]), []).append(row)
        alike = list(of_prompt.values())
        # Without a token to pad with, only prompts of one length can be one batch.
        groups = [[row for some in alike for row in some]] if self._chat.pads else alike
        for group in groups:
            for start in range(0, len(group), _TOGETHER):
                yield group[start : start + _TOGETHER]

    def _longest(self, sampling: Sampling) -> int:
        return max(sampling.max_tokens, self._most)

    def _texts(
        self,
        asked: Sequence[tuple[Encoded, str]],
        task: str | None,
        sampling: Sampling,
        drawn: np.ndarray | None,
        heard: Callable[[Sequence[int]], None],
    ) -> list[RowText]:
        chat, model = self._chat, self._model
        prompts = list(dict.fromkeys(asked))  # each is read once
        of_row = [prompts.index(one) for one in asked]
        told = [
            study_turn(code, chat.plain(request), whole=task is None) for code, request in prompts
        ]
        kept: dict[str, np.ndarray] = {}  # studies of one patient may show the same films
        for film in (film for _, films in told for film in films):
            if film.sha256 not in kept:
                kept[film.sha256] = chat.picture(film)
        pictures = [[kept[film.sha256] for film in films] for _, films in told]
        try:
            inputs = chat.inputs([chat.prompt(messages) for messages, _ in told], pictures)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            raise BackboneError(
                f"The processor of {self.identity.name!r} cannot take {len(pictures[0])} films and "
                f"the request ({type(error).__name__}); give one film, or another writer."
            ) from None
        settings = GenerationConfig(
            max_length=None,
            max_new_tokens=self._longest(sampling),
            do_sample=False,  # the tokens are chosen by `TokenChooser`
            num_beams=1,
            repetition_penalty=1.0,
            eos_token_id=sorted(self._ends),
            pad_token_id=chat.pad,
        )
        choosing = TokenChooser(len(asked), sampling.temperature, drawn, self._ends, heard)
        placed = {key: self._placed(value) for key, value in inputs.items()}
        with self._adapters.switched_to(task):
            generate(model, placed, of_row, settings, choosing)
        return choosing.texts

    def _placed(self, value: torch.Tensor) -> torch.Tensor:
        """An input on the model's device, pixels in its numbers."""
        value = value.to(self._model.device)
        return value.to(self._model.dtype) if value.is_floating_point() else value

    def _decode(self, ids: Sequence[int]) -> str:
        return self._chat.tokenizer.decode(list(ids), skip_special_tokens=True)

    def _written(self, text: RowText) -> GeneratedText:
        """A text with the characters of every token."""
        whole = self._decode(text.ids)
        lengths = [0]
        for n in range(1, len(text.ids) + 1):
            so_far = self._decode(text.ids[:n]).rstrip("\ufffd")  # a sign may be of several tokens
            lengths.append(min(max(lengths[-1], len(so_far)), len(whole)))
        return GeneratedText(whole, tuple(pairwise(lengths)), tuple(text.logs))


def _drawn(
    encoded: Sequence[Encoded], requests: Sequence[str], sampling: Sampling, most: int
) -> np.ndarray | None:
    """The numbers (rows, most) that each row is drawn with; None at temperature 0."""
    if sampling.temperature <= 0 or not encoded:
        return None
    which: Counter[tuple[Encoded, str]] = Counter()
    lines = []
    for one in zip(encoded, requests, strict=True):
        lines.append(row_uniforms(sampling.seed, one[1], which[one], most))
        which[one] += 1
    return np.stack(lines)
