"""The keys and values of prompts and of what goes on from them, and the attention over both.

Two ways with one surface: rows that go on alone hold prompt and own tokens in one place, which is
the fastest to attend to; rows that share a prompt all read the one copy of it, so that several
drafts of a film cost the memory, and the reading, of one. The latter is the attention of Juravsky
et al., *Hydragen* (2024), but for the softmax, which is taken over both parts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional as F


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A prompt as the layers keep it."""

    keys: torch.Tensor  # (layers, groups, tokens, head), turned to their positions
    values: torch.Tensor  # the same shape
    last: torch.Tensor  # (width,), what the last layer made of the last token

    @property
    def tokens(self) -> int:
        """Length of the prompt."""
        return self.keys.shape[2]


class KVCache(Protocol):
    """What rows see: the keys and values of their prompts and of their own tokens so far."""

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, done: int
    ) -> torch.Tensor:
        """Keep keys and values (rows, groups, 1, head) as each row's token number `done`.

        Gives what queries (rows, heads, 1, head) find in all up to it: (rows, heads * head).
        """
        ...

    def keep_rows(self, prompts: Sequence[int], rows: Sequence[int], done: int) -> None:
        """Go on with some prompts and rows only, as many rows of each prompt, in this order."""
        ...


def make_cache(prefixes: Sequence[Prefix], draws: int, room: int) -> KVCache:
    """Room for so many tokens a row after prompts, `draws` rows of each."""
    return (
        PlainKVCache(prefixes, room) if draws == 1 else SharedPrefixKVCache(prefixes, draws, room)
    )


class PlainKVCache:
    """One row a prompt."""

    def __init__(self, prefixes: Sequence[Prefix], room: int) -> None:
        self._prompt = max(prefix.tokens for prefix in prefixes)
        self._keys = _layers([p.keys for p in prefixes], self._prompt, room)
        self._values = _layers([p.values for p in prefixes], self._prompt, room)
        self._mask = None
        if any(prefix.tokens < self._prompt for prefix in prefixes):
            unseen = _unseen(prefixes, self._keys[0])
            self._mask = F.pad(unseen, (0, room))[:, None, None]

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, done: int
    ) -> torch.Tensor:
        """See `PartStore.see`."""
        at, keys, values = self._prompt + done, self._keys[layer], self._values[layer]
        keys[:, :, at : at + 1], values[:, :, at : at + 1] = k, v
        keys, values = keys[:, :, : at + 1], values[:, :, : at + 1]
        mask = None if self._mask is None else self._mask[..., : at + 1]
        if q.dtype == torch.bfloat16 and not q.is_cuda:  # which torch attends to slowly there
            return _attend(q, keys, values, mask)
        shared = q.shape[1] != keys.shape[1]
        seen = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask, enable_gqa=shared)
        return seen.view(len(q), -1)

    def keep_rows(self, prompts: Sequence[int], rows: Sequence[int], done: int) -> None:
        """See `PartStore.keep`."""
        far = self._prompt + done
        self._keys = [_first(keys, rows, far) for keys in self._keys]
        self._values = [_first(values, rows, far) for values in self._values]
        self._mask = None if self._mask is None else self._mask[list(rows)]


