"""Toy checkpoints of five families of image-text-to-text models, random, with processors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from toy_janus import WORDS, toy_base
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    Gemma3TextConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    JanusProcessor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    SiglipVisionConfig,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from assistant.prompts import CHAT_TEMPLATE

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def chat_template(image: str) -> str:
    """A chat in the manner of most, with the family's own mark for a film."""
    return (
        "{{ bos_token }}{% for message in messages %}<turn>{{ message['role'] }}\n"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        + image
        + "{% else %}"
        "{{ part['text'] }}{% endif %}{% endfor %}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<turn>assistant\n{% endif %}"
    )


def tokenizer(special: dict[str, str], *more: str) -> PreTrainedTokenizerFast:
    """Byte-level BPE with a family's marks."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    marks = ["<pad>", "<bos>", "<end>", "<turn>", *special.values(), *more]
    made.train_from_iterator(
        [WORDS],
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=list(dict.fromkeys(marks)),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=marks[0],
        bos_token=marks[1],
        eos_token=marks[2],
        extra_special_tokens=special,
    )


def _ids(words: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(words),
        "pad_token_id": words.pad_token_id,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
    }


def gemma3(folder: Path) -> None:
    words = tokenizer({"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<soft>"})
    config = Gemma3Config(
        text_config=Gemma3TextConfig(**TEXT, **_ids(words), head_dim=16, sliding_window=64),
        vision_config=SiglipVisionConfig(**VISION, image_size=32, patch_size=8),
        mm_tokens_per_image=4,
        boi_token_index=words.convert_tokens_to_ids("<boi>"),
        eoi_token_index=words.convert_tokens_to_ids("<eoi>"),
        image_token_index=words.convert_tokens_to_ids("<soft>"),
    )
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    Gemma3Processor(
        Gemma3ImageProcessorPil(size={"height": 32, "width": 32}),
        words,
        chat_template=chat_template("<boi>"),
        image_seq_length=4,
    ).save_pretrained(folder)


def qwen2_5_vl(folder: Path) -> None:
    marks = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    words = tokenizer(marks, "<|vision_start|>", "<|vision_end|>")
    config = Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            **_ids(words),
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": 32,
            "window_size": 32,
            "fullatt_block_indexes": [0],
        },
        image_token_id=words.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=words.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=words.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=words.convert_tokens_to_ids("<|vision_end|>"),
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    pictures = Qwen2VLImageProcessorPil(
        size={"shortest_edge": 32 * 32, "longest_edge": 48 * 48}, patch_size=8
    )
    # Its processor also wants one for videos, which needs torchvision; the files are enough.
    pictures.save_pretrained(folder)
    words.chat_template = chat_template("<|vision_start|><|image_pad|><|vision_end|>")
    words.save_pretrained(folder)


def llava(folder: Path) -> None:
    words = tokenizer({"image_token": "<image>"})
    config = LlavaConfig(
        text_config=LlamaConfig(**TEXT, **_ids(words)),
        vision_config=CLIPVisionConfig(**VISION, image_size=32, patch_size=8, projection_dim=16),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        image_seq_length=16,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        LlavaImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat_template("<image>\n"),
    ).save_pretrained(folder)


def idefics3(folder: Path) -> None:
    words = tokenizer(
        {"image_token": "<image>"},
        "<fake_token_around_image>",
        "<end_of_utterance>",
        "<global-img>",
        *(f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)),
    )
    config = Idefics3Config(
        text_config=LlamaConfig(**TEXT, **_ids(words)),
        vision_config={**VISION, "image_size": 32, "patch_size": 8},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=words.pad_token_id,
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True
        ),
        words,
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    ).save_pretrained(folder)


def janus(folder: Path) -> None:
    """A Janus as others publish it: no reference and no card of ours."""
    toy_base(folder, seed=torch.initial_seed())
    words = PreTrainedTokenizerFast.from_pretrained(folder)
    JanusProcessor(
        JanusImageProcessorPil(size={"height": 32, "width": 32}, min_size=14),
        words,
        chat_template=CHAT_TEMPLATE,
        num_image_tokens=64,
    ).save_pretrained(folder)
    for name in ("reference.safetensors", "card.json"):
        (folder / name).unlink()


FAMILIES = {
    "janus": janus,
    "gemma3": gemma3,
    "qwen2_5_vl": qwen2_5_vl,
    "llava": llava,
    "idefics3": idefics3,
}


def toy_vlm(family: str, folder: Path, seed: int = 0) -> Path:
    """Write a random checkpoint of a family; another seed, another base."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    FAMILIES[family](folder)
    return folder


# Each family as a test's parameter; most of them only where long tests run.
EVERY = [
    name if name in ("gemma3", "janus") else pytest.param(name, marks=pytest.mark.long)
    for name in FAMILIES
]


def copy_of(folder: Path, home: Path) -> Path:
    """A fresh copy of a checkpoint in another folder, to be damaged."""
    target = home / folder.name
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target))
