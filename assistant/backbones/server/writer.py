"""Writes with an OpenAI-compatible server of chat completions with images.

Films leave the process here, and the machine if the server is on another. Only the film's pixels
and the request's words are sent; neither appears in an error or a log.
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
from assistant.backbones.thoughts import Prompted, closes_unopened, visible_text
from assistant.errors import BackboneError
from assistant.intake.png import preview
from assistant.types import Film, GeneratedText, OnText

# A server's tokenizer takes marks in a text as its own; only its template may set them.
MARKS = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")


@dataclass(frozen=True, slots=True, eq=False)
class _ServerRequest:
    """One request to the server: the same words about the same film, for some rows."""

    rows: tuple[int, ...]
    model: str
    content: list[dict]  # the user's turn
    seed: int


class ServerWriter:
    """A writer behind a server; threads may write at the same time."""

    def __init__(self, settings: ServerSettings) -> None:
        """Create the client; no request is sent yet.

        Raises BackboneError without the package `openai` or the key that the settings name.
        """
        self.settings = settings
        self._client = ServerClient(settings)
        self._prompted = Prompted()  # of the server's template, as far as its texts have shown
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._unsupported: set[str] = set()  # of "n" and "logprobs", those that the server refuses
        self.identity = Identity(
            _short_name_of(settings.model),
            settings.revision or f"as served by {settings.host}",
            settings.licence,
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter on the server, out of "report" and "answer"."""
        return tuple(self.settings.adapters)

    @property
    def instructed(self) -> bool:
        """True: a server of chat completions serves models that follow instructions."""
        return True

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        adapter = None if task is None else f"{task}@{_short_name_of(self._model_name_of(task))}"
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
        and the same seed gives the same texts as far as the server respects it. Where the server
        returns no log-probabilities, `spans` is empty. `on_text` receives the first row's text so
        far in this thread; an error that it raises ends the writing and is passed on. Raises
        BackboneError for a task without an adapter, and for a server that cannot be reached,
        refuses, or dies midway.
        """
        adapted = tasks if tasks is not None else [None] * len(encoded)
        server_requests = self._make_requests(encoded, requests, adapted, sampling)
        texts: dict[int, GeneratedText] = {}
        while server_requests:
            results = self._complete_all(server_requests, sampling, on_text, texts.get(0))
            for rows, new_texts in results:
                # Greedy rows are all alike; a server that samples may write fewer than requested.
                if sampling.temperature <= 0:
                    new_texts = [new_texts[0]] * len(rows)
                texts.update(zip(rows, new_texts, strict=False))
            server_requests = [
                replace(request, rows=(row,), seed=_row_seed(request.seed, index))
                for request in server_requests
                for index, row in enumerate(request.rows)
                if row not in texts
            ]
            if server_requests:
                self._unsupported.add("n")
        return [texts[row] for row in range(len(encoded))]

    def _make_requests(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        tasks: Sequence[str | None],
        sampling: Sampling,
    ) -> list[_ServerRequest]:
        """One request for all rows that are alike, or one a row where the server refuses "n"."""
        rows_of_key: dict[tuple[int, str, str | None], list[int]] = {}
        for row, key in enumerate(zip(map(id, encoded), requests, tasks, strict=True)):
            rows_of_key.setdefault(key, []).append(row)
        server_requests = []
        for (_, request, task), rows in rows_of_key.items():
            # An adapter is trained on one film; a base may be given the whole study.
            messages, films = study_turn(encoded[rows[0]], request, whole_study=task is None)
            pictures = [self._data_url_of(film) for film in films]
            content = _make_content(messages[0]["content"], pictures)
            joint_request = _ServerRequest(
                tuple(rows), self._model_name_of(task), content, sampling.seed
            )
            if "n" not in self._unsupported or sampling.temperature <= 0:
                server_requests.append(joint_request)
            else:
                server_requests += [
                    replace(joint_request, rows=(row,), seed=_row_seed(sampling.seed, index))
                    for index, row in enumerate(rows)
                ]
        return server_requests

    def _data_url_of(self, film: Film) -> str:
        """The film as a data URL: an 8-bit grey PNG of its pixels alone."""
        png = preview(film.pixels, edge=self.settings.edge)
        return "data:image/png;base64," + base64.b64encode(png).decode()

    def _model_name_of(self, task: str | None) -> str:
        """The server's name of the model with the adapter of a task."""
        if task is None:
            return self.settings.model
        if task not in self.settings.adapters:
            raise BackboneError(
                f"The server has no adapter for the task {task!r}; name the model that does it "
                "in the settings' `adapters`."
            )
        return self.settings.adapters[task]

    def _complete_all(
        self,
        server_requests: Sequence[_ServerRequest],
        sampling: Sampling,
        on_text: OnText | None,
        first: GeneratedText | None,
    ) -> Iterator[tuple[tuple[int, ...], list[GeneratedText]]]:
        """Rows with their texts, in order; the first row's is streamed to `on_text`."""
        pool = ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="server-writer")
        is_streamed = on_text is not None and first is None  # the first request has the first row
        try:
            pooled_requests = server_requests[int(is_streamed) :]
            futures = [
                pool.submit(self._complete, request, sampling) for request in pooled_requests
            ]
            if on_text is not None and is_streamed:
                texts = self._complete(server_requests[0], sampling, on_text)
                first = texts[0]
                on_text(first.text)  # what was held back while it might have been a thought
                yield server_requests[0].rows, texts
            for request, future in zip(pooled_requests, futures, strict=True):
                yield request.rows, future.result()
                if on_text is not None and first is not None:
                    on_text(first.text)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _complete(
        self, request: _ServerRequest, sampling: Sampling, on_text: OnText | None = None
    ) -> list[GeneratedText]:
        """One to `len(request.rows)` texts; options that the server refuses are left out."""
        count = len(request.rows) if sampling.temperature > 0 else 1
        extras: dict[str, Any] = {"n": count} if count > 1 else {}
        extras["logprobs"] = True
        for option in self._unsupported:
            extras.pop(option, None)
        body = {
            "model": request.model,
            "messages": [{"role": "user", "content": request.content}],
            "temperature": sampling.temperature,
            "seed": request.seed,
            "max_tokens": max(sampling.max_tokens, self.settings.max_tokens or 0),
            "stream": on_text is not None,
        }
        dropped: list[str] = []
        while True:
            try:
                with self._slots:
                    replies = self._receive_replies(body | extras, on_text)
                break
            except RefusedError:
                if not extras:
                    raise
            dropped.append(next(iter(extras)))
            extras.pop(dropped[-1])
        self._unsupported.update(dropped)  # only success shows that they were the cause
        writer = f"The model {request.model!r} of {self.settings.host}"
        return [reply.text_with_logs(writer, self._prompted) for reply in replies][:count]

    def _receive_replies(self, body: dict[str, Any], on_text: OnText | None) -> list[Reply]:
        """The texts of one answer, in the order of their numbers."""
        replies: dict[int, Reply] = {}
        with closing(self._client.complete(body)) as answers:
            for answer in answers:
                malformed = False
                try:
                    for choice in answer.choices:
                        replies.setdefault(choice.index, Reply()).add_chunk(choice)
                except (AttributeError, TypeError, ValueError):
                    malformed = (
                        True  # raised outside `except`: that error may hold the answer's words
                    )
                if malformed:
                    raise self._client.make_broken_error()
                if on_text is not None and 0 in replies:
                    on_text(visible_text(replies[0].text, self._prompted))
        if any(closes_unopened(reply.text) for reply in replies.values()):
            self._prompted = Prompted(suspected=True)  # its template opens a thought
        if not replies or not all(reply.ended for reply in replies.values()):
            raise self._client.make_broken_error()
        return [replies[number] for number in sorted(replies)]


def _short_name_of(model: str) -> str:
    """A model's name for the provenance: the last part where the server's name is a path."""
    return Path(model).name if Path(model).is_absolute() else model


def _row_seed(seed: int, index: int) -> int:
    """A seed of its own for each of several alike rows; the first keeps the given one."""
    if not index:
        return seed
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) >> 1


def _make_content(turn: Sequence[Mapping[str, str]], pictures: Sequence[str]) -> list[dict]:
    """The user's turn in the form of the protocol, its words without tokenizer marks."""
    urls = iter(pictures)
    return [
        {"type": "image_url", "image_url": {"url": next(urls)}}
        if part["type"] == "image"
        else {"type": "text", "text": MARKS.sub(" ", part["text"])}
        for part in turn
    ]