class SharedPrefixKVCache:
    """Several rows a prompt, which is kept once."""

    def __init__(self, prefixes: Sequence[Prefix], draws: int, room: int) -> None:
        longest = max(prefix.tokens for prefix in prefixes)
        self._prompts = len(prefixes)
        self._keys = _layers([p.keys for p in prefixes], longest)
        self._values = _layers([p.values for p in prefixes], longest)
        like = self._keys[0]
        own = (self._prompts * draws, like.shape[1], room, like.shape[3])
        self._own_keys = [like.new_empty(own) for _ in self._keys]
        self._own_values = [like.new_empty(own) for _ in self._keys]
        self._mask = _unseen(prefixes, like)[:, None, None]

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, done: int
    ) -> torch.Tensor:
        """See `PartStore.see`."""
        keys, values = self._keys[layer], self._values[layer]
        own_keys, own_values = self._own_keys[layer], self._own_values[layer]
        own_keys[:, :, done : done + 1], own_values[:, :, done : done + 1] = k, v
        own_keys, own_values = own_keys[:, :, : done + 1], own_values[:, :, : done + 1]
        rows, groups, head = len(q), keys.shape[1], q.shape[3]
        q = q.reshape(rows, groups, -1, head) * head**-0.5  # those of a group share their keys
        there = self._by_prompt(q) @ keys.transpose(2, 3) + self._mask
        here = q @ own_keys.transpose(2, 3)
        both = torch.cat([self._by_row(there, rows), here], dim=-1)
        weights = both.softmax(dim=-1, dtype=torch.float32).to(q.dtype)
        there, here = weights.split([keys.shape[2], done + 1], dim=-1)
        seen = self._by_row(self._by_prompt(there) @ values, rows) + here @ own_values
        return seen.reshape(rows, -1)

    def _by_prompt(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, groups, share, n) as (prompts, groups, rows of it * share, n)."""
        _, groups, _, n = x.shape
        return (
            x.view(self._prompts, -1, groups, x.shape[2], n)
            .transpose(1, 2)
            .reshape(self._prompts, groups, -1, n)
        )

    def _by_row(self, x: torch.Tensor, rows: int) -> torch.Tensor:
        """The other way."""
        _, groups, _, n = x.shape
        draws = rows // self._prompts
        return (
            x.view(self._prompts, groups, draws, -1, n).transpose(1, 2).reshape(rows, groups, -1, n)
        )

    def keep_rows(self, prompts: Sequence[int], rows: Sequence[int], done: int) -> None:
        """See `PartStore.keep`."""
        if len(prompts) < self._prompts:
            far = self._keys[0].shape[2]
            self._keys = [_first(keys, prompts, far) for keys in self._keys]
            self._values = [_first(values, prompts, far) for values in self._values]
            self._mask, self._prompts = self._mask[list(prompts)], len(prompts)
        self._own_keys = [_first(keys, rows, done) for keys in self._own_keys]
        self._own_values = [_first(values, rows, done) for values in self._own_values]


def _attend(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """What queries (rows, heads, 1, head) find, in float32 throughout: (rows, heads * head)."""
    rows, groups, _, head = keys.shape
    scores = (q.reshape(rows, groups, -1, head).float() * head**-0.5) @ keys.float().transpose(2, 3)
    if mask is not None:
        scores = scores + mask
    seen = scores.softmax(dim=-1) @ values.float()
    return seen.to(q.dtype).reshape(rows, -1)


def _layers(kept: Sequence[torch.Tensor], longest: int, room: int = 0) -> list[torch.Tensor]:
    """Keys or values of prompts, layer by layer: (prompts, groups, longest + room, head)."""
    layers, groups, _, head = kept[0].shape
    made = [kept[0].new_empty((len(kept), groups, longest + room, head)) for _ in range(layers)]
    for number, one in enumerate(kept):
        tokens = one.shape[2]
        for layer, whole in enumerate(made):
            whole[number, :, :tokens] = one[layer]
            whole[number, :, tokens:longest] = 0  # weighed by nothing, it must be a number yet
    return made


def _unseen(prefixes: Sequence[Prefix], like: torch.Tensor) -> torch.Tensor:
    """What is added to the scores of prompts, (prompts, tokens): nothing is seen of the padding."""
    lengths = torch.tensor([prefix.tokens for prefix in prefixes], device=like.device)
    longest = max(prefix.tokens for prefix in prefixes)
    beyond = torch.arange(longest, device=like.device) >= lengths[:, None]
    return like.new_zeros(beyond.shape).masked_fill(beyond, float("-inf"))


def _first(kept: torch.Tensor, rows: Sequence[int], tokens: int) -> torch.Tensor:
    """Some rows of (rows, groups, room, head), of which only the first tokens are set.

    They take the first places of the same memory: a row that is there already is not copied.
    """
    to = [place for place, row in enumerate(rows) if row != place]
    if to:
        kept[to, :, :tokens] = kept[[rows[place] for place in to], :, :tokens]
    return kept[: len(rows)]
