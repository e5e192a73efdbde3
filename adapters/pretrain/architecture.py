"""The mini backbone before training: its configuration, tokenizer and initial weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    JanusConfig,
    JanusVisionConfig,
    JanusVQVAEConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

from adapters.backbone_recipe import VISION_HEADS, Model
from assistant.backbones.janus.film_encoder import TRUNK
from assistant.backbones.janus.model import Janus
from assistant.prompts import CHAT_TEMPLATE

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
IMAGE, IMAGE_START, IMAGE_END = "<image_placeholder>", "<begin_of_image>", "<end_of_image>"
SPECIAL = (PAD, BOS, EOS, IMAGE, IMAGE_START, IMAGE_END, "<|User|>:", "<|Assistant|>:")


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on the reports; it can encode any text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
        extra_special_tokens={
            "image_token": IMAGE,
            "boi_token": IMAGE_START,
            "eoi_token": IMAGE_END,
        },
    )


def build_config(model: Model, tokenizer: Any, trunk: str = TRUNK) -> JanusConfig:
    """Build the configuration of a Janus of the recipe's size.

    Without a `trunk` its encoder is a vision transformer of one layer.
    """
    levels = (model.painting_size // model.grid).bit_length()
    return JanusConfig(
        vision_config=JanusVisionConfig(
            hidden_size=model.vision_width,
            num_hidden_layers=1,
            num_attention_heads=VISION_HEADS,
            image_size=model.image_size,
            patch_size=model.patch_size,
            projection_dim=model.text_width,
            num_image_tokens=model.grid**2,
            **({"trunk": trunk, "views": 1} if trunk else {}),
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=model.text_width,
            intermediate_size=int(model.text_width * 8 / 3) // 32 * 32,
            num_hidden_layers=model.text_layers,
            num_attention_heads=model.text_heads,
            num_key_value_heads=model.text_heads,
            max_position_embeddings=1024,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        ),
        vq_config=JanusVQVAEConfig(
            embed_dim=model.code_width,
            num_embeddings=model.codebook,
            latent_channels=4 * model.painter_channels,
            base_channels=model.painter_channels,
            channel_multiplier=[1, 2, 2, 4, 4][:levels],
            num_res_blocks=1,
            projection_dim=model.text_width,
            image_token_embed_dim=model.text_width,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        tie_word_embeddings=True,
    )


def build_model(model: Model, tokenizer: PreTrainedTokenizerFast, trunk: str = TRUNK) -> Janus:
    """Build the untrained model; the same torch seed gives the same weights."""
    return Janus(build_config(model, tokenizer, trunk))
