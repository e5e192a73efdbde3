"""Damaged and strange files of checkpoints of others: each is one sentence, or changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_vlms import EVERY, FAMILIES, copy_of, toy_vlm

from assistant.backbones.loading import load_checkpoint
from assistant.backbones.protocols import Sampling
from assistant.backbones.settings import Checkpoint
from assistant.errors import BackboneError
from assistant.types import Film

MANY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("strange")
    for family in FAMILIES:
        toy_vlm(family, folder / family)
    return folder


def film() -> Film:
    pixels = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    return Film(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def draft(folder: Path) -> str:
    """What a checkpoint writes about a film."""
    backbone = load_checkpoint(Checkpoint(str(folder)))
    code = backbone.encode([film()])[0]
    return backbone.write([code], ["Report."], Sampling(max_tokens=4))[0].text


def refusal(folder: Path) -> str:
    """The sentence with which a checkpoint is refused, when it is loaded or when it writes."""
    with pytest.raises(BackboneError) as caught:
        draft(folder)
    return checked(str(caught.value), folder)


def checked(text: str, folder: Path) -> str:
    assert "\n" not in text
    assert text.endswith(".")
    assert str(folder.parent) not in text
    return text


def spoil(folder: Path, name: str, *path: Any) -> Path:
    """Set one value, the last of `path`, in a JSON file."""
    table = json.loads((folder / name).read_text(encoding="utf-8"))
    *keys, last, value = path
    inner = table
    for key in keys:
        inner = inner[key]
    inner[last] = value
    (folder / name).write_text(json.dumps(table), encoding="utf-8")
    return folder


SPOILT = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "a list": lambda raw: b"[]",
    "null": lambda raw: b"null",
    "deep": lambda raw: b"[" * 200_000,
    "deep tables": lambda raw: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "long digits": lambda raw: b'{"hidden_size": ' + b"9" * 6000 + b"}",
    "zeros": lambda raw: bytes(100),
    "no UTF-8": lambda raw: b"\xff\xfe\x00\xd8",
}


@pytest.mark.parametrize("family", EVERY)
def test_a_damaged_configuration_or_tokenizer_is_told(family, toys, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        raw = (toys / family / name).read_bytes()
        for change in SPOILT.values():
            folder = copy_of(toys / family, tmp_path)
            (folder / name).write_bytes(change(raw))
            assert family in refusal(folder)
        folder = copy_of(toys / family, tmp_path)
        (folder / name).unlink()
        (folder / name).symlink_to(name)  # to itself
        refusal(folder)


@MANY
@given(st.data())
def test_no_number_in_a_configuration_ends_in_a_traceback(toys, tmp_path, data):
    family = data.draw(st.sampled_from(sorted(FAMILIES)))
    config = json.loads((toys / family / "config.json").read_text(encoding="utf-8"))
    path, inner = [], config
    while isinstance(inner, dict):
        key = data.draw(st.sampled_from(sorted(k for k, v in inner.items() if v != {})))
        path.append(key)
        inner = inner[key]
    value = data.draw(
        st.sampled_from(
            [0, -1, 1, 3, 2**20, 2**40, 10**30, 1e30, 1.5, None, "x", [], [1], {}, True]
        )
    )
    folder = spoil(copy_of(toys / family, tmp_path), "config.json", *path, value)
    try:
        draft(folder)
    except BackboneError as error:
        checked(str(error), folder)


@pytest.mark.parametrize("size", [0, -1, 2**40])
def test_sizes_that_no_model_has_are_named(size, toys, tmp_path):
    for key in ("hidden_size", "num_hidden_layers", "vocab_size", "num_attention_heads"):
        folder = spoil(copy_of(toys / "gemma3", tmp_path), "config.json", "text_config", key, size)
        assert f"says {key} =" in refusal(folder)


def test_models_that_are_no_writers_of_films_are_told(toys, tmp_path):
    for model_type in ("bert", "nosuch", 3, ["janus"], None, ""):
        folder = spoil(copy_of(toys / "llava", tmp_path), "config.json", "model_type", model_type)
        refusal(folder)


TEMPLATES = {
    "raises": "{{ raise_exception('System role not supported') }}",
    "two turns": "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 1) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% endfor %}",
    "no jinja": "{% for x in %}",
    "undefined": "{{ foo.bar.baz }}",
    "no image": "{{ messages[0]['content'][1]['text'] }}",
    "many images": "{% for _ in range(5) %}<image><soft><|image_pad|><boi>{% endfor %}",
    "nothing": "",
    "out of the sandbox": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "changes the messages": "{{ messages.append(1) }}",
    "without end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "divides": "{{ 1 / 0 }}",
}


@pytest.mark.parametrize("family", EVERY)
def test_a_chat_template_that_does_not_take_films_is_told(family, toys, tmp_path):
    for text in TEMPLATES.values():
        folder = copy_of(toys / family, tmp_path)
        (folder / "chat_template.jinja").write_text(text, encoding="utf-8")
        refusal(folder)


def test_a_chat_template_that_does_not_end_is_ended(toys, tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.backbones.vlm.processor.TEMPLATE_SECONDS", 0.3)
    loop = (
        "{% set n = namespace(x=0) %}{% for a in range(99999) %}{% for b in range(99999) %}"
        "{% set n.x = n.x + 1 %}{% endfor %}{% endfor %}"
    )
    for family in ("llava", "janus"):
        folder = copy_of(toys / family, tmp_path)
        (folder / "chat_template.jinja").write_text(loop, encoding="utf-8")
        assert "does not come to an end" in refusal(folder)


MISMATCHES = [
    ("gemma3", "processor_config.json", ("image_seq_length", 5)),
    ("llava", "processor_config.json", ("patch_size", 4)),
    ("llava", "processor_config.json", ("num_additional_image_tokens", 7)),
    ("idefics3", "processor_config.json", ("image_seq_len", 9)),
    ("qwen2_5_vl", "preprocessor_config.json", ("merge_size", 1)),
    ("qwen2_5_vl", "preprocessor_config.json", ("patch_size", 4)),
    ("janus", "processor_config.json", ("image_processor", "size", {"height": 16, "width": 16})),
    ("janus", "config.json", ("image_token_id", 7)),
    ("llava", "processor_config.json", ("image_processor", "size", {"shortest_edge": 0})),
    ("llava", "processor_config.json", ("image_processor", "image_mean", [0.5])),
    ("llava", "processor_config.json", ("image_processor", "size", {"height": 2**40})),
    ("llava", "processor_config.json", ("processor_class", "OwnProcessor")),
]


@pytest.mark.parametrize(("family", "name", "path"), MISMATCHES)
def test_image_tokens_that_do_not_match_the_model_are_told(family, name, path, toys, tmp_path):
    refusal(spoil(copy_of(toys / family, tmp_path), name, *path))


@pytest.mark.parametrize("length", [1e30, 10**40, 0, -1])
@pytest.mark.parametrize("family", ["gemma3", "janus"])
def test_an_absurd_length_of_the_tokenizer_changes_nothing(family, length, toys, tmp_path):
    folder = copy_of(toys / family, tmp_path)
    spoil(folder, "tokenizer_config.json", "model_max_length", length)
    assert draft(folder) == draft(toys / family)


FAST = [
    ("qwen2_5_vl", "Qwen2VLImageProcessorFast"),
    ("qwen2_5_vl", "Qwen2_5_VLImageProcessorFast"),
    ("gemma3", "Gemma3ImageProcessorFast"),
    ("llava", "LlavaImageProcessorFast"),
    ("llava", "NewerLlavaImageProcessorFast"),
    ("idefics3", "Idefics3ImageProcessorFast"),
    ("janus", "JanusImageProcessorFast"),
]


@pytest.mark.parametrize(("family", "kind"), FAST)
def test_a_fast_image_processor_is_replaced_by_the_one_that_is_installed(
    family, kind, toys, tmp_path
):
    folder = copy_of(toys / family, tmp_path)
    if (folder / "preprocessor_config.json").is_file():
        spoil(folder, "preprocessor_config.json", "image_processor_type", kind)
    else:  # as older versions saved it, in a file of its own
        table = json.loads((folder / "processor_config.json").read_text(encoding="utf-8"))
        pictures = table.pop("image_processor") | {"image_processor_type": kind}
        (folder / "processor_config.json").write_text(json.dumps(table), encoding="utf-8")
        (folder / "preprocessor_config.json").write_text(json.dumps(pictures), encoding="utf-8")
    assert draft(folder) == draft(toys / family)


def test_a_checkpoint_without_its_image_processor_is_told(toys, tmp_path):
    folder = copy_of(toys / "qwen2_5_vl", tmp_path)
    (folder / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json" in refusal(folder)
    folder = copy_of(toys / "llava", tmp_path)
    (folder / "processor_config.json").write_text("[]", encoding="utf-8")
    assert "processor_config.json" in refusal(folder)


def test_what_hears_a_text_raises_its_own_errors(toys):
    backbone = load_checkpoint(Checkpoint(str(toys / "llava")))
    code = backbone.encode([film()])[0]

    def fail(text: str) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        backbone.write([code], ["Report."], Sampling(max_tokens=4), on_text=fail)


COMMANDS: list[Callable[[Path], Path]] = [
    lambda folder: spoil(folder, "config.json", "text_config", "hidden_size", 2**40),
    lambda folder: spoil(folder, "processor_config.json", "patch_size", 4),
]


def test_the_command_line_ends_in_one_sentence(toys, phantoms, tmp_path, capfd):
    image = next((phantoms / "images").glob("*.png"))
    for change in COMMANDS:
        folder = change(copy_of(toys / "llava", tmp_path))
        done = run(capfd, "draft", image, "--backbone", folder)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.strip().splitlines()) == 1, done.err
