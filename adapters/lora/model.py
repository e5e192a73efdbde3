"""A frozen Janus with a LoRA adapter on its language model, and the loss of each task.

The encoder and the picture tokeniser get no gradient: their outputs are cached. Logits are computed
only at positions with a target.
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

from adapters.adapter_recipe import ALL_LINEAR, Lora
from adapters.pretrain.language_model import weighted_mean
from assistant.backbones.janus.model import Janus
from assistant.backbones.whole import load_whole
from assistant.errors import SettingsError

IGNORE = -100
LANGUAGE = ("model.language_model.",)
HEAD = "lm_head"  # from hidden states to words
# Parts that an image adapter may change: the language model, and the layers from and to codes.
PAINTING = (*LANGUAGE, "model.generation_aligner.", "model.generation_head.")
# Parts of other model families that an adapter leaves alone: encoders, projectors, output tables.
NOT_LANGUAGE = re.compile(
    r"vision|visual|image|video|audio|vq|projector|connector|aligner|merger|resampler|perceiver"
    r"|qformer|generation|lm_head"
)


class TrainableJanus(Janus):
    """Janus for the Trainer of an adapter: its forward pass takes a batch and returns the loss."""

    accepts_loss_kwargs = False  # forward takes no `num_items_in_batch`

    def forward(self, **batch: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The loss of a batch of `adapters.lora.batches`."""
        return {"loss": self._paint_loss(**batch) if "codes" in batch else self._text_loss(**batch)}

    def _text_loss(
        self, ids, targets, features=None, branches=None, positions=None
    ) -> torch.Tensor:
        """Cross-entropy of the target tokens; features (B, P, W), ids and targets (B, L).

        Without `features` no row has a film. With `branches` (B, L), tokens attend to branch 0
        and to their own branch; `positions` (B, L) are then the tokens' positions.
        """
        embeds = self.get_input_embeddings()(ids)
        if features is not None:
            image_mask = (ids == self.config.image_token_id).unsqueeze(-1).expand_as(embeds)
            image_embeds = self.model.aligner(features.to(embeds.dtype)).to(embeds.dtype)
            embeds = embeds.masked_scatter(image_mask, image_embeds)
        hidden = self.model.language_model(
            inputs_embeds=embeds,
            attention_mask=None if branches is None else build_branch_mask(branches, embeds.dtype),
            position_ids=positions,
            use_cache=False,
        ).last_hidden_state
        is_target = targets != IGNORE  # each target stands where it is predicted
        logits = self.lm_head(hidden[is_target])
        return F.cross_entropy(logits.float(), targets[is_target])

    def _paint_loss(self, prompts, prompt_mask, codes, weights=None) -> torch.Tensor:
        """Cross-entropy of the picture's codes (B, T) after the prompt (B, L); weights (B, T)."""
        picture = self.prepare_embeddings_for_image_generation(codes[:, :-1])
        prompt_embeds = self.get_input_embeddings()(prompts)
        embeds = torch.cat([prompt_embeds, picture.to(prompt_embeds.dtype)], dim=1)
        mask = torch.cat([prompt_mask, torch.ones_like(codes[:, :-1])], dim=1)
        hidden = self.model.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            use_cache=False,
        ).last_hidden_state
        logits = self.model.generation_head(hidden[:, prompts.shape[1] - 1 :])
        losses = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten(), reduction="none")
        return weighted_mean(losses, weights)


def build_branch_mask(branches: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Build the mask to add to attention scores: (B, 1, L, L), 0 where a token may attend.

    Tokens attend to earlier tokens of branch 0 and of their own branch; padding is a branch too.
    """
    same_branch = branches[:, :, None] == branches[:, None, :]
    visible = (same_branch | (branches[:, None, :] == 0)).tril()
    mask = torch.zeros(visible.shape, dtype=dtype, device=branches.device)
    return mask.masked_fill_(~visible, torch.finfo(dtype).min).unsqueeze(1)


def load_trainable(base: Path, *, half: bool) -> TrainableJanus:
    """Load the base, in bfloat16 if `half` is set and there is a GPU, else in float32."""
    gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if half and gpu else torch.float32
    model: Any = load_whole(TrainableJanus, base, dtype=dtype)
    return model.to("cuda" if gpu else "cpu")


def find_linear_layers(model: nn.Module, parts: Sequence[str] | None = None) -> list[str]:
    """Find the names of the linear layers in the named parts; by default in the language part.

    The language part is every layer whose name does not mark it as encoder, projector or output
    table, so that it is found in every model family.
    """
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and (name.startswith(tuple(parts)) if parts else not NOT_LANGUAGE.search(name))
    ]


def add_adapter(
    model: Any, lora: Lora, layers: Iterable[str], head: str | None = None
) -> PeftModel:
    """Add a new adapter to those of `layers` that the recipe targets; all else is frozen.

    `head` names the layer that a recipe with `head = true` adapts too. Raises SettingsError for a
    target that matches no layer.
    """
    layers = list(layers)
    if lora.targets == (ALL_LINEAR,):
        chosen = set(layers)
    else:
        chosen = set()
        for target in lora.targets:
            matches = {name for name in layers if name == target or name.endswith(f".{target}")}
            if not matches:
                raise SettingsError(
                    f"The target {target!r} in section [lora] names no linear layer of the "
                    f"base's language part; name some such as {layers[0].rpartition('.')[2]!r}."
                )
            chosen |= matches
    if lora.head and head is not None:
        chosen.add(head)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=lora.dropout,
        target_modules=sorted(chosen),
    )
    with warnings.catch_warnings():
        # PEFT uses names that transformers renames, and warns of a head whose table is also the
        # one of the input: only its product is adapted, not the table.
        warnings.simplefilter("ignore")
        adapted: Any = get_peft_model(model, config)
    return adapted
