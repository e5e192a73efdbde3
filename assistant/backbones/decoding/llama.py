"""Decodes with a Llama language model token by token; each prompt is stored once.

For a small model, most of the time of transformers' `generate` is overhead. Here a step is the
model's matrix products and little else. This module knows no token ids: vectors go in, and the
last layer's hidden states come out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from assistant.backbones.adapters import Adapters, current_weight
from assistant.backbones.decoding.kv_cache import KVCache, Prefix, make_cache
from assistant.backbones.decoding.packed_linear import LinearOp, linear_op_of
from assistant.backbones.threads import one_thread
from assistant.errors import BackboneError

_PROMPT_TOKENS = 1200  # of prompts in one prefill: about what a core's cache holds
# Products of numbers up to which one thread computes a prefill, and a step for all rows.
_SMALL_PREFILL, _SMALL_STEP = 2**30, 2**24
_LARGE_MODEL = 10**8  # weights, above which only one adapter's copy is kept
_MOST_POSITIONS = 2**17  # that angles are computed for: prompts here have some thousand tokens
WeightOf = Callable[[Any], torch.Tensor]  # a linear layer's effective weight (out, in)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """The weights of one transformer layer."""

    norm: torch.Tensor
    mlp_norm: torch.Tensor
    qkv: LinearOp
    out: LinearOp
    gate_up: LinearOp
    down: LinearOp
    size: int  # numbers in its weights


class Decoder:
    """The layers of one language model, with the adapter active when it was built."""

    def __init__(self, model: Any, weight_of: WeightOf, *, exclusive: bool = False) -> None:
        """Take the weights of a LlamaModel; `weight_of` returns those of each linear layer.

        `exclusive` promises that nothing else will compute with the model: its layers are then
        emptied. Raises BackboneError where the model is not built like Llama.
        """
        config = model.config
        is_plain = not (config.attention_bias or config.mlp_bias) and config.hidden_act == "silu"
        if config.model_type != "llama" or not is_plain:
            raise BackboneError(
                f"The language model of this backbone is a {config.model_type!r} that Wetread "
                "cannot run; name a Janus whose language model is a Llama without biases."
            )
        self._heads = config.num_attention_heads
        self._groups = config.num_key_value_heads
        self._eps = config.rms_norm_eps
        self._norm = model.norm.weight
        self._layers = [_make_layer(layer, weight_of, exclusive) for layer in model.layers]
        self._head_width = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        # Rotary angles of all positions: they are the same for all layers and prompts.
        count = min(config.max_position_embeddings, _MOST_POSITIONS)
        positions = torch.arange(count, device=self._norm.device)[None]
        cos, sin = model.rotary_emb(self._norm[None, None], positions)
        half = self._head_width // 2
        self._cos, self._sin = cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)

    @property
    def max_positions(self) -> int:
        """Number of tokens that a prompt and its continuation may have together."""
        return len(self._cos)

    @property
    def size(self) -> int:
        """Number of weights in its layers."""
        return sum(layer.size for layer in self._layers)

    def check_length(self, prompt_tokens: int, max_new_tokens: int) -> None:
        """Raise BackboneError where prompt and new tokens exceed the model's positions."""
        if prompt_tokens + max_new_tokens > self.max_positions:
            raise BackboneError(
                f"A prompt of {prompt_tokens} tokens with {max_new_tokens} to follow is more than "
                f"the {self.max_positions} that the backbone can take; shorten what is asked."
            )

    def prefill(self, prompts: Sequence[torch.Tensor]) -> list[Prefix]:
        """Run prompts, each (tokens, width), through the layers; similar lengths go together."""
        self.check_length(max(len(prompt) for prompt in prompts), 1)
        prefixes: dict[int, Prefix] = {}
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        while order:
            longest = len(prompts[order[-1]])
            group = order[-max(1, _PROMPT_TOKENS // longest) :]
            del order[-len(group) :]
            with one_thread(len(group) * longest * self.size <= _SMALL_PREFILL):
                prefilled = self._prefill_layers([prompts[i] for i in group])
            prefixes |= zip(group, prefilled, strict=True)
        return [prefixes[i] for i in range(len(prompts))]

    def _prefill_layers(self, prompts: list[torch.Tensor]) -> list[Prefix]:
        # Padded on the right, so that the causal mask suffices.
        x = torch.nn.utils.rnn.pad_sequence(prompts, batch_first=True)
        rows, tokens, width = x.shape
        x = x.view(-1, width)
        ends = torch.tensor([len(prompt) for prompt in prompts], device=x.device)
        cos, sin = self._cos[:tokens, None], self._sin[:tokens, None]
        keys_and_values = []
        for layer in self._layers:
            q, k, v = self._project_qkv(layer, x, rows, cos, sin)
            keys_and_values.append((k, v))
            if layer is not self._layers[-1]:
                attention = self._attend(q, k, v, is_causal=True)
            else:  # of the last layer, only the output for each last token is used
                last = (torch.arange(rows, device=x.device), ends - 1)
                x = x.view(rows, tokens, width)[last]
                is_prompt = torch.arange(tokens, device=x.device) < ends[:, None]
                q = q.transpose(1, 2)[last][:, :, None]
                attention = self._attend(q, k, v, attn_mask=is_prompt[:, None, None])
            x = self._finish_layer(layer, x, attention.transpose(1, 2).reshape(len(x), -1))
        last_hidden = self._rms_norm(x, self._norm)
        keys, values = (torch.stack(part) for part in zip(*keys_and_values, strict=True))
        return [
            Prefix(
                keys[:, i, :, :end].contiguous(), values[:, i, :, :end].contiguous(), last_hidden[i]
            )
            for i, end in enumerate(ends.tolist())
        ]

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **mask: Any
    ) -> torch.Tensor:
        is_grouped = self._groups != self._heads
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=is_grouped, **mask)

    def step(
        self, x: torch.Tensor, positions: torch.Tensor, cache: KVCache, step: int
    ) -> torch.Tensor:
        """Run one new token a row, (rows, width), at positions (rows,) through the layers."""
        cos, sin = self._cos[positions][:, None, None], self._sin[positions][:, None, None]
        for number, layer in enumerate(self._layers):
            q, k, v = self._project_qkv(layer, x, len(x), cos, sin)
            x = self._finish_layer(layer, x, cache.attend(number, q, k, v, step))
        return self._rms_norm(x, self._norm)

    def _project_qkv(
        self, layer: _Layer, x: torch.Tensor, rows: int, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries (rows, heads, tokens, head), keys and values of x (rows * tokens, width)."""
        projected = layer.qkv(self._rms_norm(x, layer.norm))
        projected = projected.view(rows, -1, self._heads + 2 * self._groups, self._head_width)
        rotated, v = projected.split([self._heads + self._groups, self._groups], dim=2)
        rotated = torch.addcmul(rotated * cos, rotated.roll(self._head_width // 2, -1), sin)
        q, k = rotated.split([self._heads, self._groups], dim=2)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def _finish_layer(
        self, layer: _Layer, x: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """The rest of a layer after its attention, from x and the attention (N, width)."""
        x = x + layer.out(attention)
        gate, up = layer.gate_up(self._rms_norm(x, layer.mlp_norm)).chunk(2, dim=-1)
        return x + layer.down(F.silu(gate) * up)

    def _rms_norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        # Equals `F.rms_norm`, which on a CPU takes twice the time for a few rows.
        x_float32 = x.float()
        mean = x_float32.square().mean(dim=-1, keepdim=True)
        return (x_float32 * mean.add_(self._eps).rsqrt_()).to(x.dtype) * weight


def _make_layer(layer: Any, weight_of: WeightOf, exclusive: bool) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    linears = {
        "qkv": (attention.q_proj, attention.k_proj, attention.v_proj),
        "out": (attention.o_proj,),
        "gate_up": (mlp.gate_proj, mlp.up_proj),
        "down": (mlp.down_proj,),
    }
    weights = {name: [weight_of(linear) for linear in group] for name, group in linears.items()}
    size = sum(weight.numel() for group in weights.values() for weight in group)
    ops = {name: linear_op_of(group, exclusive=exclusive) for name, group in weights.items()}
    norms = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
    return _Layer(*norms, **ops, size=size)


class Decoders:
    """The decoders of a model and its adapters, each built when it is first needed."""

    def __init__(self, model: Any, adapters: Adapters) -> None:
        self._model = model
        self._adapters = adapters
        self._decoders: dict[str | None, Decoder] = {}

    def decoder_for(self, task: str | None) -> Decoder:
        """The decoder of a task's adapter, or of the base alone; BackboneError without one."""
        if task not in self._decoders:
            with torch.inference_mode(False), torch.no_grad(), self._adapters.switched_to(task):
                decoder = Decoder(self._model, current_weight, exclusive=not self._adapters.tasks)
            # A decoder with an adapter copies the layers: of a large model only one is kept.
            if decoder.size > _LARGE_MODEL:
                self._decoders = {k: d for k, d in self._decoders.items() if k is None}
            self._decoders[task] = decoder
        return self._decoders[task]


class DecodingBatch:
    """Rows of texts or pictures that continue prompts; one step is one token a row.

    The rows are numbered prompt by prompt: row p * rows_per_prompt + s is sample s of prompt p.
    """

    def __init__(
        self,
        decoder: Decoder,
        prefixes: Sequence[Prefix],
        rows_per_prompt: int,
        max_new_tokens: int,
    ) -> None:
        """Allocate `max_new_tokens` a row; BackboneError where the model has too few positions."""
        decoder.check_length(max(prefix.tokens for prefix in prefixes), max_new_tokens)
        self._decoder, self._rows_per_prompt = decoder, rows_per_prompt
        self._cache = make_cache(prefixes, rows_per_prompt, max_new_tokens)
        self.last_hidden = torch.stack([p.last_hidden for p in prefixes]).repeat_interleave(
            rows_per_prompt, dim=0
        )
        lengths = torch.tensor(
            [prefix.tokens for prefix in prefixes], device=self.last_hidden.device
        )
        self._positions = lengths.repeat_interleave(rows_per_prompt)
        self._steps = 0
        self.is_small = len(self._positions) * decoder.size <= _SMALL_STEP

    def step(self, x: torch.Tensor) -> torch.Tensor:
        """The last layer's output for each row's next token; x and the result (rows, width)."""
        hidden = self._decoder.step(x, self._positions, self._cache, self._steps)
        self._positions = self._positions + 1
        self._steps += 1
        return hidden

    def keep_rows(self, prompts: Sequence[int], samples: Sequence[Sequence[int]]) -> None:
        """Keep only these prompts, and of each these samples, equally many, by their numbers."""
        rows = [
            p * self._rows_per_prompt + sample
            for p, numbers in zip(prompts, samples, strict=True)
            for sample in numbers
        ]
        self._cache.keep_rows(prompts, rows, self._steps)
        self._positions, self._rows_per_prompt = self._positions[rows], len(samples[0])
