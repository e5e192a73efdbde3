"""What the flow learns from: latents of all films, and examples that point into them.

An example is a target, perhaps a film to start from, and a condition. FlowExamples lie in groups,
each with its share of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from adapters.generator.blocks import Blocks, to_unit
from adapters.generator.conditions import (
    ABSENT,
    EDIT,
    ENHANCE,
    FIRST_CLAIM,
    FIRST_STYLE,
    PAINT,
    RESTYLE,
    STYLES,
    WORDS,
    Condition,
    encode,
)
from adapters.generator.degradations import jitter, spoil
from adapters.generator.films import RealFilms
from adapters.generator.scenes import BONELESS, EDITED, FILM, RESTYLED

# Shares of a batch.
SHARES = {
    "phantoms": 0.36,
    "real": 0.26,
    "enhance": 0.15,
    EDIT: 0.13,
    "debone": 0.05,
    RESTYLE: 0.05,
}
NOTHING = -1  # no film to start from
LatentsOf = Callable[[torch.Tensor], torch.Tensor]


@dataclass(slots=True, eq=False)
class ExampleGroup:
    """FlowExamples of one kind: N of them, as tensors on the device."""

    target: torch.Tensor  # int64 (N,): row of the latents
    origin: torch.Tensor  # int64 (N,): row of the latents to start from, or NOTHING
    tokens: torch.Tensor  # int16 (N, L, 5)
    boxes: torch.Tensor  # float16 (N, L, 4)


@dataclass(slots=True, eq=False)
class FlowExamples:
    """Latents (M, C, h, w) in bfloat16 on the flow's scale, and the groups."""

    latents: torch.Tensor
    groups: dict[str, ExampleGroup]
    counts: dict[str, int] = field(default_factory=dict)

    def plan(self, batch: int) -> None:
        """Set how many examples of each group a batch holds."""
        total = sum(SHARES[name] for name in self.groups)
        self.counts = {name: round(batch * SHARES[name] / total) for name in self.groups}
        self.counts["phantoms"] += batch - sum(self.counts.values())

    def draw(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Targets, origins (zeros where there is none), tokens and boxes of a batch."""
        parts: list[tuple[torch.Tensor, ...]] = []
        for name, count in self.counts.items():
            group = self.groups[name]
            at = torch.randint(len(group.target), (count,), device=self.latents.device)
            parts.append((group.target[at], group.origin[at], group.tokens[at], group.boxes[at]))
        target, origin, tokens, boxes = (torch.cat(list_) for list_ in zip(*parts, strict=True))
        start = self.latents[origin.clamp_min(0)] * (origin >= 0).view(-1, 1, 1, 1)
        return self.latents[target], start, tokens, boxes


class _Bank:
    """Encodes films of every origin, one after the other."""

    def __init__(self, encoder: LatentsOf) -> None:
        self.encoder, self.parts, self.count = encoder, [], 0

    def add(self, films: torch.Tensor) -> torch.Tensor:
        """Encode films and return their rows."""
        self.parts.append(self.encoder(films))
        first, self.count = self.count, self.count + len(films)
        return torch.arange(first, self.count, device=films.device)


def _heads(task: str, count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    tokens, boxes = encode(Condition(task))
    return (
        torch.from_numpy(tokens).to(device).expand(count, -1, -1),
        torch.from_numpy(boxes).to(device).expand(count, -1, -1),
    )


def build_examples(
    blocks: Blocks, real: RealFilms, encoder: LatentsOf, *, copies: int = 6, spoilt: int = 24_000
) -> FlowExamples:
    """Encode all films and list the examples.

    `encoder` gives the flow's latents of films uint8 or in [-1, 1]. Each real film comes `copies`
    times, moved and exposed a little differently; `spoilt` films are to be restored.
    """
    device = blocks.arrays["films"].device
    bank = _Bank(encoder)
    films = blocks.arrays["films"]
    tokens, boxes = blocks.arrays["tokens"], blocks.arrays["boxes"]
    rows = bank.add(films)
    plain = blocks.of_kind(FILM)
    none = torch.full_like(plain, NOTHING)
    groups = {"phantoms": ExampleGroup(rows[plain], none, tokens[plain], boxes[plain])}
    groups |= _pairs(blocks, rows)
    real_films = torch.from_numpy(real.films[:, None]).to(device)
    real_tokens, real_boxes = (
        torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (real.tokens, real.boxes)
    )
    real_rows = [bank.add(real_films)]
    for _ in range(copies - 1):
        moved = [bank.add(jitter(to_unit(part))) for part in real_films.split(1024)]
        real_rows.append(torch.cat(moved))
    target = torch.cat(real_rows)
    groups["real"] = ExampleGroup(
        target,
        torch.full_like(target, NOTHING),
        real_tokens.repeat(copies, 1, 1),
        real_boxes.repeat(copies, 1, 1),
    )
    choices = [(films, rows, plain), (real_films, real_rows[0], None)]
    parts = [
        _spoilt(bank, choice, task, spoilt // (len(choices) * len(ENHANCE)))
        for choice in choices
        for task in ENHANCE
    ]
    groups["enhance"] = ExampleGroup(*(torch.cat(list_) for list_ in zip(*parts, strict=True)))
    return FlowExamples(torch.cat(bank.parts), groups)


def _spoilt(bank: _Bank, choice, task: str, count: int):
    """FlowExamples of one task of enhancement, from films with their rows."""
    films, rows, among = choice
    device = films.device
    at = torch.randint(len(among) if among is not None else len(films), (count,), device=device)
    at = among[at] if among is not None else at
    spoilt = torch.cat([spoil(to_unit(films[part]), task) for part in at.split(64)])
    return (rows[at], bank.add(spoilt), *_heads(task, count, device))


def _pairs(blocks: Blocks, rows: torch.Tensor) -> dict[str, ExampleGroup]:
    """Edits in both directions, films without bones, and the look of site A to and fro."""
    base, arrays = blocks.arrays["base"], blocks.arrays
    groups = {}
    edited = blocks.of_kind(EDITED)
    adds, boxes = arrays["tokens"][edited], arrays["boxes"][edited]
    removes = adds.clone()
    claims = removes[..., 0] >= FIRST_CLAIM
    removes[..., 1] = torch.where(claims, torch.full_like(removes[..., 1], ABSENT), removes[..., 1])
    groups[EDIT] = ExampleGroup(
        torch.cat([rows[edited], rows[base[edited]]]),
        torch.cat([rows[base[edited]], rows[edited]]),
        torch.cat([removes, adds]),
        torch.cat([boxes, boxes]),
    )
    soft = blocks.of_kind(BONELESS)
    groups["debone"] = ExampleGroup(
        rows[soft], rows[base[soft]], arrays["tokens"][soft], arrays["boxes"][soft]
    )
    other = blocks.of_kind(RESTYLED)
    forth = arrays["tokens"][other]
    back, own = forth.clone(), arrays["tokens"][base[other]]
    # The second token is the style: of the look that the film had at first.
    back[:, 1] = own[:, 1]
    groups[RESTYLE] = ExampleGroup(
        torch.cat([rows[other], rows[base[other]]]),
        torch.cat([rows[base[other]], rows[other]]),
        torch.cat([forth, back]),
        arrays["boxes"][torch.cat([other, other])],
    )
    return groups


def drop_tokens(
    tokens: torch.Tensor, boxes: torch.Tensor, origin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Leave out what a user may leave out: everything, a head, what is absent, a place, a box."""
    device, (count, length) = tokens.device, tokens.shape[:2]

    def chance(share: float, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, device=device) < share

    word, polarity = tokens[..., 0], tokens[..., 1]
    claim = word >= FIRST_CLAIM
    head = (word >= FIRST_STYLE) & ~claim
    style = head & (word < FIRST_STYLE + len(STYLES))
    gone = style & chance(0.08, count, length)
    gone |= head & ~style & chance(0.25, count, length)
    gone |= (
        (polarity == ABSENT) & chance(0.3, count, length) & (origin.amax((1, 2, 3)) == 0)[:, None]
    )
    gone |= (word >= FIRST_STYLE) & chance(0.1, count, 1)  # the empty condition: the task alone
    tokens = tokens.masked_fill(gone[..., None], 0)
    vague = [chance(share, count, length) & claim for share in (0.06, 0.1, 0.1)]
    for column, less in zip((2, 3, 4), vague, strict=True):
        tokens[..., column] = tokens[..., column].masked_fill(less, 0)
    unboxed = chance(0.45, count, length) | gone
    boxes = boxes.masked_fill(unboxed[..., None], -1.0)
    origin = origin * ~chance(0.02, count, 1, 1, 1)
    return tokens, boxes, origin


def words_of(tokens: np.ndarray) -> str:
    """A condition in words, for logs of samples."""
    parts = [WORDS[row[0]] for row in tokens if row[0] and row[0] != WORDS.index(f"task {PAINT}")]
    return ", ".join(parts)
