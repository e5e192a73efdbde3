"""Being told what is written or painted while it is, and stopping it: nothing else changes."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from assistant.backbones.protocols import Sampling
from assistant.drafting.draft import write_drafts
from assistant.errors import Stopped, WetreadError
from assistant.export.draft_json import draft_dict
from assistant.intake import read_film
from assistant.prompts import report_request
from assistant.types import Film

PROMPT = "Cardiomegaly."


@pytest.fixture(scope="module")
def films(phantoms):
    return [read_film(path) for path in sorted((phantoms / "images").glob("*.png"))[:6]]


def plain(report):
    draft = draft_dict(report)
    draft["provenance"].pop("time")
    return draft


def test_the_text_grows_to_what_is_written_and_is_the_same_without_a_listener(assistant, films):
    encoded = assistant.backbone.encode(films[:1])
    request = [report_request("", (), "")]
    threads: set[int] = set()
    texts: list[str] = []

    def told(text: str) -> None:
        threads.add(threading.get_ident())
        texts.append(text)

    alone = assistant.backbone.write(encoded, request, Sampling(), ["report"])
    heard = assistant.backbone.write(encoded, request, Sampling(), ["report"], told)
    assert heard == alone  # the text, its spans and every log-probability
    assert threads == {threading.get_ident()}
    assert texts[-1] == alone[0].text
    assert len(texts) >= len(alone[0].spans)
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))


def test_of_several_rows_the_first_is_told(assistant, films):
    encoded = assistant.backbone.encode(films[:3])
    requests, sampling = [report_request("", (), "")] * 3, Sampling(seed=2, temperature=0.9)
    texts: list[str] = []
    alone = assistant.backbone.write(encoded, requests, sampling, ["report"] * 3)
    heard = assistant.backbone.write(encoded, requests, sampling, ["report"] * 3, texts.append)
    assert heard == alone
    assert texts[-1] == alone[0].text
    mixed = ["report", None, None]
    heard = assistant.backbone.write(encoded, requests, sampling, mixed, texts.append)
    assert heard[0].text == alone[0].text
    assert heard == assistant.backbone.write(encoded, requests, sampling, mixed)
    assert texts[-1] == heard[0].text


def test_a_draft_is_the_same_whether_or_not_somebody_listens(assistant, films):
    for film in films[:3]:
        texts: list[str] = []
        heard = assistant.draft(film, seed=3, on_text=texts.append)
        assert plain(heard) == plain(assistant.draft(film, seed=3))
        assert len(texts) > 20
        assert any(sentence.text in texts[-1] for sentence in heard.sentences)


def test_of_a_film_that_is_refused_nothing_is_told(assistant):
    texts: list[str] = []
    blank = Film(np.zeros((256, 256), np.float32), "0" * 64)
    assert assistant.draft(blank, on_text=texts.append).gate.answer == "refuse"
    assert not texts


def test_a_draft_that_is_stopped_ends_at_once_and_the_next_is_right(assistant, films):
    heard: list[str] = []
    right = plain(assistant.draft(films[0], seed=1, on_text=heard.append))
    for after in (1, len(heard) // 2, len(heard)):
        texts: list[str] = []

        def told(text: str, texts=texts, after=after) -> None:
            texts.append(text)
            if len(texts) == after:
                raise Stopped

        with pytest.raises(Stopped, match="stopped"):
            assistant.draft(films[0], seed=1, on_text=told)
        assert texts == heard[:after]
    assert plain(assistant.draft(films[0], seed=1)) == right


def test_whatever_a_listener_raises_goes_through_unchanged(assistant, films):
    odd = KeyboardInterrupt("of its own")

    def told(text: str) -> None:
        raise odd

    with pytest.raises(KeyboardInterrupt) as caught:
        assistant.draft(films[1], on_text=told, use_adapter=False)
    assert caught.value is odd
    assert assistant.draft(films[1], use_adapter=False).sentences


def test_while_others_are_drawn_the_best_so_far_is_told(assistant, films):
    """A writer that slips at first: what is told then is never a draft that is only drawn."""

    class Slipping:
        def __init__(self):
            self.rows: list[int] = []

        def __getattr__(self, name):
            return getattr(assistant.backbone, name)

        def write(self, encoded, requests, sampling, tasks, told):
            self.rows.append(len(encoded))
            made = assistant.backbone.write(encoded, requests, sampling, tasks, told)
            if sampling.temperature == 0:
                return [replace(made[0], text="Findings: Large left pneumothorax.")]
            return made

    from assistant.gate import gate_studies

    backbone, texts = Slipping(), []
    admitted = gate_studies(assistant.backbone, [_study(films[2])], correct=False, anyway=True)
    drafted = write_drafts(
        backbone, admitted, [()], task="report", seed=0, samples=2, on_text=texts.append
    )  # type: ignore[arg-type]
    assert backbone.rows[0] == 1
    assert max(backbone.rows) > 1
    first = texts.index("Findings: Large left pneumothorax.")
    assert drafted[0].generation.text != texts[first]
    assert texts[-1] == drafted[0].generation.text
    assert len(set(texts[first:])) <= 4  # one at most a turn, and what it began with


def _study(film):
    from assistant.types import Study

    return Study((film,))


def test_a_painting_tells_how_far_it_is_and_is_the_same(assistant):
    seen: list[tuple[int, int]] = []
    alone = assistant.paint(PROMPT, seed=4, count=2)
    heard = assistant.paint(PROMPT, seed=4, count=2, on_progress=lambda *at: seen.append(at))
    assert all(
        np.array_equal(one.pixels, other.pixels) for one, other in zip(alone, heard, strict=True)
    )
    total = seen[0][1]
    assert {whole for _, whole in seen} == {total}
    assert [done for done, _ in seen] == list(range(0, total + 1, 2))


def test_a_painting_that_is_stopped_leaves_nothing_broken(assistant, films):
    right = assistant.paint(PROMPT, seed=4)[0].pixels
    draft = plain(assistant.draft(films[0]))

    def progress(done: int, total: int) -> None:
        if done > 20:
            raise Stopped

    with pytest.raises(WetreadError, match="stopped"):
        assistant.paint(PROMPT, seed=4, on_progress=progress)
    assert np.array_equal(assistant.paint(PROMPT, seed=4)[0].pixels, right)
    assert plain(assistant.draft(films[0])) == draft


def test_a_painting_without_guidance_is_painted(assistant):
    first, second = assistant.paint(PROMPT, guidance=1.0, count=2)
    assert first.pixels.shape == second.pixels.shape
    assert not np.array_equal(first.pixels, second.pixels)
