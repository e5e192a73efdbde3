"""A frozen Janus with a LoRA adapter on its language model, and the loss of each task.

The encoder and the picture tokeniser see no gradient: what they say of a film is a given. Logits
are computed only where there is something to learn.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from torch.nn import functional as F
from transformers import JanusForConditionalGeneration

from adapters.adapter_recipe import ALL_LINEAR, Lora
from adapters.pretrain.language_model import weighted
from assistant.errors import SettingsError

IGNORE = -100
LANGUAGE = ("model.language_model.",)
# What an image adapter may change beside the language model: from codes and to codes.
PAINTING = (*LANGUAGE, "model.generation_aligner.", "model.generation_head.")
# Parts of other families' models that an adapter leaves alone: eyes, bridges, and the last table.
APART = re.compile(
    r"vision|visual|image|video|audio|vq|projector|connector|aligner|merger|resampler|perceiver"
    r"|qformer|generation|lm_head"
)


class TrainableJanus(JanusForConditionalGeneration):
    """Janus as an adapter's Trainer sees it: a batch goes in, its loss comes out."""

    accepts_loss_kwargs = False  # it knows no number of items in a larger batch

    def forward(self, **batch: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The loss of a batch of `adapters.lora.batches`."""
        return {"loss": self._paint_loss(**batch) if "codes" in batch else self._loss(**batch)}

    def _loss(self, features, ids, targets, branches=None, places=None) -> torch.Tensor:
        """Cross-entropy of the told tokens; features (B, P, W), ids and targets (B, L).

        Where `branches` (B, L) are given, branch 0 is seen by all and any other by itself
        alone; `places` (B, L) are then the positions of the tokens.
        """
        embeds = self.get_input_embeddings()(ids)
        place = (ids == self.config.image_token_id).unsqueeze(-1).expand_as(embeds)
        seen = self.model.aligner(features.to(embeds.dtype)).to(embeds.dtype)
        hidden = self.model.language_model(
            inputs_embeds=embeds.masked_scatter(place, seen),
            attention_mask=None if branches is None else branch_mask(branches, embeds.dtype),
            position_ids=places,
            use_cache=False,
        ).last_hidden_state
        told = targets != IGNORE  # targets stand where they are to be foretold
        logits = self.lm_head(hidden[told])
        return F.cross_entropy(logits.float(), targets[told])

    def _paint_loss(self, wishes, wish_mask, codes, weights=None) -> torch.Tensor:
        """Cross-entropy of the picture's codes (B, T) after the wish (B, L); weights (B, T)."""
        picture = self.prepare_embeddings_for_image_generation(codes[:, :-1])
        words = self.get_input_embeddings()(wishes)
        embeds = torch.cat([words, picture.to(words.dtype)], dim=1)
        mask = torch.cat([wish_mask, torch.ones_like(codes[:, :-1])], dim=1)
        hidden = self.model.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            use_cache=False,
        ).last_hidden_state
        logits = self.model.generation_head(hidden[:, wishes.shape[1] - 1 :])
        each = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten(), reduction="none")
        return weighted(each, weights)


def branch_mask(branches: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What to add to attention scores: (B, 1, L, L), 0 where a token may look.

    Tokens look back at branch 0 and at their own branch; padding is a branch of its own.
    """
    own = branches[:, :, None] == branches[:, None, :]
    may = (own | (branches[:, None, :] == 0)).tril()
    shut = torch.zeros(may.shape, dtype=dtype, device=branches.device)
    return shut.masked_fill_(~may, torch.finfo(dtype).min).unsqueeze(1)


def load_trainable(base: Path, *, half: bool) -> TrainableJanus:
    """The base's weights, in bfloat16 where `half` and there is a GPU, else in float32."""
    gpu = torch.cuda.is_available()
    pupil: Any = TrainableJanus.from_pretrained(
        base, dtype=torch.bfloat16 if half and gpu else torch.float32, local_files_only=True
    )
    return pupil.to("cuda" if gpu else "cpu")


def linear_layers(model: nn.Module, parts: Sequence[str] | None = None) -> list[str]:
    """Names of the linear layers in the named parts; by default in the language part.

    The language part is what no name on the way sets apart as eyes, bridge or output table, so
    that it is found in every family of models.
    """
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and (name.startswith(tuple(parts)) if parts else not APART.search(name))
    ]


def with_adapter(model: Any, lora: Lora, layers: Iterable[str]) -> PeftModel:
    """The model with a new adapter on those of the layers that the recipe targets.

    Everything else is frozen. Raises SettingsError for a target that no layer has.
    """
    layers = list(layers)
    if lora.targets == (ALL_LINEAR,):
        chosen = set(layers)
    else:
        chosen = set()
        for target in lora.targets:
            hit = {name for name in layers if name == target or name.endswith(f".{target}")}
            if not hit:
                raise SettingsError(
                    f"The target {target!r} in section [lora] names no linear layer of the "
                    f"base's language part; name some such as {layers[0].rpartition('.')[2]!r}."
                )
            chosen |= hit
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=lora.dropout,
        target_modules=sorted(chosen),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT uses names that transformers renames
        adapted: Any = get_peft_model(model, config)
    return adapted
