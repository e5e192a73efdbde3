"""A Llama language model that goes on from prompts token by token, each prompt kept once.

What `generate` of transformers spends on a small model is mostly not the model. Here a step is
its products and little else. It knows no tokens: vectors go in, and what the last layer makes of
them comes out.
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
from assistant.errors import BackboneError

_PROMPT_TOKENS = 1200  # of prompts that are read together: about what a core's cache holds
_LARGE = 10**8  # weights of a model of which no more copies are kept than needed
WeightOf = Callable[[Any], torch.Tensor]  # a linear layer's effective weight (out, in)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    norm: torch.Tensor
    mlp_norm: torch.Tensor
    qkv: LinearOp
    out: LinearOp
    gate_up: LinearOp
    down: LinearOp
    size: int  # numbers in its weights


class Decoder:
    """The layers of one language model, with the adapter that they had when it was made."""

    def __init__(self, model: Any, weight_of: WeightOf, *, alone: bool = False) -> None:
        """Take the weights of a LlamaModel, as `weight_of` gives each linear layer's.

        `alone` says that nothing else will compute with the model: its layers are then gone.
        Raises BackboneError where the model is not built as Llama is.
        """
        config = model.config
        plain = not (config.attention_bias or config.mlp_bias) and config.hidden_act == "silu"
        if config.model_type != "llama" or not plain:
            raise BackboneError(
                f"The language model of this backbone is a {config.model_type!r} that Wetread "
                "cannot run; name a Janus whose language model is a Llama without biases."
            )
        self._heads = config.num_attention_heads
        self._groups = config.num_key_value_heads
        self._eps = config.rms_norm_eps
        self._norm = model.norm.weight
        self._layers = [_layer(layer, weight_of, alone) for layer in model.layers]
        self._head = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        # Angles for every position there is: they are the same for all layers and prompts.
        at = torch.arange(config.max_position_embeddings, device=self._norm.device)[None]
        cos, sin = model.rotary_emb(self._norm[None, None], at)
        half = self._head // 2
        self._cos, self._sin = cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)

    @property
    def positions(self) -> int:
        """Tokens that a prompt and what follows may have together."""
        return len(self._cos)

    @property
    def size(self) -> int:
        """Numbers in its layers' weights."""
        return sum(layer.size for layer in self._layers)

    def fit(self, prompt: int, room: int) -> None:
        """Raise BackboneError where a prompt and what follows are more tokens than it can take."""
        if prompt + room > self.positions:
            raise BackboneError(
                f"A prompt of {prompt} tokens with {room} to follow is more than the "
                f"{self.positions} that the backbone can take; shorten what is asked."
            )

    def prefill(self, prompts: Sequence[torch.Tensor]) -> list[Prefix]:
        """Each prompt, (tokens, width), as the layers keep it; those of like length together."""
        self.fit(max(len(prompt) for prompt in prompts), 1)
        prefixes: dict[int, Prefix] = {}
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        while order:
            longest = len(prompts[order[-1]])
            some = order[-max(1, _PROMPT_TOKENS // longest) :]
            del order[-len(some) :]
            prefixes |= zip(some, self._prefill_layers([prompts[i] for i in some]), strict=True)
        return [prefixes[i] for i in range(len(prompts))]

    def _prefill_layers(self, prompts: list[torch.Tensor]) -> list[Prefix]:
        # Padded on the right, so that a causal mask is all the mask that is needed.
        x = torch.nn.utils.rnn.pad_sequence(prompts, batch_first=True)
        rows, tokens, width = x.shape
        x = x.view(-1, width)
        ends = torch.tensor([len(prompt) for prompt in prompts], device=x.device)
        cos, sin = self._cos[:tokens, None], self._sin[:tokens, None]
        kept = []
        for layer in self._layers:
            q, k, v = self._qkv(layer, x, rows, cos, sin)
            kept.append((k, v))
            if layer is not self._layers[-1]:
                seen = self._attend(q, k, v, is_causal=True)
            else:  # of what it makes, only that of each last token is ever used
                last = (torch.arange(rows, device=x.device), ends - 1)
                x = x.view(rows, tokens, width)[last]
                known = torch.arange(tokens, device=x.device) < ends[:, None]
                q = q.transpose(1, 2)[last][:, :, None]
                seen = self._attend(q, k, v, attn_mask=known[:, None, None])
            x = self._after(layer, x, seen.transpose(1, 2).reshape(len(x), -1))
        made = self._normed(x, self._norm)
        keys, values = (torch.stack(part) for part in zip(*kept, strict=True))
        return [
            Prefix(keys[:, i, :, :end].contiguous(), values[:, i, :, :end].contiguous(), made[i])
            for i, end in enumerate(ends.tolist())
        ]

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **mask: Any
    ) -> torch.Tensor:
        shared = self._groups != self._heads
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=shared, **mask)

    def step(self, x: torch.Tensor, at: torch.Tensor, kept: KVCache, done: int) -> torch.Tensor:
        """What the layers make of one token a row, (rows, width), at positions (rows,)."""
        cos, sin = self._cos[at][:, None, None], self._sin[at][:, None, None]
        for number, layer in enumerate(self._layers):
            q, k, v = self._qkv(layer, x, len(x), cos, sin)
            x = self._after(layer, x, kept.attend(number, q, k, v, done))
        return self._normed(x, self._norm)

    def _qkv(
        self, layer: _Layer, x: torch.Tensor, rows: int, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries (rows, heads, tokens, head), keys and values of x (rows * tokens, width)."""
        made = layer.qkv(self._normed(x, layer.norm))
        made = made.view(rows, -1, self._heads + 2 * self._groups, self._head)
        turned, v = made.split([self._heads + self._groups, self._groups], dim=2)
        turned = torch.addcmul(turned * cos, turned.roll(self._head // 2, -1), sin)
        q, k = turned.split([self._heads, self._groups], dim=2)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def _after(self, layer: _Layer, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What follows the attention in a layer, of x and seen (N, width)."""
        x = x + layer.out(seen)
        gate, up = layer.gate_up(self._normed(x, layer.mlp_norm)).chunk(2, dim=-1)
        return x + layer.down(F.silu(gate) * up)

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        # As `F.rms_norm`, which on a CPU takes twice the time for a few rows.
        wide = x.float()
        mean = wide.square().mean(dim=-1, keepdim=True)
        return (wide * mean.add_(self._eps).rsqrt_()).to(x.dtype) * weight


def _layer(layer: Any, weight_of: WeightOf, alone: bool) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    linears = {
        "qkv": (attention.q_proj, attention.k_proj, attention.v_proj),
        "out": (attention.o_proj,),
        "gate_up": (mlp.gate_proj, mlp.up_proj),
        "down": (mlp.down_proj,),
    }
    weights = {name: [weight_of(linear) for linear in some] for name, some in linears.items()}
    size = sum(weight.numel() for some in weights.values() for weight in some)
    products = {name: linear_op_of(some, alone=alone) for name, some in weights.items()}
    norms = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
    return _Layer(*norms, **products, size=size)


class Decoders:
    """The decoders of a model with its adapters, each made when it is first needed."""

    def __init__(self, model: Any, adapters: Adapters) -> None:
        self._model = model
        self._adapters = adapters
        self._made: dict[str | None, Decoder] = {}

    def decoder_for(self, task: str | None) -> Decoder:
        """That of a task's adapter, or of the base alone; BackboneError where there is none."""
        if task not in self._made:
            with torch.inference_mode(False), torch.no_grad(), self._adapters.switched_to(task):
                made = Decoder(self._model, current_weight, alone=not self._adapters.tasks)
            if made.size > _LARGE:  # its layers with an adapter are a copy: only one is kept
                self._made = {t: d for t, d in self._made.items() if t is None}
            self._made[task] = made
        return self._made[task]


class DecodingBatch:
    """Texts or pictures that go on from prompts, `draws` from each; one step is a token a row.

    The rows are numbered prompt by prompt: row p * draws + d is the d-th from prompt p.
    """

    def __init__(self, decoder: Decoder, prefixes: Sequence[Prefix], draws: int, room: int) -> None:
        """Make room for so many tokens a row; BackboneError where the model has no such places."""
        decoder.fit(max(prefix.tokens for prefix in prefixes), room)
        self._decoder, self._draws = decoder, draws
        self._kept = make_cache(prefixes, draws, room)
        self.last = torch.stack([p.last for p in prefixes]).repeat_interleave(draws, dim=0)
        lengths = torch.tensor([prefix.tokens for prefix in prefixes], device=self.last.device)
        self._positions = lengths.repeat_interleave(draws)
        self._done = 0

    def step(self, x: torch.Tensor) -> torch.Tensor:
        """What the last layer makes of each row's next token; x and the result (rows, width)."""
        made = self._decoder.step(x, self._positions, self._kept, self._done)
        self._positions = self._positions + 1
        self._done += 1
        return made

    def keep_rows(self, prompts: Sequence[int], draws: Sequence[Sequence[int]]) -> None:
        """Go on with some prompts only, and as many draws of each, named by their numbers."""
        rows = [p * self._draws + d for p, some in zip(prompts, draws, strict=True) for d in some]
        self._kept.keep_rows(prompts, rows, self._done)
        self._positions, self._draws = self._positions[rows], len(draws[0])
