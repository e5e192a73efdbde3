"""The thoughts of reasoning writers: they reach no report, no listener and no confidence."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_server_writer import GREEDY, REQUEST, encoded, serving
from toy_vlms import tokenizer, toy_vlm

from assistant import Assistant
from assistant.backbones.decoding.sampling import RowText
from assistant.backbones.loading import load_backbone
from assistant.backbones.protocols import Sampling
from assistant.backbones.thoughts import (
    Prompted,
    TokenReader,
    cut_thoughts,
    prompted_thoughts,
    token_spans,
    visible_text,
)
from assistant.errors import BackboneError
from assistant.types import Film, GeneratedText, Study

# What stands before and after a thought; an empty opening mark was put into the prompt.
STYLES = {
    "DeepSeek, Qwen": ("<think>\n", "\n</think>\n\n"),
    "opened by the template": ("", "\n</think>\n\n"),
    "thinking": ("<thinking>", "</thinking>"),
    "upper case": ("<THINK>", "</THINK>\n"),
    "thought": ("<thought>\n", "\n</thought>\n"),
    "reasoning": ("<reasoning>", "</reasoning>\n"),
    "Seed": ("<seed:think>", "</seed:think>"),
    "Mistral": ("[THINK]", "[/THINK]"),
    "Kimi": ("◁think▷", "◁/think▷"),
    "MedGemma": ("<unused94>thought\n", "<unused95>"),
    "MedGemma, its first mark left out": ("thought\n", "<unused95>"),
    "Gemma 4": ("<|channel>thought\n", "<channel|>"),
    "Cohere": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    "OpenThinker": ("<|begin_of_thought|>", "<|end_of_thought|>\n\n<|begin_of_solution|>"),
    "gpt-oss": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "gpt-oss, two thoughts": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "gpt-oss, its marks left out": ("analysisWe see: ", "assistantfinal"),
    "an answer in marks": ("<think>", "</think>\n<answer>"),
}
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="<>[]◁▷"), max_size=60)
REPORT = PLAIN.filter(lambda text: text[:1].strip() and not text.lower().startswith(("th", "an")))
STYLE = st.sampled_from(sorted(STYLES))
MANY = settings(max_examples=150, deadline=None)
NAMED = "Findings: no nodule."


def in_tokens(text: str, cuts: Sequence[int]) -> GeneratedText:
    """A text in tokens that end at `cuts`, each with a log-probability of its own."""
    ends = sorted({cut % len(text) for cut in cuts} - {0}) if text else []
    spans = tuple(zip([0, *ends], [*ends, len(text)], strict=True)) if text else ()
    return GeneratedText(text, spans, tuple(-1.0 - start for start, _ in spans))


@MANY
@given(STYLE, PLAIN, REPORT, st.lists(st.integers(0, 1000), max_size=12))
def test_a_report_is_the_same_with_a_thought_before_it(style, thought, report, cuts):
    opening, closing = STYLES[style]
    before = f"{opening}{thought}{closing}"
    alone, prefix = in_tokens(report, cuts), in_tokens(before, cuts)
    whole = GeneratedText(
        before + report,
        prefix.spans + tuple((a + len(before), b + len(before)) for a, b in alone.spans),
        tuple(-9.0 for _ in prefix.spans) + alone.log_probabilities,
    )
    cut = cut_thoughts(whole, "It", prompted=Prompted(opened=not opening))
    assert replace(cut, thought_tokens=0) == alone
    assert cut.thought_tokens == len(prefix.spans)
    assert cut_thoughts(alone, "It") == alone


@MANY
@given(STYLE, PLAIN, REPORT, st.lists(st.integers(0, 1000), max_size=12))
def test_a_token_on_the_border_belongs_to_the_report(style, thought, report, cuts):
    opening, closing = STYLES[style]
    text = f"{opening}{thought}{closing}{report}"
    whole = in_tokens(text, cuts)
    cut = cut_thoughts(whole, "It", prompted=Prompted(opened=not opening))
    assert cut.text == report
    start = len(text) - len(report)
    kept = [(s, log) for s, log in zip(whole.spans, whole.log_probabilities) if s[1] > start]  # noqa: B905
    assert cut.log_probabilities == tuple(log for _, log in kept)
    assert cut.spans == tuple((max(a - start, 0), b - start) for (a, b), _ in kept)


@MANY
@given(STYLE, PLAIN, REPORT)
def test_no_part_of_a_thought_is_shown_while_it_is_written(style, thought, report):
    opening, closing = STYLES[style]
    prompted = Prompted(opened=not opening)
    text = f"{opening}{thought}{closing}{report}"
    for end in range(len(text) + 1):
        shown = visible_text(text[:end], prompted)
        assert report.startswith(shown), (text[:end], shown)


@MANY
@given(STYLE, PLAIN, st.integers(0, 200))
def test_a_thought_without_an_end_is_no_report(style, thought, cut):
    opening, closing = STYLES[style]
    text = f"{opening}{thought}"
    first_mark = min((closing.index(end) for end in ">]▷" if end in closing), default=len(closing))
    for written in (text, text + closing[: cut % first_mark], text + closing):
        with pytest.raises(BackboneError, match="still thinking") as caught:
            cut_thoughts(in_tokens(written, ()), "It", prompted=Prompted(opened=not opening))
        assert "\n" not in str(caught.value)


@MANY
@given(REPORT)
def test_a_report_without_a_thought_stays_as_it_is(report):
    text = in_tokens(report, (3, 5))
    assert cut_thoughts(text, "It") is text
    assert cut_thoughts(text, "It", ended=False) is text
    marked = f"{report} The nodule is < 5 mm, [L], and the effusion > 2 cm."
    assert cut_thoughts(in_tokens(marked, ()), "It").text == marked


def test_thoughts_between_and_after_are_cut_too():
    text = "<think>a</think>The heart is normal.<think>b</think> No mass.<think></think>"
    cut = cut_thoughts(in_tokens(text, range(0, 90, 3)), "It")
    assert cut.text == "The heart is normal. No mass."
    nested = "<think>I write <think> first. <think>so</think> on</think>No mass."
    assert cut_thoughts(in_tokens(nested, ()), "It").text == "No mass."
    other = "<think>They say [/THINK] and <unused95> here.</think>No mass."
    assert cut_thoughts(in_tokens(other, ()), "It").text == "No mass."


def test_what_a_prompt_opens_is_known_from_its_end():
    qwen = "{% if x %}<think>\n\n</think>\n\n{% endif %}<|im_start|>assistant\n"
    assert prompted_thoughts("...<|im_start|>assistant\n<think>\n", "") == Prompted(True, False)
    assert prompted_thoughts("...<start_of_turn>model\n<unused94>thought\n", "").opened
    assert prompted_thoughts("...assistant\n<think>\n\n</think>\n\n", qwen) == Prompted(
        False, False
    )
    assert prompted_thoughts("...assistant\n", qwen) == Prompted(False, True)
    assert prompted_thoughts("Is <think> a word?\nassistant\n", "") == Prompted(False, False)


@MANY
@given(PLAIN, REPORT, st.integers(1, 12))
def test_special_tokens_and_characters_of_several_tokens_keep_their_places(thought, report, window):
    words = tokenizer({"opening": "<unused94>", "closing": "<unused95>"})
    reader = TokenReader(words, "It", skip_special=True)

    def row(text: str) -> RowText:
        ids = words(text, add_special_tokens=False)["input_ids"]
        return RowText(ids, [-0.5 - i / 1000 for i in range(len(ids))][::-1], ended=True)

    alone, whole = row(report), row(f"<unused94>thought\n{thought}<unused95>{report}")
    assert replace(reader.read(whole, Prompted()), thought_tokens=0) == reader.read(
        alone, Prompted()
    )
    text = words.decode(alone.ids)
    assert token_spans(words.decode, alone.ids, text, window) == token_spans(
        words.decode, alone.ids, text
    )
    shown = {reader.show(whole.ids[:n], Prompted()) for n in range(len(whole.ids) + 1)}
    assert all(report.startswith(part) for part in shown)


def film() -> Film:
    from assistant.chest.phantoms import make_phantom

    pixels = make_phantom(6, 0, split="validation").film.astype(np.float32) / 255
    return Film(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("thinkers")
    for family in ("llava", "janus"):
        toy_vlm(family, folder / family)
    return folder


class Scripted:
    """Makes a model write given texts: the scores of all other tokens are minus infinity."""

    def __init__(self, monkeypatch, words: Any, texts: Sequence[str]) -> None:
        import torch

        from assistant.backbones.decoding import sampling
        from assistant.backbones.vlm import generation

        end = words.eos_token_id
        rows = [[*words(text, add_special_tokens=False)["input_ids"], end] for text in texts]
        self.step = 0

        def choose(scores, *_):
            tokens = [rows[i % len(rows)][min(self.step, len(rows[i % len(rows)]) - 1)] for i in
                      range(len(scores))]  # fmt: skip
            self.step += 1
            return torch.tensor(tokens), torch.full((len(scores),), -0.25)

        for module in (sampling, generation):
            monkeypatch.setattr(module, "sample_token", choose)


@pytest.mark.parametrize("family", ["llava", "janus"])
@pytest.mark.parametrize("is_opened", [False, True])
def test_a_local_writer_thinks_and_reports_what_it_would_without(
    family, is_opened, toys, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(toys / family, tmp_path / family))
    if is_opened:
        template = folder / "chat_template.jinja"
        template.write_text(template.read_text("utf-8") + "<think>\n", encoding="utf-8")
    backbone: Any = load_backbone(folder)
    words = backbone._tokenizer if family == "janus" else backbone._writer._chat.tokenizer
    code = backbone.encode([film()])[0]
    thought = ("" if is_opened else "<think>") + "Large pneumothorax? No.</think>\n"
    Scripted(monkeypatch, words, [thought + NAMED, thought + NAMED])
    heard: list[str] = []
    sampling = Sampling(max_tokens=150)
    texts = backbone.write([code] * 2, ["Report."] * 2, sampling, on_text=heard.append)
    assert [one.text for one in texts] == [NAMED] * 2
    assert heard[-1] == NAMED
    assert all(NAMED.startswith(part) for part in heard)
    assert all(len(one.spans) == len(one.log_probabilities) > 0 for one in texts)
    assert all(one.spans[-1][1] == len(NAMED) and one.thought_tokens > 5 for one in texts)
    Scripted(monkeypatch, words, [thought + NAMED])
    report = Assistant(backbone).draft(Study((film(),)))
    assert "pneumothorax" not in json.dumps([s.text for s in report.sentences])
    Scripted(monkeypatch, words, ["" if is_opened else "<think>" + "Large pneumothorax? " * 40])
    with pytest.raises(BackboneError, match="still thinking"):
        backbone.write([code], ["Report."], Sampling(max_tokens=20))


def choices_of(message: dict, reason: str = "stop", logs: list | None = None) -> tuple:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return 200, {}, {"choices": [choice | {"logprobs": {"content": logs}}]}


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"<think>A large mass.</think>\n{NAMED}"},
        {"content": f"A large mass.</think>\n{NAMED}"},
        {"content": NAMED, "reasoning_content": "A large mass."},
        {"content": NAMED, "reasoning": "A large mass."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "A large mass."}]},
                     {"type": "text", "text": NAMED}]},
    ],
)  # fmt: skip
def test_a_server_s_thoughts_are_cut_whole_and_streamed(message):
    def answer(body: dict, number: int):
        if not body["stream"]:
            return choices_of(message)
        events: list[dict] = []
        for key, value in sorted(message.items(), key=lambda item: item[0] == "content"):
            parts = [*value] if isinstance(value, str) else [[part] for part in value]
            events += [
                {"choices": [{"index": 0, "delta": {key: part}, "finish_reason": None}]}
                for part in parts
            ]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return 200, {"Content-Type": "text/event-stream"}, f"{lines}data: [DONE]\n\n".encode()

    with serving(answer) as server:
        writer = server.writer()
        assert writer.write([encoded()], [REQUEST], GREEDY)[0].text == NAMED
        heard: list[str] = []
        written = writer.write([encoded()], [REQUEST], GREEDY, on_text=heard.append)
    assert written[0].text == heard[-1] == NAMED
    assert all(NAMED.startswith(part) for part in heard)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "<think>A large mass."},
        {"content": None, "reasoning_content": "A large mass."},
        {"content": "", "reasoning": "A large mass."},
        {"content": "<|channel|>analysis<|message|>A large mass."},
    ],
)
def test_a_server_that_only_thinks_has_written_nothing(message):
    with serving(lambda body, number: choices_of(message, "length")) as server:
        with pytest.raises(BackboneError, match="still thinking") as caught:
            server.writer().write([encoded()], [REQUEST], GREEDY)
        assert "mass" not in str(caught.value)


def test_the_log_probabilities_of_a_server_are_those_of_the_answer():
    pieces = [("No mass.", -5.0), ("</think>", -4.0), ("\n", -3.0), ("No ", -0.1), ("mass.", -0.2)]
    logs = [{"token": piece, "bytes": None, "logprob": log} for piece, log in pieces]

    def answer(body: dict, number: int):
        if number == 1:
            return choices_of({"content": "".join(piece for piece, _ in pieces)}, logs=logs)
        return choices_of({"content": "No mass.", "reasoning": "No mass."}, logs=logs)

    with serving(answer) as server:
        writer = server.writer()
        for _ in range(2):
            written = writer.write([encoded()], [REQUEST], GREEDY)[0]
            assert written == GeneratedText("No mass.", ((0, 3), (3, 8)), (-0.1, -0.2), 3)
