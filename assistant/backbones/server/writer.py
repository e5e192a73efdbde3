"""A writer that is served: any OpenAI-compatible server of chat completions with images.

Films leave the process here, and the machine where the server is on another. What is sent is the
film's pixels and the request's words, no more; neither stands in an error or a log.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.backbones.protocols import Encoded, Identity, Sampling
from assistant.backbones.server.client import RefusedError, ServerClient
from assistant.backbones.server.replies import Reply
from assistant.backbones.server.settings import ServerSettings
from assistant.backbones.study_prompt import study_turn
from assistant.errors import BackboneError
from assistant.intake.png import preview
from assistant.types import Film, GeneratedText, OnText

# A server's tokenizer reads marks in a text as its own, and only its template may set them.
MARKS = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")


@dataclass(frozen=True, slots=True, eq=False)
class _ServerRequest:
    """What is asked of the server at once: the same words about the same film, for some rows."""

    rows: tuple[int, ...]
    model: str
    content: list[dict]  # the user's turn
    seed: int


class ServerWriter:
    """A model behind a server as writer; threads may write at the same time."""

    def __init__(self, settings: ServerSettings) -> None:
        """Make ready to ask; the server is not asked yet.

        Raises BackboneError without the package `openai` or the key that the settings name.
        """
        self.settings = settings
        self._client = ServerClient(settings)
        self._free = threading.BoundedSemaphore(settings.concurrency)
        self._lacks: set[str] = set()  # of "n" and "logprobs", what the server does not do
        self.identity = Identity(
            _last(settings.model),
            settings.revision or f"as served by {settings.host}",
            settings.licence,
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter on the server: of "report" and "answer"."""
        return tuple(self.settings.adapters)

    @property
    def instructed(self) -> bool:
        """Whether the base follows instructions: a server of chat completions holds such."""
        return True

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        adapter = None if task is None else f"{task}@{_last(self._model(task))}"
        return replace(self.identity, adapter=adapter)

    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None] | None = None,
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request, several at the same time.

        `tasks` names the adapter of each row, None the base alone. Greedy at temperature 0;
        otherwise rows with the same film and request are sampled together where the server can,
        and the same seed gives the same texts as far as the server keeps to it. Log-probabilities
        are there where the server tells them: without, `spans` is empty. `told` hears in this
        thread the first row's text so far; what it raises ends the writing and goes through.
        Raises BackboneError for a task without an adapter, and a server that cannot be
        reached, refuses, or dies midway.
        """
        adapted = tasks if tasks is not None else [None] * len(encoded)
        groups = self._groups(encoded, requests, adapted, sampling)
        texts: dict[int, GeneratedText] = {}
        while groups:
            for rows, found in self._at_once(groups, sampling, on_text, texts.get(0)):
                # Greedily all rows are alike; else a server may have written fewer than asked.
                many = [found[0]] * len(rows) if sampling.temperature <= 0 else found
                texts.update(zip(rows, many, strict=False))
            groups = [
                replace(ask, rows=(row,), seed=_seed(ask.seed, place))
                for ask in groups
                for place, row in enumerate(ask.rows)
                if row not in texts
            ]
            if groups:
                self._lacks.add("n")
        return [texts[row] for row in range(len(encoded))]

    def _groups(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        tasks: Sequence[str | None],
        sampling: Sampling,
    ) -> list[_ServerRequest]:
        """The rows put together that differ in nothing, or apart where the server cannot."""
        alike: dict[tuple[int, str, str | None], list[int]] = {}
        for row, key in enumerate(zip(map(id, encoded), requests, tasks, strict=True)):
            alike.setdefault(key, []).append(row)
        groups = []
        for (_, request, task), rows in alike.items():
            # An adapter has learnt to be shown one film, a base may be shown the whole study.
            told, films = study_turn(encoded[rows[0]], request, whole=task is None)
            content = _content(told[0]["content"], [self._picture(film) for film in films])
            whole = _ServerRequest(tuple(rows), self._model(task), content, sampling.seed)
            if "n" not in self._lacks or sampling.temperature <= 0:
                groups.append(whole)
            else:
                groups += [
                    replace(whole, rows=(row,), seed=_seed(sampling.seed, place))
                    for place, row in enumerate(rows)
                ]
        return groups

    def _picture(self, film: Film) -> str:
        """The film as a data URL: an 8-bit grey PNG of its pixels alone."""
        png = preview(film.pixels, edge=self.settings.edge)
        return "data:image/png;base64," + base64.b64encode(png).decode()

    def _model(self, task: str | None) -> str:
        """The server's name of the model with the adapter of a task."""
        if task is None:
            return self.settings.model
        if task not in self.settings.adapters:
            raise BackboneError(
                f"The server has no adapter for the task {task!r}; name the model that does it "
                "in the settings' `adapters`."
            )
        return self.settings.adapters[task]

    def _at_once(
        self,
        groups: Sequence[_ServerRequest],
        sampling: Sampling,
        on_text: OnText | None,
        first: GeneratedText | None,
    ) -> Iterator[tuple[tuple[int, ...], list[GeneratedText]]]:
        """Rows with their texts, in order; the first row's is told of while it is written."""
        pool = ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="server-writer")
        aloud = on_text is not None and first is None  # the first group has the first row
        try:
            coming = [pool.submit(self._asked, ask, sampling) for ask in groups[int(aloud) :]]
            if aloud:
                found = self._asked(groups[0], sampling, on_text)
                first = found[0]
                yield groups[0].rows, found
            for ask, future in zip(groups[int(aloud) :], coming, strict=True):
                yield ask.rows, future.result()
                if on_text is not None and first is not None:
                    on_text(first.text)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _asked(
        self, ask: _ServerRequest, sampling: Sampling, on_text: OnText | None = None
    ) -> list[GeneratedText]:
        """One to `len(ask.rows)` texts; a server that refuses is asked for less."""
        many = len(ask.rows) if sampling.temperature > 0 else 1
        extras: dict[str, Any] = {"n": many} if many > 1 else {}
        extras["logprobs"] = True
        for lacking in self._lacks:
            extras.pop(lacking, None)
        request = {
            "model": ask.model,
            "messages": [{"role": "user", "content": ask.content}],
            "temperature": sampling.temperature,
            "seed": ask.seed,
            "max_tokens": sampling.max_tokens,
            "stream": on_text is not None,
        }
        without: list[str] = []
        while True:
            try:
                with self._free:
                    found = self._heard(request | extras, on_text)
                break
            except RefusedError:
                if not extras:
                    raise
            without.append(next(iter(extras)))
            extras.pop(without[-1])
        self._lacks.update(without)  # only now is it known that they were the reason
        return [reply.text_with_logs() for reply in found][:many]

    def _heard(self, request: dict[str, Any], on_text: OnText | None) -> list[Reply]:
        """The texts of one answer, in the order of their numbers."""
        replies: dict[int, Reply] = {}
        with closing(self._client.complete(request)) as answers:
            for answer in answers:
                malformed = False
                try:
                    for choice in answer.choices:
                        replies.setdefault(choice.index, Reply()).add_chunk(choice)
                except (AttributeError, TypeError, ValueError):
                    malformed = True  # raised out of here: the answer's words are no context
                if malformed:
                    raise self._client.broken()
                if on_text is not None and 0 in replies:
                    on_text(replies[0].text)
        if not replies or not all(reply.ended for reply in replies.values()):
            raise self._client.broken()
        return [replies[number] for number in sorted(replies)]


def _last(model: str) -> str:
    """A server's name of a model for the provenance, where a server names it by its folder."""
    return Path(model).name if Path(model).is_absolute() else model


def _seed(seed: int, place: int) -> int:
    """Another seed for each row that is sampled apart from those alike; the first keeps its own."""
    if not place:
        return seed
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0]) >> 1


def _content(turn: Sequence[Mapping[str, str]], pictures: Sequence[str]) -> list[dict]:
    """The user's turn as the protocol has it, without marks of a tokenizer in the words."""
    urls = iter(pictures)
    return [
        {"type": "image_url", "image_url": {"url": next(urls)}}
        if part["type"] == "image"
        else {"type": "text", "text": MARKS.sub(" ", part["text"])}
        for part in turn
    ]
