"""Caches the keys and values of prompts and of the tokens that continue them, and attends to both.

There are two caches with one interface. Where each prompt has one row, prompt and new tokens lie in
one tensor, which is the fastest to attend to. Where several rows share a prompt, they all read one
copy of it, so that several drafts of a film cost the memory and the prefill of one. The latter is
the attention of Juravsky et al., *Hydragen* (2024), except that the softmax is taken over both
parts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional as F


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A prompt after prefill: its keys and values in every layer."""

    keys: torch.Tensor  # (layers, groups, tokens, head), with rotary positions applied
    values: torch.Tensor  # the same shape
    last_hidden: torch.Tensor  # (width,), the last layer's output for the last token

    @property
    def tokens(self) -> int:
        """Length of the prompt."""
        return self.keys.shape[2]


class KVCache(Protocol):
    """Keys and values of rows: those of their prompts and of their own tokens so far."""

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Store keys and values (rows, groups, 1, head) of each row's new token number `step`.

        Returns the attention of queries (rows, heads, 1, head) over all tokens up to it, as
        (rows, heads * head).
        """
        ...

    def keep_rows(self, prompts: Sequence[int], rows: Sequence[int], steps: int) -> None:
        """Keep only these prompts and rows, in this order, with equally many rows of each prompt.

        `steps` is the number of new tokens that each row has so far.
        """
        ...


def make_cache(prefixes: Sequence[Prefix], rows_per_prompt: int, max_new_tokens: int) -> KVCache:
    """Make a cache of `rows_per_prompt` rows a prompt, each with room for `max_new_tokens`."""
    return (
        PlainKVCache(prefixes, max_new_tokens)
        if rows_per_prompt == 1
        else SharedPrefixKVCache(prefixes, rows_per_prompt, max_new_tokens)
    )


class PlainKVCache:
    """A cache with one row a prompt."""

    def __init__(self, prefixes: Sequence[Prefix], max_new_tokens: int) -> None:
        self._prompt_tokens = max(prefix.tokens for prefix in prefixes)
        self._keys = _allocate_layers(
            [p.keys for p in prefixes], self._prompt_tokens, max_new_tokens
        )
        self._values = _allocate_layers(
            [p.values for p in prefixes], self._prompt_tokens, max_new_tokens
        )
        self._mask = None
        if any(prefix.tokens < self._prompt_tokens for prefix in prefixes):
            padding_mask = _padding_mask(prefixes, self._keys[0])
            self._mask = F.pad(padding_mask, (0, max_new_tokens))[:, None, None]

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, step: int
    ) -> torch.Tensor:
        """See `KVCache.attend`."""
        position, keys, values = self._prompt_tokens + step, self._keys[layer], self._values[layer]
        keys[:, :, position : position + 1], values[:, :, position : position + 1] = k, v
        keys, values = keys[:, :, : position + 1], values[:, :, : position + 1]
        mask = None if self._mask is None else self._mask[..., : position + 1]
        if q.dtype == torch.bfloat16 and not q.is_cuda:  # torch's own attention is slow there
            return _attend_in_float32(q, keys, values, mask)
        is_grouped = q.shape[1] != keys.shape[1]
        output = F.scaled_dot_product_attention(
            q, keys, values, attn_mask=mask, enable_gqa=is_grouped
        )
        return output.view(len(q), -1)

    def keep_rows(self, prompts: Sequence[int], rows: Sequence[int], steps: int) -> None:
        """See `KVCache.keep_rows`."""
        tokens = self._prompt_tokens + steps
        self._keys = [_keep_first(keys, rows, tokens) for keys in self._keys]
        self._values = [_keep_first(values, rows, tokens) for values in self._values]
        self._mask = None if self._mask is None else self._mask[list(rows)]


class SharedPrefixKVCache:
    """A cache with several rows a prompt, which is stored once."""

    def __init__(
        self, prefixes: Sequence[Prefix], rows_per_prompt: int, max_new_tokens: int
    ) -> None:
        longest = max(prefix.tokens for prefix in prefixes)
        self._prompt_count = len(prefixes)
        self._keys = _allocate_layers([p.keys for p in prefixes], longest)
        self._values = _allocate_layers([p.values for p in prefixes], longest)
        template = self._keys[0]
        own_shape = (
            self._prompt_count * rows_per_prompt,
            template.shape[1],
            max_new_tokens,
            template.shape[3],
        )
        self._own_keys = [template.new_empty(own_shape) for _ in self._keys]
        self._own_values = [template.new_empty(own_shape) for _ in self._keys]
        self._mask = _padding_mask(prefixes, template)[:, None, None]

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, step: int
    ) -> torch.Tensor:
        """See `KVCache.attend`."""
        keys, values = self._keys[layer], self._values[layer]
        own_keys, own_values = self._own_keys[layer], self._own_values[layer]
        own_keys[:, :, step : step + 1], own_values[:, :, step : step + 1] = k, v
        own_keys, own_values = own_keys[:, :, : step + 1], own_values[:, :, : step + 1]
        rows, groups, head = len(q), keys.shape[1], q.shape[3]
        q = q.reshape(rows, groups, -1, head) * head**-0.5  # the heads of a group share their keys
        prompt_scores = self._group_by_prompt(q) @ keys.transpose(2, 3) + self._mask
        own_scores = q @ own_keys.transpose(2, 3)
        scores = torch.cat([self._ungroup(prompt_scores, rows), own_scores], dim=-1)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(q.dtype)
        prompt_weights, own_weights = weights.split([keys.shape[2], step + 1], dim=-1)
        output = (
            self._ungroup(self._group_by_prompt(prompt_weights) @ values, rows)
            + own_weights @ own_values
        )
        return output.reshape(rows, -1)

    def _group_by_prompt(self, x: torch.Tensor) -> torch.Tensor:
        """From (rows, groups, share, n) to (prompts, groups, rows_per_prompt * share, n)."""
        _, groups, _, n = x.shape
        return (
            x.view(self._prompt_count, -1, groups, x.shape[2], n)
            .transpose(1, 2)
            .reshape(self._prompt_count, groups, -1, n)
        )

    def _ungroup(self, x: torch.Tensor, rows: int) -> torch.Tensor:
        """From (prompts, groups, rows_per_prompt * share, n) to (rows, groups, share, n)."""
        _, groups, _, n = x.shape
        rows_per_prompt = rows // self._prompt_count
        return (
            x.view(self._prompt_count, groups, rows_per_prompt, -1, n)
            .transpose(1, 2)
            .reshape(rows, groups, -1, n)
        )

    def keep_rows(self, prompts: Sequence[int], rows: Sequence[int], steps: int) -> None:
        """See `KVCache.keep_rows`."""
        if len(prompts) < self._prompt_count:
            tokens = self._keys[0].shape[2]
            self._keys = [_keep_first(keys, prompts, tokens) for keys in self._keys]
            self._values = [_keep_first(values, prompts, tokens) for values in self._values]
            self._mask, self._prompt_count = self._mask[list(prompts)], len(prompts)
        self._own_keys = [_keep_first(keys, rows, steps) for keys in self._own_keys]
        self._own_values = [_keep_first(values, rows, steps) for values in self._own_values]


def _attend_in_float32(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Attention of queries (rows, heads, 1, head), in float32 throughout: (rows, heads * head)."""
    rows, groups, _, head = keys.shape
    scores = (q.reshape(rows, groups, -1, head).float() * head**-0.5) @ keys.float().transpose(2, 3)
    if mask is not None:
        scores = scores + mask
    output = scores.softmax(dim=-1) @ values.float()
    return output.to(q.dtype).reshape(rows, -1)


