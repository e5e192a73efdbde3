"""Decoding at Janus-Pro-1B's shape, beside how fast this machine's memory can be read at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import LlamaConfig, LlamaModel

from assistant.backbones.decoding.llama import Decoder, DecodingBatch
from assistant.backbones.decoding.packed_linear import head_op_of
from benchmarks.figures import PairedFigure, time_call

PROMPT = 600  # tokens: a film of 576 and a short request
STEPS = 12


@torch.inference_mode()
def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Gigabytes of weights a second at one token a step, of random bfloat16 weights."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = _make_pro_1b(2 if quick else 24, device)
    head = model.embed_tokens.weight
    scores = head_op_of(head)
    decoder = Decoder(model, lambda linear: linear.weight, exclusive=True)
    bytes_read = 2 * (decoder.size + head.numel())  # bytes a token: every layer, and the head
    batch = DecodingBatch(decoder, decoder.prefill([model.embed_tokens.weight[:PROMPT]]), 1, STEPS)
    our_rates, bandwidths = [], []
    vector = batch.last_hidden

    def step() -> None:
        hidden = batch.step(vector)
        scores(hidden).argmax().item()

    step()
    for _ in range(2 if quick else STEPS - 1):
        our_rates.append(bytes_read / time_call(step) / 1e9)
        bandwidths.append(_measure_bandwidth(head, device))
    per_second = median(our_rates) * 1e9 / bytes_read
    yield PairedFigure(
        name="decoding at Janus-Pro-1B's shape, bfloat16",
        unit="GB of weights a second",
        ours=tuple(our_rates),
        peer="memory bandwidth, the best of three ways to read it",
        theirs=tuple(bandwidths),
        more_is_better=True,
        bar=0.6,
        note=f"{per_second:.2f} tokens a second, one text after {PROMPT} tokens",
    )


def _make_pro_1b(layers: int, device: str) -> Any:
    """A language model of Janus-Pro-1B's shape, bfloat16, whose weights mean nothing."""
    config = LlamaConfig(
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=layers,
        num_attention_heads=16,
        num_key_value_heads=16,
        vocab_size=102400,
        max_position_embeddings=16384,
    )
    with torch.device("meta"):
        model: Any = LlamaModel(config)
    model = model.to(torch.bfloat16).to_empty(device=device)
    generator = torch.Generator().manual_seed(0)
    block = (torch.randn(1 << 20, generator=generator) * 0.02).to(device, torch.bfloat16)
    for weight in model.parameters():  # drawing each number apart would take minutes
        copies = block.repeat(weight.numel() // len(block) + 1)
        weight.copy_(copies[: weight.numel()].view_as(weight))
    model.rotary_emb = type(model.rotary_emb)(config).to(device)  # its angles were on "meta" too
    return model


def _measure_bandwidth(weights: torch.Tensor, device: str) -> float:
    """Gigabytes a second at which a large tensor can be read by the best way that torch has."""
    wide = weights.view(torch.float32)  # the same bytes
    vector = torch.ones(wide.shape[1], device=device)
    reads: tuple[Callable[[], object], ...] = (
        lambda: wide.sum().item(),
        lambda: torch.mv(wide, vector).sum().item(),
        lambda: wide.max().item(),
    )
    return weights.numel() * 2 / min(time_call(read) for read in reads) / 1e9