def _allocate_layers(
    tensors: Sequence[torch.Tensor], longest: int, max_new_tokens: int = 0
) -> list[torch.Tensor]:
    """Keys or values of prompts, a tensor a layer: (prompts, groups, longest + new, head)."""
    layers, groups, _, head = tensors[0].shape
    caches = [
        tensors[0].new_empty((len(tensors), groups, longest + max_new_tokens, head))
        for _ in range(layers)
    ]
    for number, tensor in enumerate(tensors):
        tokens = tensor.shape[2]
        for layer, cache in enumerate(caches):
            cache[number, :, :tokens] = tensor[layer]
            cache[number, :, tokens:longest] = 0  # its weight is 0, but it must be a finite number
    return caches


def _padding_mask(prefixes: Sequence[Prefix], template: torch.Tensor) -> torch.Tensor:
    """A mask (prompts, tokens) to add to attention scores: -inf at the padding, else 0."""
    lengths = torch.tensor([prefix.tokens for prefix in prefixes], device=template.device)
    longest = max(prefix.tokens for prefix in prefixes)
    is_padding = torch.arange(longest, device=template.device) >= lengths[:, None]
    return template.new_zeros(is_padding.shape).masked_fill(is_padding, float("-inf"))


def _keep_first(cache: torch.Tensor, rows: Sequence[int], tokens: int) -> torch.Tensor:
    """Keep these rows of (rows, groups, tokens, head), of which only the first `tokens` are set.

    They move to the first rows of the same memory; a row that is in its place is not copied.
    """
    targets = [place for place, row in enumerate(rows) if row != place]
    if targets:
        cache[targets, :, :tokens] = cache[[rows[place] for place in targets], :, :tokens]
    return cache[: len(rows)]
